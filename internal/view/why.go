package view

import (
	"io"
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
	Dependencies, Users []string
}

// ExplanationLink is an object and the inputs in which it differs.
type ExplanationLink struct {
	Address string
	Causes  []string
}

// maxListed is how many dependencies, users or causes are listed by name.
const maxListed = 20

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
	if len(e.NeededBy) > 0 {
		p.line()
		p.wrapped("  needed by ", strings.Join(e.NeededBy, p.pick(" <- ", " ← ")))
	}
	p.related("depends on", e.Dependencies)
	p.related("used by", e.Users)
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

func (p *printer) related(label string, list []string) {
	if len(list) == 0 {
		return
	}
	p.line()
	p.line("  ", label, ":")
	for i, address := range list {
		if i == maxListed {
			p.line("    ", p.pick("... ", "… "), "and ", Number(len(list)-i), " more")
			return
		}
		p.line("    ", p.clean(address))
	}
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
