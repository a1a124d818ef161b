package importer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"esd/internal/spack/manifest/yamlnode"
)

// lineWidth is how long a line may be before a list or an object is broken up,
// and at which comments are wrapped.
const lineWidth = 100

// writer writes HCL; alignment is left to the formatter.
type writer struct {
	b     strings.Builder
	depth int
}

func (w *writer) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		w.b.WriteString(strings.Repeat("  ", w.depth) + text)
	}
	w.b.WriteString("\n")
}

// blank writes an empty line, but not at the beginning of a block.
func (w *writer) blank() {
	if s := w.b.String(); s != "" && !strings.HasSuffix(s, "{\n") && !strings.HasSuffix(s, "\n\n") {
		w.line("")
	}
}

// comment writes a comment, wrapped.
func (w *writer) comment(text string) {
	for _, line := range strings.Split(text, "\n") {
		for _, part := range wrap(printable(line), lineWidth-2*w.depth-2) {
			w.line("%s", strings.TrimRight("# "+part, " "))
		}
	}
}

// verbatim writes comments as they stood.
func (w *writer) verbatim(lines []string) {
	for _, line := range lines {
		w.line("%s", strings.TrimRight("# "+printable(line), " "))
	}
}

func (w *writer) open(header string) {
	w.line("%s {", header)
	w.depth++
}

func (w *writer) close() {
	w.depth--
	w.line("}")
}

// attribute writes name = value.
func (w *writer) attribute(name string, v value) {
	w.assign(name, member{value: v}, "")
}

// assign writes a member of an object or of a block.
func (w *writer) assign(name string, m member, comma string) {
	w.verbatim(m.above)
	prefix := name + " = "
	if name == "" {
		prefix = ""
	}
	if short, ok := inline(m.value); ok && len(prefix)+len(short)+2*w.depth <= lineWidth || !m.value.isCollection() {
		w.line("%s%s%s%s", prefix, short, comma, behind(m.beside))
		return
	}
	brackets := "[]"
	if m.value.kind == yamlnode.Map {
		brackets = "{}"
	}
	w.line("%s%c%s", prefix, brackets[0], behind(m.beside))
	w.depth++
	for _, e := range m.value.members {
		if m.value.kind == yamlnode.Map {
			w.assign(objectKey(e.key), e, "")
		} else {
			w.assign("", e, ",")
		}
	}
	w.verbatim(m.value.below)
	w.depth--
	w.line("%c%s", brackets[1], comma)
}

func behind(comment string) string {
	if comment == "" {
		return ""
	}
	return " # " + printable(comment)
}

// inline writes a value on one line, unless it has comments or is an object
// with more than one member below another.
func inline(v value) (string, bool) {
	if !v.isCollection() {
		return scalar(v), true
	}
	if len(v.below) > 0 {
		return "", false
	}
	parts := make([]string, len(v.members))
	for i, m := range v.members {
		part, ok := inline(m.value)
		if !ok || len(m.above) > 0 || m.beside != "" || v.kind == yamlnode.Map && len(v.members) > 1 && m.value.kind == yamlnode.Map {
			return "", false
		}
		parts[i] = part
		if v.kind == yamlnode.Map {
			parts[i] = objectKey(m.key) + " = " + part
		}
	}
	switch {
	case v.kind == yamlnode.List:
		return "[" + strings.Join(parts, ", ") + "]", true
	case len(parts) == 0:
		return "{}", true
	}
	return "{ " + strings.Join(parts, ", ") + " }", len(parts) <= 3
}

func scalar(v value) string {
	if v.kind == yamlnode.String || v.kind == yamlnode.Float {
		return quote(v.text)
	}
	return v.text
}

var identifier = lazily(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// objectKey writes a key of an object: bare where it can only be a name.
func objectKey(key string) string {
	if identifier().MatchString(key) && !slices.Contains([]string{"for", "if", "in", "true", "false", "null"}, key) {
		return key
	}
	return quote(key)
}

// quote writes text as HCL has it. ${ and %{ would begin a template.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case !unicode.IsPrint(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable takes out of a comment what would end it or could deceive a reader.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
}

// wrap breaks text at spaces.
func wrap(s string, width int) []string {
	var lines []string
	var line string
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// label makes a name for a block of any text.
func label(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-') {
			return r
		}
		return '-'
	}, strings.TrimSpace(s))
	s = strings.Trim(s, "-")
	switch {
	case s == "":
		return "main"
	case s[0] >= '0' && s[0] <= '9' || s[0] == '_':
		return "env-" + strings.TrimLeft(s, "_")
	}
	return s
}
