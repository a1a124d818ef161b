package yamlnode

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a file may be at most. Spack's own largest configuration files have some
// thousand lines and eight levels.
const (
	MaxSize  = 1 << 20 // bytes
	MaxDepth = 64      // lists and maps within each other
	MaxNodes = 200_000 // values, with what aliases stand for
	// MaxKeys is how many keys a file may have: the time that the parser takes
	// for a map grows with the square of its keys, 10,000 taking a third of a
	// second.
	MaxKeys = 20_000
)

// File is a file that was read.
type File struct {
	Name string
	Root *Node // Null for a file with nothing in it
	comments
}

// Parse reads the one YAML document in a file. The name is for messages.
func Parse(src []byte, name string) (*File, error) {
	if err := check(src, name); err != nil {
		return nil, err
	}
	src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
	tokens := lexer.Tokenize(string(bytes.TrimPrefix(src, []byte("\ufeff"))))
	if err := checkTokens(tokens, name); err != nil {
		return nil, err
	}
	notes, code := splitComments(tokens)
	doc, err := parseTokens(code, name)
	if err != nil {
		return nil, err
	}
	c := &converter{file: name, anchors: map[string]ast.Node{}}
	root, err := c.node(doc, 0)
	if err != nil {
		return nil, err
	}
	return &File{Name: name, Root: root, comments: notes}, nil
}

// check looks at the bytes.
func check(src []byte, name string) error {
	fail := func(format string, args ...any) error {
		return &Error{File: name, Message: fmt.Sprintf(format, args...)}
	}
	if len(src) > MaxSize {
		return fail("the file has %d bytes; more than %d are not read", len(src), MaxSize)
	}
	if !utf8.Valid(src) {
		return fail("the file is not UTF-8 text")
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return Position{Line: 1 + bytes.Count(src[:i], []byte("\n"))}.Errorf(name, "there is a zero byte; this is no text")
	}
	return nil
}

// checkTokens bounds the nesting before the parser, which is recursive, sees
// the file.
func checkTokens(tokens token.Tokens, name string) error {
	flow, entries, line, keys := 0, 0, 0, 0
	for _, t := range tokens {
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			entries++
		case token.MappingValueType:
			keys++
		}
		if keys > MaxKeys {
			return position(t).Errorf(name, "the file has more than %d keys", MaxKeys)
		}
		if flow+entries > 4*MaxDepth && entries > MaxDepth || flow > MaxDepth || indent(t) > 64*MaxDepth {
			return position(t).Errorf(name, "lists and maps are nested more than %d deep", MaxDepth)
		}
	}
	return nil
}

func indent(t *token.Token) int { return t.Position.IndentNum }

// parseTokens gives the one document in a file.
func parseTokens(tokens token.Tokens, name string) (_ ast.Node, err error) {
	defer func() { // the parser is not ours, the bytes are anybody's
		if r := recover(); r != nil {
			err = &Error{File: name, Message: fmt.Sprintf("this is not understood as YAML (%v)", r)}
		}
	}()
	file, err := parser.Parse(tokens, 0)
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		return nil, position(syntax.Token).Errorf(name, "%s", syntax.Message)
	}
	if err != nil {
		return nil, &Error{File: name, Message: err.Error()}
	}
	var body ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			return nil, Position{Line: position(doc.Body.GetToken()).Line}.Errorf(name, "a second document begins here; one is accepted")
		default:
			body = doc.Body
		}
	}
	return body, nil
}

func position(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{}
	}
	return Position{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// scalarKind is the kind of a scalar without quotes.
func scalarKind(text string) Kind {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return Null
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return Bool
	case ".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN":
		return Float
	}
	digits := strings.TrimLeft(text[:1], "+-") + text[1:]
	if digits == "" {
		return String
	}
	if strings.Trim(digits, "0123456789") == "" {
		return Integer
	}
	for prefix, set := range map[string]string{"0x": "0123456789abcdefABCDEF", "0o": "01234567"} {
		if rest, ok := strings.CutPrefix(text, prefix); ok && rest != "" && strings.Trim(rest, set) == "" {
			return Integer
		}
	}
	if isFloat(digits) {
		return Float
	}
	return String
}

// isFloat follows YAML 1.2, 10.3.2: digits, one point, an exponent.
func isFloat(s string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	if hasExponent {
		exponent = strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")
		if exponent == "" || strings.Trim(exponent, "0123456789") != "" {
			return false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	return whole+fraction != "" && strings.Trim(whole+fraction, "0123456789") == ""
}
