package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"esd/internal/view"
)

// IO is what a command has of the outside world: results go to Out, all else
// to Err.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Environ  []string
	Getenv   func(name string) (string, bool)
	// OutView and ErrView say what the two can show.
	OutView, ErrView view.Options
	// Size asks the terminal behind Err for its columns and rows; nil if there
	// is none.
	Size func() (columns, rows int)
	// CanAsk tells that somebody sits in front of In.
	CanAsk bool
}

// SystemIO is the process's own.
func SystemIO() IO {
	s := IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Getenv: os.LookupEnv,
		OutView: view.Detect(os.Stdout, os.LookupEnv), ErrView: view.Detect(os.Stderr, os.LookupEnv),
		CanAsk: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd())),
	}
	if s.ErrView.Live {
		s.Size = view.TerminalSize(os.Stderr)
	}
	return s
}
