package view

import (
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// literal is text that stands for a value that cannot be shown.
type literal string

// Value writes the value of an expression in the syntax of the language. What
// is marked is not shown.
func Value(w io.Writer, v cty.Value, o Options) error {
	p := newPrinter(w, o)
	var b strings.Builder
	writeValue(&b, plainValue(v), 0)
	p.line(p.known(b.String()))
	return p.flush()
}

// plainValue takes a value apart to what writeValue knows.
func plainValue(v cty.Value) any {
	switch {
	case v.IsMarked():
		return literal("(sensitive value)")
	case !v.IsKnown():
		return literal("(known after apply)")
	case v.IsNull():
		return nil
	}
	t := v.Type()
	switch {
	case t == cty.String:
		return v.AsString()
	case t == cty.Bool:
		return v.True()
	case t == cty.Number:
		return literal(v.AsBigFloat().Text('f', -1))
	case t.IsObjectType() || t.IsMapType():
		m := map[string]any{}
		for it := v.ElementIterator(); it.Next(); {
			name, element := it.Element()
			m[name.AsString()] = plainValue(element)
		}
		return m
	case t.IsListType() || t.IsTupleType() || t.IsSetType():
		list := []any{}
		for it := v.ElementIterator(); it.Next(); {
			_, element := it.Element()
			list = append(list, plainValue(element))
		}
		return list
	}
	return literal("(" + t.FriendlyName() + ")")
}
