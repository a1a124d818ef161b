package plan

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/state"
)

// differences says in words which inputs of an object are not what they were
// when it was recorded, the most telling first.
func differences(recorded *state.Object, o *providers.Object) []string {
	if recorded == nil || recorded.Key == o.Key {
		return nil
	}
	var list, byOther []string
	now := make(map[string]bool, len(o.Inputs))
	for _, in := range o.Inputs {
		now[in.Name] = true
		before, had := recorded.Inputs[in.Name]
		text := in.Recorded()
		switch {
		case had && before == text:
		case !had:
			list = append(list, in.Name+" added")
		case in.Object:
			byOther = append(byOther, in.Name+" changed")
		case strings.HasPrefix(before, "=") && in.Shown:
			list = append(list, in.Name+" "+before[1:]+" → "+in.Text)
		default:
			list = append(list, in.Name+" changed")
		}
	}
	for _, name := range sortedKeys(recorded.Inputs) {
		if !now[name] {
			list = append(list, name+" removed")
		}
	}
	return append(list, byOther...)
}

// causeOf is the object whose change is the first reason, if it is another
// one.
func causeOf(recorded *state.Object, o *providers.Object) string {
	cause := ""
	for _, in := range o.Inputs {
		if before, had := recorded.Inputs[in.Name]; had && before == in.Recorded() {
			continue
		}
		if !in.Object {
			return ""
		}
		if cause == "" {
			cause = in.Name
		}
	}
	return cause
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
