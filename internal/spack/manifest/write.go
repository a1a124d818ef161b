package manifest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"esd/internal/spack/manifest/yamlnode"
)

// Write makes a spack.yaml of specs and configuration sections, the same bytes
// for the same input: keys sorted, specs as given. It is JSON, which is YAML
// that leaves nothing to be guessed. A key that ends with two colons overrides
// ("packages::").
//
// The values of config are nil, bool, numbers, strings, slices of those, maps
// by string, and *yamlnode.Node, whose order is kept: it matters to Spack in
// repos and mirrors.
func Write(specs []string, config map[string]any) ([]byte, error) {
	body := map[string]any{}
	for key, value := range config {
		if trimmed := strings.TrimSuffix(key, "::"); trimmed == "specs" || trimmed == "definitions" {
			return nil, fmt.Errorf("%s is no configuration: specs are given by themselves", key)
		}
		body[key] = value
	}
	if specs == nil {
		specs = []string{}
	}
	body["specs"] = specs
	w := &writer{}
	w.value(map[string]any{"spack": body}, 0)
	if w.err != nil {
		return nil, w.err
	}
	return []byte(w.b.String() + "\n"), nil
}

// maxWriteDepth bounds values that hold themselves.
const maxWriteDepth = 2 * yamlnode.MaxDepth

type writer struct {
	b   strings.Builder
	err error
}

func (w *writer) value(v any, depth int) {
	if depth > maxWriteDepth {
		w.err = errors.New("the configuration is nested too deep")
	}
	if w.err != nil {
		return
	}
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		w.b.WriteString(strconv.FormatBool(v))
	case string:
		w.text(v)
	case int:
		w.b.WriteString(strconv.Itoa(v))
	case int64:
		w.b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		w.number(v)
	case json.Number:
		w.b.WriteString(v.String())
	case []string:
		writeList(w, v, depth, func(s string) { w.text(s) })
	case []any:
		writeList(w, v, depth, func(e any) { w.value(e, depth+1) })
	case map[string]any:
		w.sorted(v, depth)
	case *yamlnode.Node:
		w.node(v, depth)
	default:
		w.err = fmt.Errorf("a %T cannot be written to a spack.yaml", v)
	}
}

// number writes whole numbers as such; others have no use in Spack's files and
// would lose their spelling.
func (w *writer) number(v float64) {
	if v != float64(int64(v)) {
		w.err = fmt.Errorf("%v is no whole number; write it as text", v)
		return
	}
	w.b.WriteString(strconv.FormatInt(int64(v), 10))
}

func (w *writer) node(n *yamlnode.Node, depth int) {
	switch {
	case n == nil:
		w.value(nil, depth)
	case n.Kind == yamlnode.Map:
		writeMap(w, n.Entries, depth, func(e yamlnode.Entry) (string, any) { return e.Name(), e.Value })
	case n.Kind == yamlnode.List:
		writeList(w, n.Items, depth, func(item *yamlnode.Node) { w.node(item, depth+1) })
	default:
		w.value(n.Plain(), depth)
	}
}

func (w *writer) sorted(m map[string]any, depth int) {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(strings.Compare(strings.TrimSuffix(a, "::"), strings.TrimSuffix(b, "::")), strings.Compare(a, b))
	})
	writeMap(w, keys, depth, func(key string) (string, any) { return key, m[key] })
}

func writeMap[T any](w *writer, entries []T, depth int, entry func(T) (string, any)) {
	if len(entries) == 0 {
		w.b.WriteString("{}")
		return
	}
	seen := map[string]bool{}
	for i, e := range entries {
		key, value := entry(e)
		w.b.WriteString([]string{"{", ","}[min(i, 1)])
		w.line(depth + 1)
		// The second colon is part of the key where the key is quoted.
		if trimmed, override := strings.CutSuffix(key, "::"); override && trimmed != "" {
			key = trimmed + ":"
		}
		if plain := strings.TrimSuffix(key, ":"); seen[plain] {
			w.err = fmt.Errorf("%s is set twice, once with two colons", plain)
		} else {
			seen[plain] = true
		}
		w.text(key)
		w.b.WriteString(": ")
		w.value(value, depth+1)
	}
	w.line(depth)
	w.b.WriteString("}")
}

func writeList[T any](w *writer, items []T, depth int, item func(T)) {
	if len(items) == 0 {
		w.b.WriteString("[]")
		return
	}
	for i, v := range items {
		w.b.WriteString([]string{"[", ","}[min(i, 1)])
		w.line(depth + 1)
		item(v)
	}
	w.line(depth)
	w.b.WriteString("]")
}

func (w *writer) line(depth int) { w.b.WriteString("\n" + strings.Repeat("  ", depth)) }

// text writes a string in quotes. What YAML does not allow in a file as it is
// (YAML 1.2, 5.1) is escaped, in a form that JSON has too where it can.
func (w *writer) text(s string) {
	if !utf8.ValidString(s) {
		w.err = fmt.Errorf("%q is not UTF-8 text", s)
		return
	}
	w.b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			w.b.WriteByte('\\')
			w.b.WriteRune(r)
		case r == '\n':
			w.b.WriteString(`\n`)
		case r == '\t':
			w.b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff || r >= 0xfffe && r <= 0xffff:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
