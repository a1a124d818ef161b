package view

import (
	"fmt"
	"io"

	"esd/internal/plan"
)

// Rebuilt is a state that was made anew.
type Rebuilt struct {
	Location string
	// Problem is why what was recorded cannot be used; empty where it can.
	Problem string
	// Found are the objects that exist, Next is what an apply would do then.
	Found []plan.Change
	Next  *plan.Plan
	// Lost are the addresses of what was recorded and is not configured any more.
	Lost []string
	// Before and After are serials; Before is 0 where nothing can be used.
	Before, After int64
	// Durations tells that what steps took is known.
	Durations bool
}

// maxRebuilt is how many objects of each sort are listed.
const maxRebuilt = 50

// Rebuild writes what was found of a state, and what was not.
func Rebuild(w io.Writer, r Rebuilt, o Options) error {
	p := newPrinter(w, o)
	if r.Problem != "" {
		p.wrapped("", "What is recorded cannot be used: "+r.Problem+".")
		p.line()
	}
	found := make([][2]string, len(r.Found))
	for i, c := range r.Found {
		found[i] = [2]string{c.Address, c.Reason}
	}
	p.sortOf("Found", "", p.sign(plan.Adopt), found)
	var missing [][2]string
	for _, c := range r.Next.Changes {
		missing = append(missing, [2]string{c.Address, string(c.Action) + ": " + c.Reason})
	}
	p.sortOf("Not as wanted", "an apply would do this", p.paint(yellow, "+"), missing)
	var lost [][2]string
	for _, address := range r.Lost {
		lost = append(lost, [2]string{address, "was recorded, and is not configured any more"})
	}
	p.sortOf("Lost", "they stay where they are, and esd knows no more of them", p.paint(red, "-"), lost)
	if !r.Durations {
		p.wrapped("", "How long steps take is not known any more: forecasts begin anew.")
	}
	p.line(fmt.Sprintf("State: %s found, %s not as wanted, %s lost.", Number(len(found)), Number(len(missing)), Number(len(lost))))
	return p.flush()
}

// sortOf writes one sort of objects: addresses, and what there is to say.
func (p *printer) sortOf(title, meaning, sign string, list [][2]string) {
	if len(list) == 0 {
		return
	}
	head := " (" + Number(len(list)) + ")"
	if meaning != "" {
		head += ": " + meaning
	}
	p.line(p.paint(bold, title), p.paint(dim, head))
	width := 0
	for _, item := range list[:min(len(list), maxRebuilt)] {
		width = max(width, displayWidth(p.clean(item[0])))
	}
	for i, item := range list {
		if i == maxRebuilt {
			p.line(fmt.Sprintf("  ... and %s more", Number(len(list)-i)))
			break
		}
		p.wrapped("  "+sign+" "+pad(p.clean(item[0]), width)+"  ", item[1])
	}
	p.line()
}
