package view

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// Options says how to write for people. The zero value is right for a log
// file: no colour, no limit of width, ASCII only.
type Options struct {
	// Color allows ANSI escape sequences for colours.
	Color bool
	// Width is the number of columns of the terminal. With 0 nothing is
	// wrapped or cut.
	Width int
	// Unicode allows signs and lines that are not ASCII.
	Unicode bool
	// Live tells that w is a terminal on which lines can be drawn again.
	Live bool
}

// minWidth is the narrowest terminal that is drawn for, in columns.
const minWidth = 20

// Detect finds out what w can show. NO_COLOR (not empty) forbids colour and
// CLICOLOR_FORCE (neither empty nor 0) demands it, as their conventions say;
// else there is colour on terminals, unless TERM is dumb. CI (neither empty
// nor false) means that nobody watches, so nothing is drawn again.
func Detect(w *os.File, getenv func(string) (string, bool)) Options {
	env := func(name string) string {
		value, _ := getenv(name)
		return value
	}
	fd := int(w.Fd()) //nolint:gosec // a file descriptor is a small number
	terminal := term.IsTerminal(fd)
	smart := terminal && env("TERM") != "dumb"
	o := Options{Color: smart, Live: smart, Unicode: speaksUTF8(env)}
	if ci := env("CI"); ci != "" && ci != "false" && ci != "0" {
		o.Live = false
	}
	if force := env("CLICOLOR_FORCE"); force != "" && force != "0" {
		o.Color = true
	}
	if env("NO_COLOR") != "" {
		o.Color = false
	}
	if terminal {
		if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
			o.Width = columns
		}
	}
	return o
}

// speaksUTF8 follows the order of precedence of the locale variables. With
// none set, as in containers, UTF-8 is what readers of today expect.
func speaksUTF8(env func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(env(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return true
}

// TerminalSize returns a function that asks a terminal for its columns and
// rows, 0 where it does not say. It is cheap enough to be asked for each frame.
func TerminalSize(w *os.File) func() (columns, rows int) {
	return func() (int, int) {
		columns, rows, err := term.GetSize(int(w.Fd())) //nolint:gosec // see Detect
		if err != nil {
			return 0, 0
		}
		return columns, rows
	}
}

// pick chooses between the ASCII and the Unicode form of a sign.
func (o Options) pick(ascii, unicode string) string {
	if o.Unicode {
		return unicode
	}
	return ascii
}
