package view

import (
	"fmt"
	"io"
	"strings"

	"esd/internal/plan"
)

// Limits of what is listed of a plan on a terminal. Targets are always listed.
const (
	maxCauses    = 3  // causes beside the reason
	maxAddress   = 48 // columns for addresses
	maxValue     = 160
	jsonListsAll = "--format=json lists all"
)

// Plan writes a plan for people: what changes and why, a summary line of a
// fixed shape, a forecast. Equal plans give equal bytes.
func Plan(w io.Writer, p *plan.Plan, o Options) error {
	v := planView{newPrinter(w, o), p, usersOf(p)}
	if p.Empty() {
		v.line(noChanges(p.Mode))
		v.notes("")
		v.warnings()
		return v.flush()
	}
	v.notes("\n")
	v.changes()
	v.outputs()
	v.warnings()
	for _, row := range wrap(SummaryLine(p.Summary), v.room(0)) {
		v.line(v.paint(bold, row))
	}
	v.forecast()
	return v.flush()
}

// SummaryLine counts what a plan does. Its shape is fixed: kinds of action
// that are rare are named only where there are any.
func SummaryLine(s plan.Summary) string {
	return "Plan: " + summaryCounts(s) + "."
}

func summaryCounts(s plan.Summary) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d to build, %d to fetch, %d reused; %d to create, %d to update, %d to destroy",
		s.Build, s.Fetch, s.Reused, s.Create, s.Update, s.Destroy)
	for _, rare := range []struct {
		n    int
		verb string
	}{{s.Push, "push"}, {s.Adopt, "adopt"}, {s.Forget, "forget"}, {s.Refresh, "refresh"}, {s.Move, "move"}} {
		if rare.n > 0 {
			fmt.Fprintf(&b, ", %d to %s", rare.n, rare.verb)
		}
	}
	return b.String()
}

func noChanges(mode plan.Mode) string {
	switch mode {
	case plan.Destroy:
		return "No changes. There is nothing to destroy."
	case plan.RefreshOnly:
		return "No changes. What exists is as recorded."
	case plan.Apply:
	}
	return "No changes. Everything matches the configuration."
}

// planNotes says what a reader must know of the whole plan before its lines.
func planNotes(p *plan.Plan) []string {
	var notes []string
	switch p.Mode {
	case plan.Destroy:
		if !p.Empty() {
			notes = append(notes, "This plan destroys what is recorded; nothing is built.")
		}
	case plan.RefreshOnly:
		if !p.Empty() {
			notes = append(notes, "This plan only makes the record match what exists; nothing is built or published.")
		}
	case plan.Apply:
	}
	s := p.Selection
	var options []string
	for _, option := range []struct {
		name   string
		values []string
	}{{"--target", s.Targets}, {"--exclude", s.Excludes}} {
		for _, value := range option.values {
			options = append(options, option.name+" "+value)
		}
	}
	if len(options) > 0 {
		note := "This plan is partial (" + fewOf(options, 4) + "): all else was left out"
		if p.Mode == plan.Apply {
			note += ", and outputs stay as they are"
		}
		notes = append(notes, note+".")
	}
	if s.NoRefresh {
		notes = append(notes, "The record was trusted (--refresh=false): nobody was asked what really exists.")
	}
	return notes
}

// fewOf lists the first of many.
func fewOf(list []string, limit int) string {
	if len(list) <= limit {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:limit], ", ") + fmt.Sprintf(" and %s more", Number(len(list)-limit))
}

// planView is one plan being written for people.
type planView struct {
	*printer
	plan  *plan.Plan
	users users
}

func (v planView) notes(end string) {
	notes := planNotes(v.plan)
	for _, note := range notes {
		v.wrapped("", note)
	}
	if len(notes) > 0 {
		v.print(end)
	}
}

func (v planView) heading(title string, n int, more ...string) {
	notes := append([]string{Number(n)}, more...)
	v.line(v.paint(bold, title), v.paint(dim, " ("+strings.Join(notes, "; ")+")"))
}

func (v planView) outputs() {
	if len(v.plan.Outputs) == 0 {
		return
	}
	v.heading("Outputs", len(v.plan.Outputs))
	width := 0
	for _, c := range v.plan.Outputs {
		width = max(width, displayWidth(v.clean(c.Name)))
	}
	for _, c := range v.plan.Outputs {
		prefix := "  " + v.sign(outputAction(c)) + " " + pad(v.clean(c.Name), min(width, maxAddress)) + " = "
		v.wrapped(prefix, v.outputChange(c))
	}
	v.line()
}

// outputAction is the action on an output, in the words for targets.
func outputAction(c plan.OutputChange) plan.Action {
	switch {
	case c.Removed:
		return plan.Remove
	case len(c.Before) == 0:
		return plan.Create
	}
	return plan.Update
}

// outputChange writes `before -> after` of an output.
func (v planView) outputChange(c plan.OutputChange) string {
	arrow := v.pick(" -> ", " → ")
	value := func(raw []byte) string { return v.cut(v.clean(inline(raw)), maxValue) }
	after := value(c.After)
	switch {
	case c.Sensitive:
		return "(sensitive value)"
	case c.Removed:
		return value(c.Before) + arrow + "(removed)"
	case c.Unknown:
		after = "(known after apply)"
	}
	if len(c.Before) == 0 {
		return after
	}
	return value(c.Before) + arrow + after
}

func (v planView) warnings() {
	for _, warning := range v.plan.Warnings {
		v.wrapped(v.paint(yellow, "Warning:")+" ", warning)
	}
	if len(v.plan.Warnings) > 0 {
		v.line()
	}
}
