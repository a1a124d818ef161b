package binary

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The metadata is YAML, but only ever one value in flow style without anchors,
// tags and comments. A reader for just that is small, linear in the input and
// has nothing that could be abused.

type flowKind int

const (
	flowText flowKind = iota
	flowList
	flowMap
)

func (k flowKind) String() string { return [...]string{"text", "list", "mapping"}[k] }

type flowNode struct {
	kind  flowKind
	text  string
	plain bool // text without quotes
	keys  []string
	items []*flowNode // of a list; of a mapping, the values
}

func (n *flowNode) value(key string) *flowNode {
	for i, k := range n.keys {
		if k == key {
			return n.items[i]
		}
	}
	return nil
}

func (n *flowNode) isNull() bool {
	return n.kind == flowText && n.plain && (n.text == "" || n.text == "null" || n.text == "~")
}

// maxFlowDepth is one more than the metadata has.
const maxFlowDepth = 4

type flowParser struct {
	data []byte
	at   int
}

func parseFlow(data []byte) (*flowNode, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	p := &flowParser{data: data}
	n, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(data) {
		return nil, p.fail("something follows the end")
	}
	return n, nil
}

func (p *flowParser) fail(why string) error { return fmt.Errorf("at byte %d: %s", p.at, why) }

// space skips white space and tells whether there was any, or the end.
func (p *flowParser) space() bool {
	from := p.at
	for p.at < len(p.data) && strings.IndexByte(" \t\r\n", p.data[p.at]) >= 0 {
		p.at++
	}
	return p.at > from || p.at == len(p.data)
}

func (p *flowParser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *flowParser) value(depth int) (*flowNode, error) {
	if depth > maxFlowDepth {
		return nil, p.fail("it is nested too deeply")
	}
	p.space()
	switch p.peek() {
	case '{':
		return p.mapping(depth)
	case '[':
		return p.list(depth)
	case '&', '*', '!', '|', '>', '%', '@', '`', '#':
		return nil, p.fail("this part of YAML does not occur in metadata")
	}
	return p.scalar()
}

func (p *flowParser) list(depth int) (*flowNode, error) {
	n := &flowNode{kind: flowList}
	p.at++
	for {
		if p.space(); p.peek() == ']' {
			p.at++
			return n, nil
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, item)
		if err := p.separator(']'); err != nil {
			return nil, err
		}
	}
}

// separator skips a comma, or stops in front of the end.
func (p *flowParser) separator(end byte) error {
	p.space()
	switch p.peek() {
	case ',':
		p.at++
	case end:
	default:
		return p.fail(fmt.Sprintf("expected , or %c", end))
	}
	return nil
}

func (p *flowParser) mapping(depth int) (*flowNode, error) {
	n := &flowNode{kind: flowMap}
	seen := map[string]bool{}
	p.at++
	for {
		if p.space(); p.peek() == '}' {
			p.at++
			return n, nil
		}
		if p.peek() == '?' && p.at+1 < len(p.data) && strings.IndexByte(" \n", p.data[p.at+1]) >= 0 {
			p.at++ // a key that is too long to be recognised as one
			p.space()
		}
		key, err := p.scalar()
		if err != nil {
			return nil, err
		}
		if p.space(); p.peek() != ':' {
			return nil, p.fail("expected a colon")
		}
		p.at++
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if seen[key.text] {
			return nil, p.fail(fmt.Sprintf("the key %q comes twice", short(key.text)))
		}
		seen[key.text] = true
		n.keys, n.items = append(n.keys, key.text), append(n.items, value)
		if err := p.separator('}'); err != nil {
			return nil, err
		}
	}
}

func (p *flowParser) scalar() (*flowNode, error) {
	switch p.peek() {
	case '\'':
		return p.singleQuoted()
	case '"':
		return p.doubleQuoted()
	}
	return p.plain()
}

// plain reads up to an indicator of the flow style, or a colon or number sign
// that counts as one.
func (p *flowParser) plain() (*flowNode, error) {
	from := p.at
	for ; p.at < len(p.data); p.at++ {
		switch c := p.data[p.at]; c {
		case ',', '[', ']', '{', '}':
			return p.plainText(from)
		case ':':
			if p.at+1 == len(p.data) || strings.IndexByte(" \t\r\n,[]{}", p.data[p.at+1]) >= 0 {
				return p.plainText(from)
			}
		case '#':
			if p.at > from && strings.IndexByte(" \t\n", p.data[p.at-1]) >= 0 {
				return nil, p.fail("comments do not occur in metadata")
			}
		}
	}
	return p.plainText(from)
}

func (p *flowParser) plainText(from int) (*flowNode, error) {
	text := strings.TrimRight(string(p.data[from:p.at]), " \t\r\n")
	return &flowNode{kind: flowText, text: fold(text), plain: true}, nil
}

// fold joins the lines of a scalar: a single line break is a blank, more than
// one are line breaks but for the first.
func fold(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	var b strings.Builder
	breaks := 0
	for i, line := range strings.Split(text, "\n") {
		line = strings.Trim(line, " \t\r")
		switch {
		case i == 0:
		case line == "":
			breaks++
			continue
		case breaks == 0:
			b.WriteByte(' ')
		}
		b.WriteString(strings.Repeat("\n", breaks))
		breaks = 0
		b.WriteString(line)
	}
	return b.String()
}

func (p *flowParser) singleQuoted() (*flowNode, error) {
	p.at++
	var b strings.Builder
	for {
		end := bytes.IndexByte(p.data[p.at:min(p.at+maxQuoted, len(p.data))], '\'')
		if end < 0 {
			return nil, p.fail("a quoted text has no end")
		}
		b.Write(p.data[p.at : p.at+end])
		p.at += end + 1
		if p.peek() != '\'' {
			return &flowNode{kind: flowText, text: fold(b.String())}, nil
		}
		b.WriteByte('\'')
		p.at++
	}
}

// maxQuoted is more than any path.
const maxQuoted = 64 << 10

// escapes are those of YAML 1.2, section 5.7, but for the numeric ones.
var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r",
	'e': "\x1b", ' ': " ", '"': `"`, '/': "/", '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029",
}

func (p *flowParser) doubleQuoted() (*flowNode, error) {
	p.at++
	var b strings.Builder
	for from := p.at; p.at < len(p.data) && p.at-from < maxQuoted; p.at++ {
		switch c := p.data[p.at]; c {
		case '"':
			p.at++
			return &flowNode{kind: flowText, text: b.String()}, nil
		case '\\':
			p.at++
			if err := p.escape(&b); err != nil {
				return nil, err
			}
		case '\n': // a folded line
			b.WriteByte(' ')
			p.skipBlanks()
		default:
			b.WriteByte(c)
		}
	}
	return nil, p.fail("a quoted text has no end")
}

// skipBlanks stops at the last of the blanks that follow.
func (p *flowParser) skipBlanks() {
	for p.at+1 < len(p.data) && (p.data[p.at+1] == ' ' || p.data[p.at+1] == '\t') {
		p.at++
	}
}

// escape reads what follows a backslash and stops at its last byte.
func (p *flowParser) escape(b *strings.Builder) error {
	c := p.peek()
	if text, ok := escapes[c]; ok {
		b.WriteString(text)
		return nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case c == '\n':
		p.skipBlanks()
		return nil
	case digits == 0 || p.at+digits >= len(p.data):
		return p.fail("an unknown escape in a quoted text")
	}
	n, err := strconv.ParseUint(string(p.data[p.at+1:p.at+1+digits]), 16, 32)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
		return p.fail("an unknown escape in a quoted text")
	}
	b.WriteRune(rune(n))
	p.at += digits
	return nil
}
