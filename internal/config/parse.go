package config

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// chunkSize is about how much of a file is parsed at once. The tokens of a
// chunk take some 50 times its size and are garbage after it, so that small
// chunks keep the peak of memory low. It also bounds what is parsed without
// counting its nesting first: so many brackets do not exhaust the stack.
const chunkSize = 16 << 10

// maxParse bounds what is parsed at once: the tokens of hostile input take a
// hundred times its size. Files may be larger, single blocks not.
const maxParse = 4 << 20

// parsed is one file of a module.
type parsed struct {
	name  string
	file  *hcl.File
	body  *hclsyntax.Body
	diags hcl.Diagnostics
}

// parseFiles reads and parses files side by side and returns them in the
// order given.
func parseFiles(paths []string) []*parsed {
	files := make([]*parsed, len(paths))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, path := range paths {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			files[i] = parseFile(path)
		}()
	}
	wg.Wait()
	return files
}

func parseFile(path string) *parsed {
	src, err := readFile(path)
	if err != nil {
		return &parsed{name: path, body: &hclsyntax.Body{}, diags: errorf("Cannot read file", "%s cannot be read: %s.", path, reason(err))}
	}
	return parseSource(src, path)
}

// parseSource parses one file. The bodies of chunks are joined only where all
// of them are free of errors; else the file is parsed as a whole, so that its
// errors are those of HCL.
func parseSource(src []byte, name string) *parsed {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	p := &parsed{name: name, file: &hcl.File{Bytes: src}, body: &hclsyntax.Body{}}
	body, diags := parseChunks(src, name)
	if len(diags) == 0 || len(src) > maxParse {
		p.body, p.file.Body, p.diags = body, body, hintTemplates(diags, src)
		return p
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	if p.diags = checkNesting(tokens); p.diags.HasErrors() {
		return p
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if body, ok := file.Body.(*hclsyntax.Body); ok {
		p.body, p.file.Body = body, body
	}
	p.diags = hintTemplates(diags, src)
	return p
}

func parseChunks(src []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	whole := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}}
	at := hcl.InitialPos
	for len(src) > 0 {
		chunk := src[:cut(src)]
		if diags := checkChunk(chunk, name, at); diags.HasErrors() {
			return whole, diags
		}
		file, diags := hclsyntax.ParseConfig(chunk, name, at)
		body, ok := file.Body.(*hclsyntax.Body)
		if len(diags) > 0 || !ok {
			return whole, diags
		}
		for attribute, attr := range body.Attributes {
			if before := whole.Attributes[attribute]; before != nil {
				return whole, hcl.Diagnostics{errorAt(attr.NameRange, "Attribute redefined", "%s is set at %s already.", attribute, place(before.NameRange))}
			}
			whole.Attributes[attribute] = attr
		}
		whole.Blocks = append(whole.Blocks, body.Blocks...)
		src = src[len(chunk):]
		at.Byte += len(chunk)
		at.Line += bytes.Count(chunk, []byte("\n"))
		whole.SrcRange.End = at
	}
	whole.EndRange = hcl.Range{Filename: name, Start: at, End: at}
	return whole, nil
}

// checkChunk refuses what is too large or too deep to be parsed.
func checkChunk(chunk []byte, name string, at hcl.Pos) hcl.Diagnostics {
	switch {
	case len(chunk) > maxParse:
		return hcl.Diagnostics{errorAt(hcl.Range{Filename: name, Start: at, End: at}, "Block too large",
			"A single block, or several that are not divided by a line }, may have at most %d MiB. Keep large data in files of their own, and read them by file, jsondecode or yamldecode.", maxParse>>20)}
	case len(chunk) > 2*chunkSize:
		tokens, _ := hclsyntax.LexConfig(chunk, name, at)
		return checkNesting(tokens)
	}
	return nil
}

// cut finds the end of a chunk: a line that is a closing brace in the first
// column and is followed by the beginning of another block. Inside a here
// document such lines may stand as well; the chunk is then incomplete, does
// not parse, and the file is parsed as a whole.
func cut(src []byte) int {
	for from := min(chunkSize, len(src)); from < len(src); {
		i := bytes.Index(src[from:], []byte("\n}\n"))
		if i < 0 {
			break
		}
		if from += i + len("\n}\n"); beginsBlock(src[from:]) {
			return from
		}
	}
	return len(src)
}

func beginsBlock(src []byte) bool {
	src = bytes.TrimLeft(src, "\n")
	return len(src) > 0 && (src[0] >= 'a' && src[0] <= 'z' || src[0] == '#')
}

// hintTemplates adds to errors at lines with template sequences how these are
// written literally: Spack's own syntax is full of them.
func hintTemplates(diags hcl.Diagnostics, src []byte) hcl.Diagnostics {
	for _, diag := range diags {
		if diag.Subject == nil {
			continue
		}
		line := lineAt(src, diag.Subject.Start.Byte)
		for _, sequence := range []string{"%{", "${"} {
			if strings.Contains(strings.ReplaceAll(line, sequence[:1]+sequence, ""), sequence) {
				diag.Detail = strings.TrimRight(diag.Detail, " \n") + " " + literalHint(sequence)
			}
		}
	}
	return diags
}

func literalHint(sequence string) string {
	return fmt.Sprintf("If %s is not meant as a template (Spack's projections and shell scripts contain it), write %s for a literal %s.",
		sequence, sequence[:1]+sequence, sequence)
}

func lineAt(src []byte, offset int) string {
	offset = min(max(offset, 0), len(src))
	start := bytes.LastIndexByte(src[:offset], '\n') + 1
	end := len(src)
	if i := bytes.IndexByte(src[offset:], '\n'); i >= 0 {
		end = offset + i
	}
	return string(src[start:end])
}
