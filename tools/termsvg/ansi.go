package main

import (
	"strconv"
	"strings"
)

// style is how a piece of text looks.
type style struct {
	color      string // empty: the default
	bold, dim  bool
	underlined bool
}

// span is text of one style that begins at a column.
type span struct {
	style
	column int
	text   string
}

// parser follows the style over lines.
type parser struct{ now style }

// line divides a line where its style changes.
func (p *parser) line(s string) []span {
	var spans []span
	column := 0
	for s != "" {
		text, rest, escaped := strings.Cut(s, "\x1b[")
		if text != "" {
			spans = append(spans, span{p.now, column, text})
			column += len([]rune(text))
		}
		if !escaped {
			break
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
		if end < 0 {
			break
		}
		if rest[end] == 'm' {
			p.sgr(rest[:end])
		}
		s = rest[end+1:]
	}
	return spans
}

// palette are the sixteen colours, light enough for a dark background.
var palette = []string{
	"#6e7681", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#76e3ea", "#e6edf3",
	"#8b949e", "#ffa198", "#a5f3b0", "#f2cc60", "#a5d6ff", "#e2c5ff", "#b3f0ff", "#ffffff",
}

// sgr applies the parameters of one "select graphic rendition" (ECMA-48).
func (p *parser) sgr(parameters string) {
	codes := strings.Split(parameters, ";")
	for i := 0; i < len(codes); i++ {
		n, _ := strconv.Atoi(codes[i]) // an empty parameter is 0
		switch {
		case n == 0:
			p.now = style{}
		case n == 1:
			p.now.bold = true
		case n == 2:
			p.now.dim = true
		case n == 4:
			p.now.underlined = true
		case n == 22:
			p.now.bold, p.now.dim = false, false
		case n == 24:
			p.now.underlined = false
		case n >= 30 && n <= 37:
			p.now.color = palette[n-30]
		case n >= 90 && n <= 97:
			p.now.color = palette[n-90+8]
		case n == 39:
			p.now.color = ""
		case n == 38 && i+2 < len(codes) && codes[i+1] == "5":
			if c, err := strconv.Atoi(codes[i+2]); err == nil && c >= 0 && c < len(palette) {
				p.now.color = palette[c]
			}
			i += 2
		}
	}
}
