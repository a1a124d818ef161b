package view

import (
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/schema"
)

// DiagnosticsJSON writes diagnostics as one JSON document in the form of
// Terraform's `validate -json`.
func DiagnosticsJSON(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File) error {
	errors := 0
	list := make([]jsonDiagnostic, 0, len(diags))
	for _, d := range diags {
		if d == nil {
			continue
		}
		if d.Severity == hcl.DiagError {
			errors++
		}
		list = append(list, jsonDiagnosticOf(d, files))
	}
	doc := newDocument(w)
	doc.member("format_version", FormatVersion)
	doc.member("valid", errors == 0)
	doc.member("error_count", errors)
	doc.member("warning_count", len(list)-errors)
	doc.list("diagnostics", len(list), func(i int) any { return list[i] })
	return doc.close()
}

type jsonDiagnostic struct {
	Severity string       `json:"severity"`
	Summary  string       `json:"summary"`
	Detail   string       `json:"detail"`
	Range    *jsonRange   `json:"range,omitempty"`
	Snippet  *jsonSnippet `json:"snippet,omitempty"`
}

// jsonRange is a part of a file; the end is just behind it.
type jsonRange struct {
	Filename string  `json:"filename"`
	Start    jsonPos `json:"start"`
	End      jsonPos `json:"end"`
}

// jsonPos counts lines and columns (in grapheme clusters) from 1, bytes from 0.
type jsonPos struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// jsonSnippet is the source of a diagnostic. The offsets are bytes in code.
type jsonSnippet struct {
	Context              *string      `json:"context"`
	Code                 string       `json:"code"`
	StartLine            int          `json:"start_line"`
	HighlightStartOffset int          `json:"highlight_start_offset"`
	HighlightEndOffset   int          `json:"highlight_end_offset"`
	Values               []scopeValue `json:"values"`
}

func jsonDiagnosticOf(d *hcl.Diagnostic, files map[string]*hcl.File) jsonDiagnostic {
	j := jsonDiagnostic{Severity: "error", Summary: schema.MaskSecrets(d.Summary), Detail: schema.MaskSecrets(d.Detail)}
	if d.Severity != hcl.DiagError {
		j.Severity = "warning"
	}
	if d.Subject == nil {
		return j
	}
	r := markable(*d.Subject)
	pos := func(p hcl.Pos) jsonPos { return jsonPos(p) }
	j.Range = &jsonRange{r.Filename, pos(r.Start), pos(r.End)}
	if s, ok := snippetOf(d, files); ok {
		j.Snippet = jsonSnippetOf(s, r)
		j.Snippet.Values = append([]scopeValue{}, valuesInScope(d)...)
	}
	return j
}

// jsonDiagnosticOfError is an error that is no diagnostic, as one.
func jsonDiagnosticOfError(err error) jsonDiagnostic {
	summary, detail, _ := strings.Cut(err.Error(), "\n")
	return jsonDiagnostic{Severity: "error", Summary: summary, Detail: detail}
}

func jsonSnippetOf(s snippet, r hcl.Range) *jsonSnippet {
	texts := make([]string, len(s.lines))
	for i, line := range s.lines {
		texts[i] = line.text
	}
	j := &jsonSnippet{Code: strings.Join(texts, "\n"), StartLine: s.lines[0].number}
	if s.context != "" {
		j.Context = &s.context
	}
	within := func(offset int) int { return min(max(offset-s.lines[0].offset, 0), len(j.Code)) }
	j.HighlightStartOffset, j.HighlightEndOffset = within(r.Start.Byte), within(r.End.Byte)
	return j
}
