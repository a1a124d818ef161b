package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/schema"
)

// Diagnostics writes all diagnostics for people, errors last, each with the
// source that it is about. Values in scope are named where they help, unless
// they are sensitive.
func Diagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, o Options) error {
	p := newPrinter(w, o)
	errors, warnings := 0, 0
	for _, severity := range []hcl.DiagnosticSeverity{hcl.DiagWarning, hcl.DiagError} {
		for _, d := range diags {
			if d == nil || (d.Severity == hcl.DiagError) != (severity == hcl.DiagError) {
				continue
			}
			if severity == hcl.DiagError {
				errors++
			} else {
				warnings++
			}
			p.diagnostic(d, files)
		}
	}
	if errors+warnings > 1 {
		var counts []string
		if errors > 0 {
			counts = append(counts, p.paint(red, Plural(errors, "error")))
		}
		if warnings > 0 {
			counts = append(counts, p.paint(yellow, Plural(warnings, "warning")))
		}
		p.line(strings.Join(counts, " and "), ".")
	}
	return p.flush()
}

func (p *printer) diagnostic(d *hcl.Diagnostic, files map[string]*hcl.File) {
	b := p.openBox(d.Severity == hcl.DiagError, schema.MaskSecrets(d.Summary))
	if d.Subject != nil {
		b.text("")
		b.source(d, files)
	}
	if d.Detail != "" {
		b.text("")
		b.paragraphs(schema.MaskSecrets(d.Detail))
	}
	b.close()
}

// box is a text with a bar at its left.
type box struct {
	*printer
	bar string
	end string
}

// openBox begins a box with its headline.
func (p *printer) openBox(isError bool, summary string) box {
	c, word := yellow, "Warning: "
	if isError {
		c, word = red, "Error: "
	}
	b := box{p, p.paint(c, p.pick("|", "│")), p.paint(c, "╵")}
	if p.Unicode {
		p.line(p.paint(c, "╷"))
	}
	for i, row := range wrap(p.clean(word+summary), p.room(2)) {
		if rest, ok := strings.CutPrefix(row, word); ok && i == 0 {
			b.text(p.paint("1;"+c, word) + p.paint(bold, rest))
			continue
		}
		b.text(p.paint(bold, row))
	}
	return b
}

// text writes one clean line into the box.
func (b box) text(s string) {
	if s == "" {
		b.line(b.bar)
		return
	}
	b.line(b.bar, " ", s)
}

// paragraphs writes a text that is not clean. Lines that are indented, such as
// commands and lists, are not joined or wrapped.
func (b box) paragraphs(s string) {
	for _, line := range b.cleanLines(s) {
		if strings.HasPrefix(line, " ") {
			b.text(line)
			continue
		}
		for _, row := range wrap(line, b.room(2)) {
			b.text(row)
		}
	}
}

func (b box) close() {
	if b.Unicode {
		b.line(b.end)
		return
	}
	b.line()
}

// source writes where a diagnostic stands and what stands there.
func (b box) source(d *hcl.Diagnostic, files map[string]*hcl.File) {
	s, ok := snippetOf(d, files)
	place := fmt.Sprintf("on %s line %d", d.Subject.Filename, d.Subject.Start.Line)
	if s.context != "" {
		place += ", in " + schema.MaskSecrets(s.context)
	}
	end := ":"
	if withholds(d) {
		end = " " + withheld
	}
	for _, row := range wrap(b.clean(place+end), b.room(4)) {
		b.text("  " + row)
	}
	if withholds(d) {
		return
	}
	if !ok {
		for _, row := range wrap("(source code not available)", b.room(6)) {
			b.text("    " + row)
		}
		return
	}
	digits := len(fmt.Sprint(s.lines[len(s.lines)-1].number))
	for _, line := range s.lines {
		b.sourceLine(line, digits)
	}
	if s.more {
		b.text("    ...")
	}
	for i, v := range valuesInScope(d) {
		if i == 0 {
			b.text("    " + b.paint(dim, b.pick("|----------------", "├────────────────")))
		}
		b.text("    " + b.paint(dim, b.pick("|", "│")) + " " + b.cut(b.clean(v.Traversal+" "+v.Statement), b.room(8)))
	}
}

// sourceLine writes a line with the range in question underlined. A line that
// is too long is shown around it.
func (b box) sourceLine(line snippetLine, digits int) {
	before, mark := b.expandTabs(line.before), b.expandTabs(line.mark)
	after := b.expandTabs(line.text[len(line.before)+len(line.mark):])
	number := fmt.Sprintf("  %*d: ", max(digits, 2), line.number)
	if room := b.room(len(number) + 3); room > 0 {
		before, mark, after = b.window(before, mark, after, room)
	}
	b.text(strings.TrimRight(number+before+b.paint("4", mark)+after, " "))
	if !line.marked {
		return
	}
	under := strings.Repeat("^", max(displayWidth(mark), 1))
	b.text(strings.Repeat(" ", len(number)+displayWidth(before)) + b.paint(red, under))
}

// window cuts a line to the room so that the mark, or its start, is seen.
func (o Options) window(before, mark, after string, room int) (string, string, string) {
	dots := o.pick("...", "…")
	mark = o.cut(mark, max(room-displayWidth(dots)-4, 4))
	if over := displayWidth(before) + displayWidth(mark) - room; over > 0 {
		before = dots + tail(before, max(displayWidth(before)-over-displayWidth(dots), 0))
	}
	if left := room - displayWidth(before) - displayWidth(mark); left > displayWidth(dots) {
		after = o.cut(after, left)
	} else {
		after = head(after, max(left, 0))
	}
	return before, mark, after
}
