package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// decodeJSON reads one JSON value and keeps numbers as they are written.
func decodeJSON(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// inline writes a JSON value on one line in the syntax of the language. What
// is no JSON is written as it is.
func inline(raw []byte) string {
	if len(raw) == 0 {
		return "null"
	}
	v, err := decodeJSON(raw)
	if err != nil {
		return string(raw)
	}
	var b strings.Builder
	writeValue(&b, v, -1)
	return b.String()
}

// writeValue writes a value in the syntax of the language, over several lines
// if indent is not negative.
func writeValue(b *strings.Builder, v any, indent int) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case string:
		b.WriteString(quoteHCL(v))
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		writeList(b, list, indent)
	case []any:
		writeList(b, v, indent)
	case map[string]string:
		m := make(map[string]any, len(v))
		for name, s := range v {
			m[name] = s
		}
		writeMapping(b, m, indent)
	case map[string]any:
		writeMapping(b, v, indent)
	default:
		fmt.Fprint(b, v)
	}
}

func writeList(b *strings.Builder, list []any, indent int) {
	if len(list) == 0 {
		b.WriteString("[]")
		return
	}
	b.WriteString("[")
	for i, element := range list {
		if indent < 0 && i > 0 {
			b.WriteString(", ")
		}
		lineBreak(b, indent, 1)
		writeValue(b, element, deeper(indent))
		if indent >= 0 {
			b.WriteString(",")
		}
	}
	lineBreak(b, indent, 0)
	b.WriteString("]")
}

func writeMapping(b *strings.Builder, m map[string]any, indent int) {
	if len(m) == 0 {
		b.WriteString("{}")
		return
	}
	width := 0
	names := slices.Sorted(maps.Keys(m))
	for _, name := range names {
		width = max(width, displayWidth(mapKey(name)))
	}
	b.WriteString("{")
	for i, name := range names {
		key := mapKey(name)
		if indent < 0 {
			b.WriteString([]string{" ", ", "}[min(i, 1)])
		} else {
			key = pad(key, width)
		}
		lineBreak(b, indent, 1)
		b.WriteString(key + " = ")
		writeValue(b, m[name], deeper(indent))
	}
	if indent < 0 {
		b.WriteString(" ")
	}
	lineBreak(b, indent, 0)
	b.WriteString("}")
}

func lineBreak(b *strings.Builder, indent, more int) {
	if indent >= 0 {
		b.WriteString("\n" + strings.Repeat("  ", indent+more))
	}
}

func deeper(indent int) int {
	if indent < 0 {
		return indent
	}
	return indent + 1
}

// mapKey writes the key of an object, quoted where it is no identifier.
func mapKey(name string) string {
	for i, r := range name {
		if !isWordRune(r) && (r != '-' || i == 0) || i == 0 && r >= '0' && r <= '9' {
			return quoteHCL(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// quoteHCL writes a string literal of the language, on one line and with
// nothing in it that a terminal would act on.
func quoteHCL(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case isUnprintable(r):
			if r > 0xffff {
				fmt.Fprintf(&b, `\U%08x`, r)
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
