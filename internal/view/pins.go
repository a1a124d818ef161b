package view

import "io"

// PinChange is what happens to one pin of a lock file. Before or After is empty
// for one that is new or goes.
type PinChange struct{ What, Before, After string }

// Pins writes what happens to the pins of a lock file.
func Pins(w io.Writer, changes []PinChange, unchanged int, o Options) error {
	p := newPrinter(w, o)
	for _, c := range changes {
		switch {
		case c.Before == "":
			p.line(p.paint(green, "+"), " ", p.clean(c.What))
			p.line("    ", p.clean(c.After))
		case c.After == "":
			p.line(p.paint(red, "-"), " ", p.clean(c.What), p.paint(dim, " (no longer in the configuration)"))
		default:
			p.line(p.paint(yellow, "~"), " ", p.clean(c.What))
			p.line("    ", p.clean(c.Before), p.pick(" ->", " →"))
			p.line("    ", p.clean(c.After))
		}
	}
	if len(changes) > 0 {
		p.line()
	}
	added, changed, removed := 0, 0, 0
	for _, c := range changes {
		switch {
		case c.Before == "":
			added++
		case c.After == "":
			removed++
		default:
			changed++
		}
	}
	p.line("Pins: ", Number(added), " added, ", Number(changed), " changed, ", Number(removed), " removed, ", Number(unchanged), " unchanged.")
	return p.flush()
}
