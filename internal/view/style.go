package view

import (
	"bufio"
	"io"
	"strings"

	"esd/internal/plan"
)

// color is the parameter of an ANSI SGR sequence (ECMA-48, 8.3.117).
type color string

const (
	plain   color = ""
	bold    color = "1"
	dim     color = "2"
	red     color = "31"
	green   color = "32"
	yellow  color = "33"
	blue    color = "34"
	magenta color = "35"
	cyan    color = "36"
	boldRed color = "1;31"
)

// paint puts s into a colour, if colours are allowed.
func (o Options) paint(c color, s string) string {
	if !o.Color || c == plain || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// look is how an action is shown.
type look struct {
	ascii, unicode string
	color          color
}

// lookOf gives the sign and colour of an action. Terraform's signs mean what
// they mean there.
func lookOf(a plan.Action) look {
	switch a {
	case plan.Build:
		return look{"*", "*", magenta}
	case plan.Fetch:
		return look{"<", "↓", cyan}
	case plan.Push:
		return look{"^", "↑", cyan}
	case plan.Create:
		return look{"+", "+", green}
	case plan.Update:
		return look{"~", "~", yellow}
	case plan.Remove:
		return look{"-", "-", red}
	case plan.Forget:
		return look{".", "·", red}
	case plan.Adopt:
		return look{"=", "=", blue}
	case plan.Refresh:
		return look{"r", "↻", blue}
	case plan.Move:
		return look{">", "→", blue}
	case plan.NoOp:
	}
	return look{" ", " ", plain}
}

// sign is the coloured sign of an action.
func (o Options) sign(a plan.Action) string {
	l := lookOf(a)
	return o.paint(l.color, o.pick(l.ascii, l.unicode))
}

// printer writes lines and keeps the first error of writing until the end.
type printer struct {
	Options
	w *bufio.Writer
}

func newPrinter(w io.Writer, o Options) *printer {
	if o.Width > 0 {
		o.Width = max(o.Width, minWidth)
	}
	return &printer{o, bufio.NewWriterSize(w, 1<<16)}
}

// print writes text that is clean.
func (p *printer) print(parts ...string) {
	for _, s := range parts {
		_, _ = p.w.WriteString(s) // the writer remembers the error for flush
	}
}

// line writes text that is clean, and ends the line.
func (p *printer) line(parts ...string) {
	p.print(parts...)
	p.print("\n")
}

// wrapped writes a text that is not clean over as many lines as it takes, the
// first after a prefix that is, the others indented by as much. Where the
// prefix leaves too little room, the text stands below it.
func (p *printer) wrapped(prefix, text string) {
	text = p.clean(text)
	indent := displayWidth(stripSequences(prefix))
	if p.Width > 0 && p.Width-indent < min(displayWidth(text), minWidth) {
		p.line(strings.TrimRight(prefix, " "))
		indent = min(indent, 6)
		prefix = strings.Repeat(" ", indent)
	}
	for i, row := range wrap(text, p.room(indent)) {
		if i > 0 {
			prefix = strings.Repeat(" ", indent)
		}
		p.line(strings.TrimRight(prefix+row, " "))
	}
}

// room is how many columns there are right of an indent; 0 for no limit.
func (p *printer) room(indent int) int {
	if p.Width == 0 {
		return 0
	}
	return max(p.Width-indent, minWidth/2)
}

func (p *printer) flush() error { return p.w.Flush() }
