package plan

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/state"
)

// difference is one input that is not what it was when the object was recorded.
type difference struct {
	text string
	rank int
	// object is the address of the object whose change this is.
	object string
}

// Ranks of differences, the most telling first.
const (
	ownChange = iota
	othersChange
)

// compare lists the inputs in which an object differs from what was recorded,
// the most telling first.
func compare(recorded *state.Object, o *providers.Object) []difference {
	if recorded == nil || recorded.Key == o.Key {
		return nil
	}
	var list []difference
	now := make(map[string]bool, len(o.Inputs))
	for _, in := range o.Inputs {
		now[in.Name] = true
		before, had := recorded.Inputs[in.Name]
		switch {
		case had && before == in.Recorded():
		case !had:
			list = append(list, difference{text: in.Name + " added"})
		case in.Object:
			list = append(list, difference{in.Name + " changed", othersChange, in.Name})
		case strings.HasPrefix(before, "=") && in.Shown:
			list = append(list, difference{text: in.Name + " " + before[1:] + " → " + in.Text})
		default:
			list = append(list, difference{text: in.Name + " changed"})
		}
	}
	for _, name := range sortedKeys(recorded.Inputs) {
		if !now[name] {
			list = append(list, difference{text: name + " removed"})
		}
	}
	slices.SortStableFunc(list, func(a, b difference) int { return a.rank - b.rank })
	return list
}

// differences says in words which inputs of an object are not what they were
// when it was recorded, the most telling first.
func differences(recorded *state.Object, o *providers.Object) []string {
	var list []string
	for _, d := range compare(recorded, o) {
		list = append(list, d.text)
	}
	return list
}

// causeOf is the object whose change is the first reason, if it is another
// one.
func causeOf(recorded *state.Object, o *providers.Object) string {
	if list := compare(recorded, o); len(list) > 0 {
		return list[0].object
	}
	return ""
}

// attributesOf gives the string attributes of an object that are known, and
// the names of those that are not.
func attributesOf(o *providers.Object) (known map[string]any, unknown []string) {
	if o.Attributes == cty.NilVal || !o.Attributes.Type().IsObjectType() {
		return nil, nil
	}
	known = map[string]any{}
	for _, name := range sortedKeys(o.Attributes.Type().AttributeTypes()) {
		v := o.Attributes.GetAttr(name)
		switch {
		case name == "address" || v.IsNull():
		case !v.IsKnown():
			unknown = append(unknown, name)
		case v.Type() == cty.String:
			known[name] = v.AsString()
		}
	}
	return known, unknown
}
