package plan

import (
	"encoding/json"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// Request is what a plan is made from.
type Request struct {
	Mode Mode
	// Objects of the configuration, each after those that it depends on.
	Objects []*providers.Object
	// Kind finds the implementation of a kind of block; nil if there is none.
	Kind func(kind string) providers.Kind
	// State is what was recorded; nil for nothing.
	State   *state.State
	Moved   []Moved
	Removed []Removed
	// Targets narrow the plan to these and what they need; none is all.
	Targets []addr.Target
	// Excludes leave these out, and what needs them.
	Excludes []addr.Target
	// Replaces are made anew although they are as wanted.
	Replaces []addr.Target
	// Only narrows the plan to the steps of one operation; empty is all.
	Only string
	// NoRefresh trusts the record and asks nobody.
	NoRefresh  bool
	Outputs    []OutputValue
	Config     ConfigID
	ESDVersion string
	// Said gives what a block says, attribute by attribute, as digests; nil says
	// nothing of any.
	Said func(addr.Address) map[string]string
	// CPUs and Memory are what the run may use, for the forecast.
	CPUs   int
	Memory int64
	// Explain asks for [Plan.Kept] and [Plan.Demands] too.
	Explain bool
}

// Moved says that an object has a new address.
type Moved struct{ From, To addr.Target }

// Removed says what becomes of an object whose block is gone.
type Removed struct {
	From    addr.Target
	Destroy bool
}

// OutputValue is the value of an output as far as it is known.
type OutputValue struct {
	Name        string
	Type, Value json.RawMessage
	Unknown     bool
	Sensitive   bool
}

// settings offers the objects of settings kinds to the providers.
type settings struct {
	byKind map[string][]*providers.Object
}

func (s settings) ByKind(kind string) []*providers.Object { return s.byKind[kind] }

// NewSettings collects the settings of the root module from all objects.
func NewSettings(objects []*providers.Object) providers.Setting {
	s := settings{map[string][]*providers.Object{}}
	for _, o := range objects {
		if o.Key == "" && o.Address.Module == "" {
			s.byKind[o.Kind] = append(s.byKind[o.Kind], o)
		}
	}
	for _, list := range s.byKind {
		sortObjects(list)
	}
	return s
}
