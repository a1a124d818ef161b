package view

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"esd/internal/plan"
)

// Explanation is why something happens to an object, or does not.
type Explanation struct {
	Address, Title string
	Action         plan.Action
	Reason         string
	Drift          bool
	// Chain leads from the object to the last cause.
	Chain []ExplanationLink
	// NeededBy leads upward to a toplevel.
	NeededBy            []string
	Demands             []ExplanationDemand
	Dependencies, Users []string

	// Of a package of an environment: the specs that ask for it, or else the way
	// up to one that was asked for; and what building it brings in.
	Asked          []string
	Path           []ExplanationStep
	Built, Fetched []string

	// Of an environment: how many packages it has, and those that are missing.
	Packages int
	Missing  []plan.Change
}

// ExplanationLink is an object and the inputs in which it differs.
type ExplanationLink struct {
	Address string
	Causes  []string
}

// ExplanationDemand tells for which operation on which objects something is
// needed, in a form.
type ExplanationDemand struct {
	Form, Op string
	By       []string
}

// ExplanationStep is a package that needs the one before it: to run, or for
// "build".
type ExplanationStep struct{ Address, For string }

const (
	maxListed  = 12 // dependencies, users or causes that are listed by name
	maxMissing = 10 // packages that an environment lacks
)

// Why writes an explanation for people.
func Why(w io.Writer, e Explanation, o Options) error {
	p := newPrinter(w, o)
	title := p.paint(bold, p.clean(e.Address))
	if e.Title != "" {
		title += p.paint(dim, " ("+p.clean(e.Title)+")")
	}
	p.line(p.sign(e.Action), " ", title)
	p.wrapped("  "+actionPhrase(e.Action)+": ", e.Reason)
	if e.Drift {
		p.line("  ", p.paint(yellow, "This is drift: what exists is not what was recorded."))
	}
	p.chain(e.Chain)
	p.origin(e)
	p.demands(e)
	p.missing(e)
	p.brought(e)
	p.related("depends on", e, e.Dependencies)
	p.related("used by", e, e.Users)
	return p.flush()
}

// chain writes each cause below and right of what it causes.
func (p *printer) chain(links []ExplanationLink) {
	if len(links) == 0 {
		return
	}
	p.line()
	p.line("  the chain of causes:")
	indent := "    "
	for i, link := range links {
		p.line(indent, p.clean(link.Address))
		for n, cause := range link.Causes {
			if n == maxListed {
				p.line(indent, "  ", p.pick("... ", "… "), Plural(len(link.Causes)-n, "more cause"))
				break
			}
			p.wrapped(indent+p.pick("  - ", "  • "), cause)
		}
		if i+1 < len(links) {
			p.line(indent, p.pick("  because of", "  └ because of"))
		}
		indent += "  "
	}
}

// origin says because of what somebody wants the object.
func (p *printer) origin(e Explanation) {
	arrow := p.pick(" <- ", " ← ")
	environment, _ := placeOf(packageKind, e.Address)
	switch {
	case len(e.Asked) > 0:
		p.line()
		p.wrapped("  ", fmt.Sprintf("asked for by %s: %s", environment, fewOf(e.Asked, maxListed)))
	case len(e.Path) > 0:
		var names []string
		for _, step := range e.Path {
			name := nameIn(environment, step.Address, false)
			if step.For == "build" {
				name += " (to build it)"
			}
			names = append(names, name)
		}
		p.line()
		p.wrapped("  ", fmt.Sprintf("not asked for by itself: %s, which %s asks for", strings.Join(names, arrow), environment))
	case len(e.NeededBy) > 0 && environment == "":
		p.line()
		p.wrapped("  needed by ", strings.Join(e.NeededBy, arrow))
	}
}

// demands says for what a package is needed, in which form.
func (p *printer) demands(e Explanation) {
	environment, _ := placeOf(packageKind, e.Address)
	if environment == "" || len(e.Demands) == 0 {
		return
	}
	p.line()
	p.line("  needed:")
	for _, d := range e.Demands {
		form := map[string]string{"archive": "in a cache", "installed": "installed"}[d.Form]
		if form == "" {
			form = d.Form
		}
		op, _, _ := strings.Cut(d.Op, " ")
		var by []string
		for _, address := range d.By {
			by = append(by, nameIn(environment, address, false))
		}
		p.wrapped("    "+pad(form, 10)+"  ", "to "+op+" "+fewOf(by, maxListed/2))
	}
}

// missing lists what an environment lacks.
func (p *printer) missing(e Explanation) {
	if len(e.Missing) == 0 {
		return
	}
	p.line()
	p.line("  ", p.paint(bold, "missing"), fmt.Sprintf(" (%s of %s):", Number(len(e.Missing)), Plural(e.Packages, "package")))
	list := make([]*plan.Change, len(e.Missing))
	for i := range e.Missing {
		list[i] = &e.Missing[i]
	}
	shown := list[:min(len(list), maxMissing)]
	v := planView{printer: p, plan: &plan.Plan{}}
	v.list(shown, func(c *plan.Change) string { return nameIn(e.Address, c.Address, true) })
	if rest := list[len(shown):]; len(rest) > 0 {
		p.wrapped("  ", p.pick("... ", "… ")+"and "+Number(len(rest))+" more: "+countReasons(rest))
	}
}

// countReasons counts changes by action and reason, the most frequent first.
func countReasons(list []*plan.Change) string {
	counts := map[string]int{}
	for _, c := range list {
		counts[string(c.Action)+", "+c.Reason]++
	}
	var texts []string
	for text := range counts {
		texts = append(texts, text)
	}
	slices.SortFunc(texts, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, text := range texts {
		texts[i] = Number(counts[text]) + " to " + text
	}
	return fewOf(texts, maxCauses)
}

// brought lists what building a package brings in.
func (p *printer) brought(e Explanation) {
	n := len(e.Built) + len(e.Fetched)
	if n == 0 {
		return
	}
	p.line()
	p.line("  building it brings in ", Plural(n, "package"), ":")
	environment, _ := placeOf(packageKind, e.Address)
	for _, part := range []struct {
		label string
		list  []string
	}{{"to build", e.Built}, {"to fetch", e.Fetched}} {
		if len(part.list) > 0 {
			p.line("    ", part.label, " (", Number(len(part.list)), "):")
			p.few(6, environment, part.list)
		}
	}
}

// related lists objects by name as far as the limit goes.
func (p *printer) related(label string, e Explanation, list []string) {
	if len(list) == 0 {
		return
	}
	p.line()
	if len(list) > maxListed {
		label += " (" + Number(len(list)) + ")"
	}
	p.line("  ", label, ":")
	environment, _ := placeOf(packageKind, e.Address)
	p.few(4, environment, list)
}

// few lists objects: packages of the environment in columns by their names, what
// else there is on lines of its own.
func (p *printer) few(indent int, environment string, list []string) {
	margin := strings.Repeat(" ", indent)
	var names []string
	for i, address := range list[:min(len(list), maxListed)] {
		if name := nameIn(environment, address, false); environment != "" && name != address {
			names = append(names, name)
			continue
		}
		if len(names) > 0 { // keep the order
			p.grid(indent, names, i+1)
			names = nil
		}
		p.line(margin, p.clean(address))
	}
	if len(names) > 0 {
		p.grid(indent, names, len(names))
	}
	if rest := len(list) - maxListed; rest > 0 {
		p.line(margin, p.pick("... ", "… "), "and ", Number(rest), " more")
	}
}

// nameIn is the name of a package within its environment, without its hash if
// that is not wanted; of others it is the address.
func nameIn(environment, address string, hash bool) string {
	of, name := placeOf(packageKind, address)
	if of != environment || of == "" {
		return address
	}
	if i := strings.LastIndexByte(name, '/'); i > 0 && !hash {
		return name[:i]
	}
	return name
}

// actionPhrase says an action as part of a sentence.
func actionPhrase(a plan.Action) string {
	switch a {
	case plan.Build:
		return "will be built"
	case plan.Fetch:
		return "will be fetched"
	case plan.Push:
		return "will be pushed"
	case plan.Create:
		return "will be created"
	case plan.Update:
		return "will be updated"
	case plan.Remove:
		return "will be destroyed"
	case plan.Forget:
		return "will be forgotten"
	case plan.Adopt:
		return "will be recorded as it is"
	case plan.Refresh:
		return "its record will be refreshed"
	case plan.Move:
		return "its record will be moved"
	case plan.NoOp:
	}
	return "stays as it is"
}
