// Package plan decides what has to be done: from the objects of a
// configuration, the recorded state and what was observed, to a [Plan], which
// is plain data and says all that applying it needs.
//
// Demand goes backward and work goes forward. The planner starts at the
// toplevels that must change and asks each object only for the forms that
// somebody needs; an object that nobody needs in any form is not even looked
// up. Planning writes nothing.
package plan

import (
	"cmp"
	"encoding/json"

	"esd/internal/providers"
)

// FormatVersion is the version of the plan file. A field may be added under
// the same version; one that changes its meaning or goes away needs a new one.
const FormatVersion = 2

// Mode tells what a plan is for.
type Mode string

// The modes of planning.
const (
	// Apply makes what is there match the configuration.
	Apply Mode = "apply"
	// Destroy removes everything that is recorded.
	Destroy Mode = "destroy"
	// RefreshOnly makes the record match what is there.
	RefreshOnly Mode = "refresh-only"
)

// Action is what happens to one object.
type Action string

// The actions, from the most to the least that they do.
const (
	Build   Action = "build"   // a package is made from its sources
	Fetch   Action = "fetch"   // a package is taken from a cache
	Push    Action = "push"    // a package that exists goes to a cache that lacks it
	Create  Action = "create"  // a target does not exist yet
	Update  Action = "update"  // a target exists and differs
	Remove  Action = "destroy" // what exists is removed
	Forget  Action = "forget"  // the record is removed, nothing else
	Adopt   Action = "adopt"   // what exists is as wanted: it is recorded
	Refresh Action = "refresh" // the record is made to match what exists
	Move    Action = "move"    // the record gets another address
	NoOp    Action = "no-op"   // all is as wanted
)

// Plan is everything that will happen, and why.
type Plan struct {
	FormatVersion int    `json:"format_version"`
	ESDVersion    string `json:"esd_version"`
	Mode          Mode   `json:"mode"`
	// Config is what the plan was made from.
	Config ConfigID `json:"config"`
	// State is the version of the state that the plan was made against.
	State StateID `json:"state"`
	// Changes has one entry for each object with an action other than no-op,
	// sorted by address.
	Changes []Change `json:"changes"`
	// Steps is the work, dependencies first.
	Steps []Step `json:"steps"`
	// Outputs are the outputs that change.
	Outputs []OutputChange `json:"outputs,omitempty"`
	// Warnings are worth reading before saying yes.
	Warnings []string `json:"warnings,omitempty"`
	Summary  Summary  `json:"summary"`
	Forecast Forecast `json:"forecast"`
	// Selection is how the plan was narrowed, for the reader.
	Selection Selection `json:"selection,omitzero"`
	// Basis is what the steps rest on beside what the changes name.
	Basis *Basis `json:"basis,omitempty"`
	// Kept are the objects that are needed and stay as they are, if the
	// request asked for them. They are no part of a saved plan.
	Kept []Kept `json:"-"`
	// Demands tell who needs what in which form, if the request asked for them.
	// They are no part of a saved plan.
	Demands []Demand `json:"-"`
}

// ConfigID identifies a configuration by what it means: a comment or a moved
// block does not change it.
type ConfigID struct {
	// Path is what was given on the command line. A relative one begins at the
	// working directory; in a saved plan, at the directory of its file, so that
	// the two can be taken elsewhere together: to another job of a pipeline.
	Path string `json:"path"`
	// Dir is the directory of the configuration, an absolute path. It is no part
	// of a document.
	Dir string `json:"-"`
	// Name is the name of the directory or, without .hcl, of the file.
	Name string `json:"name,omitempty"`
	// Digest covers addresses and content keys of all objects, and the
	// outputs.
	Digest string `json:"digest"`
	// Variables are the values given on the command line, none sensitive, so
	// that the configuration can be evaluated again.
	Variables []string `json:"variables,omitempty"`
	// Withheld names the variables whose values were given on the command line
	// and are sensitive: they must be given again.
	Withheld []string `json:"withheld_variables,omitempty"`
	// VarFiles are paths as Path is.
	VarFiles []string `json:"var_files,omitempty"`
}

// StateID identifies one version of a state. Lineage is empty where no state
// existed.
type StateID struct {
	Lineage string `json:"lineage"`
	Serial  int64  `json:"serial"`
}

// Selection is how a plan was narrowed by the user.
type Selection struct {
	Targets   []string `json:"targets,omitempty"`
	Excludes  []string `json:"excludes,omitempty"`
	Replaces  []string `json:"replaces,omitempty"`
	NoRefresh bool     `json:"no_refresh,omitempty"`
	// Only is the operation that the plan was narrowed to.
	Only string `json:"only,omitempty"`
}

// Change is what happens to one object.
type Change struct {
	Address string `json:"address"`
	Kind    string `json:"kind"`
	Title   string `json:"title,omitempty"`
	Action  Action `json:"action"`
	// From is the address that the object had before, for a moved one.
	From string `json:"from,omitempty"`
	// Reason says in words why: the first input that differs.
	Reason string `json:"reason"`
	// Causes are all inputs that differ, in words.
	Causes []string `json:"causes,omitempty"`
	// Cause is the address of the object whose change is the reason, if one
	// is.
	Cause string `json:"cause,omitempty"`
	// Asked tells that a package was asked for by itself, not only because
	// others need it.
	Asked bool `json:"asked,omitempty"`
	// NeededBy is an object that needs this one, for a package.
	NeededBy string `json:"needed_by,omitempty"`
	// Drift tells that what exists is not what was recorded.
	Drift    bool   `json:"drift,omitempty"`
	Key      string `json:"key,omitempty"`
	PriorKey string `json:"prior_key,omitempty"`
	// Prior is what was recorded of an object that is updated.
	Prior map[string]any `json:"prior,omitempty"`
	// Attributes is what is known of the object before it is made.
	Attributes map[string]any `json:"attributes,omitempty"`
	// Unknown names the attributes that are known only after apply.
	Unknown []string `json:"unknown,omitempty"`
	// Record is what the state will say of the object; nil for one that goes.
	Record *Record `json:"record,omitempty"`
	// Basis is what the decision rested on; nil for nothing recorded.
	Basis *ChangeBasis `json:"basis,omitempty"`
}

// Record is what the state will say of an object, beside what its steps find
// out.
type Record struct {
	Inputs         map[string]string `json:"inputs,omitempty"`
	Dependencies   []string          `json:"dependencies,omitempty"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
	Attributes     map[string]any    `json:"attributes,omitempty"`
}

// Step is one unit of work: plain data that can be run here or elsewhere.
type Step struct {
	// ID is the address of the object and the operation: `recipe.greet#build`.
	ID      string `json:"id"`
	Address string `json:"address"`
	Kind    string `json:"kind"`
	Op      string `json:"op"`
	Title   string `json:"title"`
	Key     string `json:"key"`
	Reason  string `json:"reason"`
	// Needs are the steps that must be done before.
	Needs []string `json:"needs,omitempty"`
	// Completes tells that the object is recorded when this step (and all
	// others of the object that complete it) is done.
	Completes bool                `json:"completes,omitempty"`
	Resources providers.Resources `json:"resources,omitzero"`
	// Download and Upload are bytes; -1 is unknown.
	Download int64 `json:"download"`
	Upload   int64 `json:"upload"`
	// Seconds is how long the step took when it was last done; -1 is unknown.
	Seconds float64 `json:"seconds"`
	// PeakMemory is what it took then, and Size that of its product, in bytes; 0
	// is unknown.
	PeakMemory int64 `json:"peak_memory,omitempty"`
	Size       int64 `json:"size,omitempty"`
	// History is under what the duration is recorded, where that is not the ID:
	// see [providers.Step].
	History string          `json:"history,omitempty"`
	Spec    json.RawMessage `json:"spec,omitempty"`
}

// DurationKey is under what the duration of the step is recorded.
func (s Step) DurationKey() string { return cmp.Or(s.History, s.ID) }

// OutputChange is an output whose value changes.
type OutputChange struct {
	Name      string          `json:"name"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Unknown   bool            `json:"after_unknown,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
	Removed   bool            `json:"removed,omitempty"`
}

// Summary counts the actions: what is done to packages, what is done to
// targets, and what is only a matter of the record.
type Summary struct {
	Build int `json:"build"`
	Fetch int `json:"fetch"`
	// Reused is the number of packages that are in a cache already, those among
	// them that are recorded for the first time (adopted) too.
	Reused int `json:"reused"`
	// Push is the number of packages that a cache has and another one gets.
	Push    int `json:"push,omitempty"`
	Create  int `json:"create"`
	Update  int `json:"update"`
	Destroy int `json:"destroy"`
	// Adopt is the number of targets that exist as wanted and are recorded.
	Adopt   int `json:"adopt,omitempty"`
	Forget  int `json:"forget,omitempty"`
	Refresh int `json:"refresh,omitempty"`
	Move    int `json:"move,omitempty"`
	// Unchanged is the number of targets that are as wanted.
	Unchanged int `json:"unchanged,omitempty"`
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool {
	return len(p.Changes) == 0 && len(p.Steps) == 0 && len(p.Outputs) == 0
}

// Change finds the change of an object.
func (p *Plan) Change(address string) (Change, bool) {
	for _, c := range p.Changes {
		if c.Address == address {
			return c, true
		}
	}
	return Change{}, false
}
