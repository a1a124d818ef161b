package view

import (
	"io"

	"esd/internal/state"
)

// Note writes a remark: one line that is neither a result nor a problem.
func Note(w io.Writer, text string, o Options) error {
	_, err := io.WriteString(w, o.paint(dim, o.clean(text))+"\n")
	return err
}

// Notice writes what went well but should be known.
func Notice(w io.Writer, n state.Notice, o Options) error {
	text := o.paint(cyan, "Note: ") + o.clean(n.Summary) + "\n"
	for _, line := range o.cleanLines(n.Detail) {
		if line != "" {
			text += "      " + line + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// Prompt writes a question and leaves the cursor behind it.
func Prompt(w io.Writer, question string, o Options) error {
	_, err := io.WriteString(w, "\n"+o.paint(bold, o.clean(question)))
	return err
}
