package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"esd/internal/apply"
	"esd/internal/plan"
)

const (
	maxFailures  = 20 // failed steps that are shown with their logs
	maxSkipNames = 5  // objects named for each cause of skipping
	maxSkipLines = 20
)

// Summary writes how a run ended: what failed and why, what was skipped and
// because of what, and always one line with all counts.
func Summary(w io.Writer, r *apply.Report, p *plan.Plan, o Options) error {
	v := newPrinter(w, o)
	v.failures(r.Failed)
	v.skips(r.Skipped)
	c := boldRed
	switch {
	case r.OK():
		c = "1;32"
	case len(r.Failed) == 0 && !r.Unrecorded:
		c = "1;33"
	}
	v.counts(c, headline(r, p)+":", tallyOf(r, p).counts()+".")
	v.line(fmt.Sprintf("It took %s; downloaded %s, uploaded %s.", Duration(r.Elapsed), Bytes(r.Downloaded), Bytes(r.Uploaded)))
	if !r.OK() && !r.Unrecorded { // the error says how to go on
		v.wrapped("", "What was finished is kept: the same command goes on from here.")
	}
	return v.flush()
}

// counts writes the headline and the counts, in lines that break between words.
func (p *printer) counts(c color, head, counts string) {
	for i, row := range wrap(head+" "+counts, p.room(0)) {
		if rest, first := strings.CutPrefix(row, head); first && i == 0 {
			p.line(p.paint(c, head), p.paint(bold, rest))
			continue
		}
		p.line(p.paint(bold, row))
	}
}

func (p *printer) failures(list []apply.Outcome) {
	if len(list) == 0 {
		return
	}
	p.line(p.paint(bold, "Failed"), p.paint(dim, fmt.Sprintf(" (%s)", Number(len(list)))))
	for i, o := range list {
		if i == maxFailures {
			p.line("  ", fmt.Sprintf("... and %s more", Number(len(list)-i)))
			p.line()
			return
		}
		p.failure(o)
	}
}

// failure writes why a step failed, the end of its log and where that is.
func (p *printer) failure(o apply.Outcome) {
	doing, where := stepWords(o.Step)
	sign := p.paint(boldRed, p.pick("x", "✗"))
	p.wrapped("  "+sign+" ", fmt.Sprintf("%s  %s  failed after %s", doing, where, Duration(o.Elapsed)))
	for _, line := range p.cleanLines(reasonOf(o.Err)) {
		p.wrapped("    ", line)
	}
	if o.Log != "" {
		for _, line := range logTail(o.Log, tailLines) {
			p.line("    ", p.paint(dim, p.pick("|", "│")), " ", p.cut(p.clean(line), p.room(6)))
		}
		p.line("    log: ", p.clean(o.Log))
	}
	p.line()
}

type skipGroup struct {
	because string
	objects []string
	steps   int
}

// skips writes what was skipped, folded by what it needed.
func (p *printer) skips(list []apply.Outcome) {
	if len(list) == 0 {
		return
	}
	p.line(p.paint(bold, "Skipped"), p.paint(dim, fmt.Sprintf(" (%s)", Number(len(list)))))
	groups := skipGroups(list)
	for i, g := range groups {
		if i == maxSkipLines {
			p.line("  ", fmt.Sprintf("... and because of %s more", Number(len(groups)-i)))
			break
		}
		p.wrapped("  "+p.paint(yellow, "-")+" ", g.text())
	}
	p.line()
}

// text says what was skipped and why; of an object whose own step failed it
// names that step.
func (g skipGroup) text() string {
	steps, cause := Plural(g.steps, "step"), shortName(objectOf(g.because))
	switch {
	case g.because == "":
		return fmt.Sprintf("%s because the run was stopped: %s", steps, fewOf(g.objects, maxSkipNames))
	case len(g.objects) == 1 && g.objects[0] == cause:
		return fmt.Sprintf("%s of %s because its %s failed", steps, cause, operationOf(g.because))
	case slices.Contains(g.objects, cause):
		return fmt.Sprintf("%s because %s of %s failed: %s", steps, operationOf(g.because), cause, fewOf(g.objects, maxSkipNames))
	}
	return fmt.Sprintf("%s because %s failed: %s", steps, cause, fewOf(g.objects, maxSkipNames))
}

// skipGroups sorts skipped steps by cause, the one with the most first.
func skipGroups(list []apply.Outcome) []skipGroup {
	at := map[string]int{}
	var groups []skipGroup
	for _, o := range list {
		i, ok := at[o.Because]
		if !ok {
			i = len(groups)
			at[o.Because] = i
			groups = append(groups, skipGroup{because: o.Because})
		}
		g := &groups[i]
		g.steps++
		if n := len(g.objects); n == 0 || g.objects[n-1] != shortName(o.Step.Address) {
			g.objects = append(g.objects, shortName(o.Step.Address))
		}
	}
	for i := range groups {
		slices.Sort(groups[i].objects)
		groups[i].objects = slices.Compact(groups[i].objects)
	}
	slices.SortFunc(groups, func(a, b skipGroup) int {
		return cmp.Or(cmp.Compare(b.steps, a.steps), cmp.Compare(a.because, b.because))
	})
	return groups
}
