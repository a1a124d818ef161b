package view

import "io"

// PinChange is what happens to one pin of a lock file. Before or After is empty
// for one that is new or goes.
type PinChange struct{ What, Before, After string }

// EnvironmentChange is what happens to the lock of an environment, in words, a
// line each.
type EnvironmentChange struct {
	Address string
	New     bool
	Changes []string
}

// Pins is what happens to a lock file.
type Pins struct {
	Changes      []PinChange
	Environments []EnvironmentChange
	Unchanged    int
}

// Write writes what happens to the pins of a lock file.
func (l Pins) Write(w io.Writer, o Options) error {
	p := newPrinter(w, o)
	added, changed, removed := 0, 0, 0
	for _, c := range l.Changes {
		switch {
		case c.Before == "":
			added++
			p.line(p.paint(green, "+"), " ", p.clean(c.What))
			p.line("    ", p.clean(c.After))
		case c.After == "":
			removed++
			p.line(p.paint(red, "-"), " ", p.clean(c.What), p.paint(dim, " (no longer in the configuration)"))
		default:
			changed++
			p.line(p.paint(yellow, "~"), " ", p.clean(c.What))
			p.line("    ", p.clean(c.Before), p.pick(" ->", " →"))
			p.line("    ", p.clean(c.After))
		}
	}
	for _, e := range l.Environments {
		sign, colour := "~", yellow
		if changed++; e.New {
			changed, added = changed-1, added+1
			sign, colour = "+", green
		}
		p.line(p.paint(colour, sign), " ", p.clean(e.Address))
		for _, c := range e.Changes {
			p.line("    ", p.clean(c))
		}
	}
	if added+changed+removed > 0 {
		p.line()
	}
	p.line("Pins: ", Number(added), " added, ", Number(changed), " changed, ", Number(removed), " removed, ", Number(l.Unchanged), " unchanged.")
	return p.flush()
}
