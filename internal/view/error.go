package view

import (
	"errors"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/schema"
)

// Error writes an error for people: the first line as headline, the rest
// below it; joined errors as a list, the secrets of addresses masked;
// diagnostics as diagnostics, without their sources.
func Error(w io.Writer, err error, o Options) error {
	if err == nil {
		return nil
	}
	var diags hcl.Diagnostics
	if errors.As(err, &diags) {
		return Diagnostics(w, diags, nil, o)
	}
	list := joined(err)
	p := newPrinter(w, o)
	if len(list) > 1 {
		b := p.openBox(true, Plural(len(list), "error"))
		for _, e := range list {
			b.text("")
			b.item(schema.MaskSecrets(e.Error()))
		}
		b.close()
		return p.flush()
	}
	summary, rest, _ := strings.Cut(schema.MaskSecrets(list[0].Error()), "\n")
	b := p.openBox(true, summary)
	if rest = strings.Trim(rest, "\n"); rest != "" {
		b.text("")
		b.paragraphs(rest)
	}
	b.close()
	return p.flush()
}

// item writes a text as an element of a list.
func (b box) item(s string) {
	sign := "- "
	for _, line := range b.cleanLines(s) {
		for _, row := range wrap(line, b.room(4)) {
			b.text(strings.TrimRight(sign+row, " "))
			sign = "  "
		}
	}
}

// joined takes errors apart that stand beside each other, as errors.Join puts
// them. An error that wraps several within one sentence stays whole.
func joined(err error) []error {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	var texts []string
	for _, e := range many.Unwrap() {
		list = append(list, joined(e)...)
		texts = append(texts, e.Error())
	}
	if err.Error() != strings.Join(texts, "\n") {
		return []error{err}
	}
	return list
}
