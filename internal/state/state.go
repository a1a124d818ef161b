// Package state holds what esd recorded about the objects it manages: the
// document, its file format, its migrations, and the edits that `esd state`
// makes to it.
//
// The state is an index, not the truth: caches and registries say what exists,
// content keys say what is equal. So the document is small (direct dependencies
// only, no sensitive value, no copy of the configuration) and one object stands
// on one line, so that two versions of it can be compared with any diff tool.
//
// Where a state is kept is the business of the packages below backend; the
// record of a run that has not reached the state yet is that of journal.
package state

import (
	"bytes"
	"maps"
	"slices"
)

// FormatVersion is the version of the file format that this package writes. A
// field may be added without a new version (an older esd carries it along
// untouched); a field that changes its meaning or goes away needs one.
const FormatVersion = 1

// State is one version of the recorded state. It is not safe for concurrent
// change; the coordinator of a run owns it.
type State struct {
	// ESDVersion is the version of the esd that wrote the document.
	ESDVersion string
	// Lineage is a UUID drawn when the state was first made. Two states of
	// different lineage have nothing to do with each other.
	Lineage string
	// Serial grows with every version that is written.
	Serial int64
	// Objects has one entry for each object, by address. An object is not
	// changed once it is here (clones of the state share it): replace it.
	Objects map[string]*Object
	// Caches is what was last seen of each cache, by address of its block.
	Caches map[string]CacheSeen
	// Durations is what finished steps took, by package or recipe. The name is
	// the caller's; it need not be an address.
	Durations map[string]Duration
	// Outputs are the values of the output blocks, by name.
	Outputs map[string]Output

	extra        map[string]any
	migrated     bool
	migratedFrom int
}

// Object is what is recorded about one object (an instance of a block).
type Object struct {
	// Address is where the object stands, such as target.image.lab["zen3"].
	Address string
	// Kind is the kind of its block: "recipe", "target.image".
	Kind string
	// Key is its content key, 64 lower-case hexadecimal digits (sha256).
	Key string
	// Attributes are small facts about the result: prefix, digest, size. They
	// hold what JSON can hold; numbers come back as json.Number. They must
	// never hold a sensitive value.
	Attributes Attributes
	// Inputs is what the key was made of, input name to a short digest of it,
	// so that a plan can name the input that changed.
	Inputs map[string]string
	// Dependencies are the addresses this object needs directly, sorted.
	Dependencies []string
	// Tainted objects are to be made anew although their key is right.
	Tainted bool
	// PreventDestroy repeats the setting of the block, so that deleting the
	// block does not take its protection away.
	PreventDestroy bool
	// When is the time of the last change, RFC 3339 in UTC.
	When string

	extra map[string]any
}

// CacheSeen is what was last seen of one cache.
type CacheSeen struct {
	// Location is the URL or path at which the cache was read.
	Location string
	// Revision tells versions of its index apart (an ETag, a digest).
	Revision string
	// Entries are the ones that matter to this configuration: name or content
	// key to digest.
	Entries map[string]string
}

// Duration is what a finished step took.
type Duration struct {
	// Seconds of wall-clock time.
	Seconds float64 `json:"seconds"`
	// PeakMemory in bytes, 0 when it was not measured.
	PeakMemory int64 `json:"peak_memory,omitempty"`
	// Size of the product in bytes, 0 when it was not measured.
	Size int64 `json:"size,omitempty"`
}

// Header is the part of a state that decides whether one state may follow
// another.
type Header struct {
	FormatVersion int
	ESDVersion    string
	Lineage       string
	Serial        int64
}

// New returns an empty state of a new version line. Its serial is 0: nothing
// was written yet.
func New(lineage, esdVersion string) *State {
	return &State{
		ESDVersion: esdVersion,
		Lineage:    lineage,
		Objects:    map[string]*Object{},
		Caches:     map[string]CacheSeen{},
		Durations:  map[string]Duration{},
		Outputs:    map[string]Output{},
	}
}

// Header returns the header of the state.
func (s *State) Header() Header {
	return Header{FormatVersion: FormatVersion, ESDVersion: s.ESDVersion, Lineage: s.Lineage, Serial: s.Serial}
}

// MigratedFrom returns the format version that the document was read in and
// true when that was not FormatVersion.
func (s *State) MigratedFrom() (int, bool) { return s.migratedFrom, s.migrated }

// Clone returns a copy whose maps can be changed without changing s. The
// objects themselves are shared.
func (s *State) Clone() *State {
	c := *s
	c.Objects = cloneMap(s.Objects)
	c.Caches = cloneMap(s.Caches)
	c.Durations = cloneMap(s.Durations)
	c.Outputs = cloneMap(s.Outputs)
	c.extra = maps.Clone(s.extra)
	return &c
}

func cloneMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// Get returns the object at an address, nil when there is none.
func (s *State) Get(address string) *Object { return s.Objects[address] }

// Put records an object, in place of the one at the same address if there is
// one. Its dependencies are sorted.
func (s *State) Put(o *Object) {
	if s.Objects == nil {
		s.Objects = map[string]*Object{}
	}
	o.Dependencies = sortedSet(o.Dependencies)
	s.Objects[o.Address] = o
}

// Addresses returns the addresses of all objects, sorted.
func (s *State) Addresses() []string { return slices.Sorted(maps.Keys(s.Objects)) }

// Equal reports whether the two states record the same, header included.
func (s *State) Equal(t *State) bool {
	if s == nil || t == nil {
		return s == t
	}
	return s.Header() == t.Header() && s.SameContent(t)
}

// SameContent reports whether the two states record the same objects, caches,
// durations and outputs. A run that changed nothing need not write.
func (s *State) SameContent(t *State) bool {
	a, errA := encodeBody(s)
	b, errB := encodeBody(t)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// Equal reports whether the two objects are recorded in the same way.
func (o *Object) Equal(p *Object) bool {
	if o == nil || p == nil {
		return o == p
	}
	a, errA := o.MarshalJSON()
	b, errB := p.MarshalJSON()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func sortedSet(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	if isSortedSet(list) {
		return list
	}
	sorted := slices.Clone(list)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func isSortedSet(list []string) bool {
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			return false
		}
	}
	return true
}
