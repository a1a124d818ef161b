package main

import (
	"bufio"
	"fmt"
	"html"
	"strings"
)

// Sizes in pixels. The width of a column is forced on the text, so that the
// picture does not depend on the fonts of whoever looks at it.
const (
	columnWidth = 8.4
	lineHeight  = 19
	margin      = 18
	titleHeight = 34
)

func write(w *bufio.Writer, rows [][]span, title string) {
	columns := 60
	for _, row := range rows {
		for _, s := range row {
			columns = max(columns, s.column+len([]rune(s.text)))
		}
	}
	width := int(float64(columns)*columnWidth) + 2*margin
	height := titleHeight + len(rows)*lineHeight + margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(w, `<rect x="0.5" y="0.5" width="%d" height="%d" rx="9" fill="#161b22" stroke="#4d5560"/>`+"\n", width-1, height-1)
	for i, color := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(w, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`+"\n", margin+2+i*18, color)
	}
	fmt.Fprintf(w, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace" font-size="14" fill="#e6edf3">`+"\n")
	fmt.Fprintf(w, `<text x="%d" y="22" text-anchor="middle" font-size="13" fill="#8b949e">%s</text>`+"\n", width/2, html.EscapeString(title))
	for i, row := range rows {
		for _, s := range row {
			writeSpan(w, s, titleHeight+14+i*lineHeight)
		}
	}
	fmt.Fprint(w, "</g>\n</svg>\n")
}

func writeSpan(w *bufio.Writer, s span, y int) {
	fmt.Fprintf(w, `<text x="%.1f" y="%d" textLength="%.1f"`, margin+float64(s.column)*columnWidth, y, float64(len([]rune(s.text)))*columnWidth)
	if s.color != "" {
		fmt.Fprintf(w, ` fill="%s"`, s.color)
	}
	if s.bold {
		fmt.Fprint(w, ` font-weight="bold"`)
	}
	if s.dim {
		fmt.Fprint(w, ` opacity="0.65"`)
	}
	if s.underlined {
		fmt.Fprint(w, ` text-decoration="underline"`)
	}
	// Runs of ordinary spaces would be shown as one.
	fmt.Fprintf(w, ">%s</text>\n", strings.ReplaceAll(html.EscapeString(s.text), " ", "\u00a0"))
}
