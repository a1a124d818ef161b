package view

import (
	"bufio"
	"io"
	"strings"

	"esd/internal/state"
)

// JSON writes a value as one JSON document. It is for small values that have no
// document of their own.
func JSON(w io.Writer, v any) error { return indented(w, v) }

// Text writes lines of text that need not be clean.
func Text(w io.Writer, text string, o Options) error {
	p := newPrinter(w, o)
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		p.line(p.clean(line))
	}
	return p.flush()
}

// Diff writes the difference of two texts in the unified form, coloured where
// colours are.
func Diff(w io.Writer, diff []byte, o Options) error {
	p := newPrinter(w, o)
	for _, line := range strings.Split(strings.TrimSuffix(string(diff), "\n"), "\n") {
		if line == "" {
			p.line()
			continue
		}
		c := plain
		switch line[0] {
		case '+':
			c = green
		case '-':
			c = red
		case '@':
			c = cyan
		}
		if strings.HasPrefix(line, "diff ") {
			continue
		}
		p.line(p.paint(c, p.clean(line)))
	}
	return p.flush()
}

// OutputValue writes the value of one output in the syntax of the language.
func OutputValue(w io.Writer, out state.Output, o Options) error {
	p := newPrinter(w, o)
	p.line(p.outputValue(out))
	return p.flush()
}

// Log writes a log. To a terminal it goes without what a terminal would act
// on; elsewhere it goes byte by byte.
func Log(w io.Writer, r io.Reader, o Options) error {
	if !o.Live && !o.Color {
		_, err := io.Copy(w, r)
		return err
	}
	p := newPrinter(w, o)
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			p.line(p.clean(strings.TrimRight(line, "\r\n")))
		}
		if err != nil {
			return p.flush()
		}
	}
}
