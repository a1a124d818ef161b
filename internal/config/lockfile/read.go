package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxSize bounds the lock file: 16 MiB are some 100,000 pins.
const maxSize = 16 << 20

// Read reads the lock file at path. One that is not there has no pins.
func Read(path string) (*Lock, hcl.Diagnostics) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return New(), nil
	}
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil && info.Size() > maxSize {
		err = fmt.Errorf("it is larger than %d MiB", maxSize>>20)
	}
	var src []byte
	if err == nil {
		src, err = os.ReadFile(path)
	}
	if err != nil {
		if inner, ok := errors.AsType[syscall.Errno](err); ok {
			err = inner
		}
		return New(), hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Cannot read the lock file", Detail: fmt.Sprintf("%s cannot be read: %s.", path, err)}}
	}
	return Parse(src, path)
}

// advice ends the diagnostics of the lock file.
const advice = " The lock file is written by esd lock: restore it from version control, or remove it and run esd lock."

// Parse reads the content of a lock file. It accepts nothing but what Write
// writes: blocks with literal attributes.
func Parse(src []byte, filename string) (*Lock, hcl.Diagnostics) {
	l := New()
	tokens, _ := hclsyntax.LexConfig(src, filename, hcl.InitialPos)
	if diags := flat(tokens); diags.HasErrors() {
		return l, diags
	}
	file, diags := hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	if diags.HasErrors() {
		for _, diag := range diags {
			diag.Detail += advice
		}
		return l, diags
	}
	body := file.Body.(*hclsyntax.Body)
	for _, attr := range body.Attributes {
		diags = append(diags, invalid(attr.NameRange, "a lock file has only blocks, not %s = …", attr.Name))
	}
	for _, block := range body.Blocks {
		diags = append(diags, l.block(block)...)
	}
	return l, diags
}

// flat refuses nested brackets: the parser is recursive, and nothing in a lock
// file is nested deeper than the attributes of a block.
func flat(tokens hclsyntax.Tokens) hcl.Diagnostics {
	depth := 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOBrace:
			depth++
		case hclsyntax.TokenCBrace:
			depth--
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl,
			hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion, hclsyntax.TokenPlus, hclsyntax.TokenOHeredoc:
			depth = 2
		}
		if depth > 1 {
			return hcl.Diagnostics{invalid(token.Range, "there are only blocks with literal strings in it")}
		}
	}
	return nil
}

func invalid(at hcl.Range, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid lock file", Detail: "This is not what esd writes: " + fmt.Sprintf(format, args...) + "." + advice, Subject: &at}
}

// shape is what a kind of block looks like.
type shape struct {
	labels   int
	required string
	optional []string
}

func shapeOf(kind string) (shape, bool) {
	switch kind {
	case "image":
		return shape{1, "digest", []string{"platform"}}, true
	case "git":
		return shape{2, "commit", nil}, true
	case "file":
		return shape{1, "sha256", nil}, true
	case "environment":
		return shape{1, "sha256", []string{"specs", "spack", "config", "from"}}, true
	}
	return shape{}, false
}

func (l *Lock) block(block *hclsyntax.Block) hcl.Diagnostics {
	want, ok := shapeOf(block.Type)
	if !ok {
		return hcl.Diagnostics{invalid(block.TypeRange, "there are no blocks of the type %q; perhaps a newer esd wrote it", block.Type)}
	}
	if len(block.Labels) != want.labels {
		return hcl.Diagnostics{invalid(block.DefRange(), "a block %s has %d labels", block.Type, want.labels)}
	}
	values, diags := attributes(block, want)
	if diags.HasErrors() {
		return diags
	}
	var before string
	var twice bool
	switch block.Type {
	case "image":
		image := Image{block.Labels[0], values["platform"]}
		before, twice = l.Image(image)
		l.SetImage(image, values["digest"])
	case "git":
		git := Git{block.Labels[0], block.Labels[1]}
		before, twice = l.Git(git)
		l.SetGit(git, values["commit"])
	case "file":
		before, twice = l.File(block.Labels[0])
		l.SetFile(block.Labels[0], values["sha256"])
	case "environment":
		var e Environment
		if e, twice = l.Environment(block.Labels[0]); twice {
			before = e.SHA256
		}
		l.SetEnvironment(block.Labels[0], environmentOf(values))
	}
	if twice {
		diags = append(diags, invalid(block.DefRange(), "%s %q is pinned already, to %s; a merge may have kept both sides", block.Type, block.Labels, before))
	}
	return diags
}

func environmentOf(values map[string]string) Environment {
	e := Environment{Spack: values["spack"], Config: values["config"], From: values["from"], SHA256: values["sha256"]}
	if specs := values["specs"]; specs != "" {
		e.Specs = strings.Split(specs, separator)
	}
	return e
}

func attributes(block *hclsyntax.Block, want shape) (map[string]string, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	for _, nested := range block.Body.Blocks {
		diags = append(diags, invalid(nested.DefRange(), "a block %s has no blocks", block.Type))
	}
	values := map[string]string{}
	for name, attr := range block.Body.Attributes {
		if name != want.required && !slices.Contains(want.optional, name) {
			diags = append(diags, invalid(attr.NameRange, "a block %s has no attribute %q; perhaps a newer esd wrote it", block.Type, name))
			continue
		}
		v, problems := attr.Expr.Value(nil)
		if problems.HasErrors() || v.IsNull() || v.Type() != cty.String {
			diags = append(diags, invalid(attr.Expr.Range(), "%s is a literal string", name))
			continue
		}
		if err := check(name, v.AsString()); err != nil {
			diags = append(diags, invalid(attr.Expr.Range(), "%s", err))
			continue
		}
		values[name] = v.AsString()
	}
	if _, ok := block.Body.Attributes[want.required]; !ok {
		diags = append(diags, invalid(block.DefRange(), "a block %s has %s", block.Type, want.required))
	}
	return values, diags
}

// isHex reports whether s is so many hexadecimal digits in lower case.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}

func isDigest(s string) bool {
	algorithm, hex, _ := strings.Cut(s, ":")
	return algorithm == "sha256" && isHex(hex, 64) || algorithm == "sha512" && isHex(hex, 128)
}

// isPlatform reports whether s is os/architecture, maybe with a variant behind.
func isPlatform(s string) bool {
	parts := strings.Split(s, "/")
	for _, part := range parts {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
			return false
		}
	}
	return len(parts) == 2 || len(parts) == 3
}

// check refuses what is no digest, commit, checksum or platform.
func check(name, value string) error {
	ok, what := false, ""
	switch name {
	case "digest":
		ok, what = isDigest(value), "sha256: and 64 hexadecimal digits"
	case "commit":
		ok, what = isHex(value, 40) || isHex(value, 64), "40 or 64 hexadecimal digits"
	case "spack", "config", "from":
		ok, what = isHex(value, 16), "16 hexadecimal digits"
	case "specs":
		ok, what = !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' }), "a line of specs"
	case "platform":
		ok, what = isPlatform(value), "written os/architecture"
	default:
		ok, what = isHex(value, 64), "64 hexadecimal digits"
	}
	if !ok {
		return fmt.Errorf("%s %q is not %s", name, value, what)
	}
	return nil
}
