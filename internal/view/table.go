package view

import (
	"io"
	"strings"
)

// Table is text in columns. The last column gets the room that is left and is
// wrapped into it.
type Table struct {
	header []string
	rows   [][]string
}

// NewTable returns a table with a header; no header is written without names.
func NewTable(header ...string) *Table { return &Table{header: header} }

// Row adds a row. The cells need not be clean.
func (t *Table) Row(cells ...string) { t.rows = append(t.rows, cells) }

// Write writes the table.
func (t *Table) Write(w io.Writer, o Options) error {
	p := newPrinter(w, o)
	widths := t.widths(p)
	if len(t.header) > 0 {
		t.writeRow(p, widths, t.header, bold)
	}
	for _, row := range t.rows {
		t.writeRow(p, widths, row, plain)
	}
	return p.flush()
}

// widths gives each column but the last the width of its widest cell, and no
// column more than its share of a terminal.
func (t *Table) widths(p *printer) []int {
	var widths []int
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], displayWidth(p.clean(cell)))
		}
	}
	if p.Width > 0 && len(widths) > 1 {
		share := max((p.Width-10)/(len(widths)-1)-2, 4)
		for i := range widths[:len(widths)-1] {
			widths[i] = min(widths[i], share)
		}
	}
	return widths
}

func (t *Table) writeRow(p *printer, widths []int, row []string, c color) {
	var prefix strings.Builder
	for i, cell := range row {
		cell = p.clean(cell)
		if i == len(row)-1 {
			indent := displayWidth(prefix.String())
			for j, part := range wrap(cell, p.room(indent)) {
				start := prefix.String()
				if j > 0 {
					start = strings.Repeat(" ", indent)
				}
				p.line(p.paint(c, strings.TrimRight(start+part, " ")))
			}
			continue
		}
		prefix.WriteString(pad(p.cutMiddle(cell, widths[i]), widths[i]) + "  ")
	}
}
