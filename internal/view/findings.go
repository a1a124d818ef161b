package view

import "io"

// Finding is one thing that was found out about a machine. The grade is "ok",
// "hint", "absent" or "broken".
type Finding struct{ Group, Name, Grade, Text, Advice string }

// Findings writes what was found, by groups in the order in which they come.
func Findings(w io.Writer, list []Finding, o Options) error {
	p := newPrinter(w, o)
	widths := map[string]int{} // by group
	for _, f := range list {
		widths[f.Group] = max(widths[f.Group], displayWidth(p.clean(f.Name)))
	}
	group := ""
	for _, f := range list {
		width := widths[f.Group]
		if f.Group != group {
			if group != "" {
				p.line()
			}
			group = f.Group
			p.line(p.paint(bold, p.clean(group)))
		}
		p.wrapped("  "+p.gradeSign(f.Grade)+" "+pad(p.clean(f.Name), width)+"  ", f.Text)
		if f.Advice != "" {
			p.wrapped("    "+pad("", width)+"  "+p.pick("-> ", "→ "), f.Advice)
		}
	}
	return p.flush()
}

func (p *printer) gradeSign(grade string) string {
	switch grade {
	case "ok":
		return p.paint(green, p.pick("+", "✓"))
	case "hint":
		return p.paint(yellow, "!")
	case "broken":
		return p.paint(red, p.pick("x", "✗"))
	}
	return p.paint(dim, "-")
}
