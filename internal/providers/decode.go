package providers

import (
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
)

// Values reads an object value that has the type its schema says, so that
// nothing can be missing or of another type.
type Values struct{ v cty.Value }

// Decode reads the configuration of a block.
func Decode(v cty.Value) Values { return Values{v} }

// String is a string attribute; empty for null.
func (d Values) String(name string) string {
	if v := d.v.GetAttr(name); !v.IsNull() {
		return v.AsString()
	}
	return ""
}

// Bool is a boolean attribute; false for null.
func (d Values) Bool(name string) bool {
	v := d.v.GetAttr(name)
	return !v.IsNull() && v.True()
}

// Int is a whole number; 0 for null.
func (d Values) Int(name string) int {
	v := d.v.GetAttr(name)
	if v.IsNull() {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return int(n)
}

// IsSet reports whether an attribute is not null.
func (d Values) IsSet(name string) bool { return !d.v.GetAttr(name).IsNull() }

// Strings is a list of strings; nil for null.
func (d Values) Strings(name string) []string {
	v := d.v.GetAttr(name)
	if v.IsNull() || v.LengthInt() == 0 {
		return nil
	}
	list := make([]string, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		list = append(list, e.AsString())
	}
	return list
}

// StringMap is a map of strings; nil for null.
func (d Values) StringMap(name string) map[string]string {
	v := d.v.GetAttr(name)
	if v.IsNull() || v.LengthInt() == 0 {
		return nil
	}
	m := make(map[string]string, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		m[k.AsString()] = e.AsString()
	}
	return m
}

// Addresses is a list of references.
func (d Values) Addresses(name string) []addr.Address {
	written := d.Strings(name)
	list := make([]addr.Address, 0, len(written))
	for _, s := range written {
		if a, err := addr.Parse(s); err == nil {
			list = append(list, a)
		}
	}
	return list
}

// Block is a nested block that stands at most once.
func (d Values) Block(name string) (Values, bool) {
	v := d.v.GetAttr(name)
	return Values{v}, !v.IsNull()
}

// Blocks are the nested blocks with a label, by label.
func (d Values) Blocks(name string) map[string]Values {
	v := d.v.GetAttr(name)
	if v.IsNull() {
		return nil
	}
	m := map[string]Values{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		m[k.AsString()] = Values{e}
	}
	return m
}
