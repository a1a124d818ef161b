// Command termsvg turns what a terminal shows into a picture for the README.
// It reads text with ANSI colours, as tmux captures it, and writes an SVG that
// brings its own background, so that it can be read on light and dark pages:
//
//	tmux capture-pane -p -e -t SESSION | go run ./tools/termsvg "esd apply" > picture.svg
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	title := ""
	if len(os.Args) > 1 {
		title = os.Args[1]
	}
	if err := run(os.Stdin, os.Stdout, title); err != nil {
		fmt.Fprintln(os.Stderr, "termsvg:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, title string) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n "), "\n")
	var p parser
	rows := make([][]span, len(lines))
	for i, line := range lines {
		rows[i] = p.line(strings.TrimRight(line, " "))
	}
	w := bufio.NewWriter(out)
	write(w, rows, title)
	return w.Flush()
}
