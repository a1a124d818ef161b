package view

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxSnippet is how many source lines a diagnostic shows.
const maxSnippet = 6

// snippet is the part of a source that a diagnostic is about.
type snippet struct {
	context string // the block that it stands in: recipe "greet"
	lines   []snippetLine
	more    bool // the range goes on
}

// snippetLine is one source line, in three parts: the middle one is what the
// diagnostic is about.
type snippetLine struct {
	number             int
	before, mark, text string
	offset             int // of the line in the file, in bytes
	marked             bool
}

// snippetOf finds the source of a diagnostic; false if it is not at hand, or may
// not be shown. Secrets in it are left out.
func snippetOf(d *hcl.Diagnostic, files map[string]*hcl.File) (snippet, bool) {
	var s snippet
	if d.Subject == nil {
		return s, false
	}
	file := files[d.Subject.Filename]
	if file == nil || len(file.Bytes) == 0 {
		return s, false
	}
	s.context = contextOf(file, d.Subject.Start.Byte)
	if withholds(d) {
		return s, false
	}
	highlight := markable(*d.Subject)
	shown := highlight
	if d.Context != nil && d.Context.Filename == d.Subject.Filename {
		shown = hcl.RangeOver(shown, markable(*d.Context))
	}
	scanner := hcl.NewRangeScanner(file.Bytes, d.Subject.Filename, bufio.ScanLines)
	for scanner.Scan() {
		line := scanner.Range()
		if line.Start.Byte >= shown.End.Byte && len(s.lines) > 0 {
			break
		}
		if !line.Overlaps(shown) && !touches(line, shown) {
			continue
		}
		if len(s.lines) == maxSnippet {
			s.more = true
			break
		}
		s.lines = append(s.lines, splitLine(scanner.Bytes(), line, highlight))
	}
	if len(s.lines) > 0 {
		shown := secretLines(d.Subject.Filename, file.Bytes, s.lines[0].number, s.lines[len(s.lines)-1].number)
		for i, line := range s.lines {
			s.lines[i] = line.withhold(shown[line.number])
		}
	}
	return s, len(s.lines) > 0
}

// touches reports whether r begins at the very end of a line, where a parser
// says that something is missing.
func touches(line, r hcl.Range) bool {
	return r.Start.Byte == line.End.Byte && r.Start.Line == line.Start.Line
}

// markable makes an empty range one column wide.
func markable(r hcl.Range) hcl.Range {
	if r.Empty() {
		r.End.Byte++
		r.End.Column++
	}
	return r
}

func splitLine(text []byte, line, highlight hcl.Range) snippetLine {
	start := min(max(highlight.Start.Byte-line.Start.Byte, 0), len(text))
	end := min(max(highlight.End.Byte-line.Start.Byte, start), len(text))
	return snippetLine{
		number: line.Start.Line, before: string(text[:start]), mark: string(text[start:end]), text: string(text),
		offset: line.Start.Byte,
		marked: line.Overlaps(highlight) || touches(line, highlight),
	}
}

// contextOf names the innermost block around an offset.
func contextOf(file *hcl.File, offset int) string {
	if nav, ok := file.Nav.(interface{ ContextString(offset int) string }); ok {
		if s := nav.ContextString(offset); s != "" {
			return s
		}
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return ""
	}
	for _, block := range body.Blocks {
		if block.Range().Start.Byte <= offset && offset < block.CloseBraceRange.End.Byte {
			name := block.Type
			for _, label := range block.Labels {
				name += " " + quoteHCL(label)
			}
			return name
		}
	}
	return ""
}

// expandTabs makes a source line one that can be counted in columns.
func (o Options) expandTabs(s string) string {
	return o.clean(strings.ReplaceAll(string(bytes.ToValidUTF8([]byte(s), []byte("\ufffd"))), "\t", "    "))
}
