package inventory

import (
	"fmt"
	"strings"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/state"
)

// State reads what was recorded. Sensitive values are in no state.
func State(name string, st *state.State) *compare.Inventory {
	inv := &compare.Inventory{Kind: compare.State, Name: name, Detail: fmt.Sprintf("serial %d", st.Serial)}
	var list []*record
	for _, address := range st.Addresses() {
		o := st.Objects[address]
		a, err := addr.Parse(address)
		if err != nil {
			continue // of a newer esd
		}
		list = append(list, &record{
			address: a, inputs: o.Inputs, needs: o.Dependencies, key: o.Key,
			version: o.Attributes.String("version"), places: texts(o.Attributes["published"]), digest: o.Attributes.String("digest"),
		})
	}
	inv.Groups = groupsOf(list)
	return inv
}

// texts reads a list of strings.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// shown reads a recorded input that may be shown.
func shown(recorded string) string {
	value, ok := strings.CutPrefix(recorded, "=")
	if !ok {
		return ""
	}
	return value
}
