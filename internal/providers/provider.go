// Package providers is the contract between the planner and the kinds of
// block, and nothing else: what a kind must be able to do so that its blocks
// can be planned and applied. Each provider has a folder below this one; the
// table of them is in package registry.
//
// A provider never decides whether its object must change. It says what the
// identity of the object is ([Kind.Resolve]), what exists ([Provider.Observe])
// and which steps would bring about the forms of it that somebody needs
// ([Provider.Plan]); the planner compares and chooses.
package providers

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/schema"
	"esd/internal/state"
)

// Form is a shape in which somebody can need an object. Demand for forms
// travels from targets backward; a form that nobody needs is not made.
type Form string

// The forms that exist.
const (
	// Archive is the product of a package, in a cache.
	Archive Form = "archive"
	// Installed is a package unpacked at its prefix on this machine, together
	// with the packages that it needs itself.
	Installed Form = "installed"
	// Cached is an environment of which every package that is needed to run it
	// is in a cache.
	Cached Form = "cached"
	// Published is a target at all its destinations.
	Published Form = "published"
)

// Kind serves one kind of block. A kind that is no [Provider] has nothing to
// plan: it only carries settings (cache, site, executor).
type Kind interface {
	// Schema describes the block. The same value is returned each time.
	Schema() *schema.Block
	// Resolve computes the identity of an object. It reads local files only,
	// never the network, and writes nothing; it is called once for each
	// object, after the objects that it depends on.
	Resolve(ctx context.Context, req ResolveRequest) (*Object, hcl.Diagnostics)
}

// Provider serves a kind of block that has something to plan and to apply.
type Provider interface {
	Kind
	// DefaultForm is the form in which an object of this kind is needed when
	// it is a toplevel of the deployment.
	DefaultForm() Form
	// Observe tells what exists of the objects, asking no more than is needed
	// to plan. The objects stand in dependency order. Objects of which nothing
	// exists may be left out. An error means that it could not be found out.
	Observe(ctx context.Context, req ObserveRequest) (map[addr.Address]Observation, error)
	// Plan gives the steps that make the forms which are needed. It is a pure
	// function of the request.
	Plan(req PlanRequest) (Planned, error)
	// PlanDestroy gives the steps that remove what the record says exists. It
	// is pure. No steps means that forgetting the record is all.
	PlanDestroy(req DestroyRequest) ([]Step, error)
	// Apply runs one step. It is idempotent: running a step twice does no harm
	// and gives the same result; a step that was killed can be run again.
	Apply(ctx context.Context, run Run) (Result, error)
}

// Claimer is implemented by providers whose objects stand in places that only
// one object can have: the tag under which an image is published. The planner
// refuses configurations in which two objects claim the same.
type Claimer interface {
	// Claims names the places of an object in words. It is pure.
	Claims(*Object) []string
}

// Unrecorded is implemented by providers whose objects are not kept in the
// state: the concrete packages of environments, of which there are hundreds,
// which change with each lock, and of which the caches tell all.
type Unrecorded interface {
	// Unrecorded says nothing more.
	Unrecorded()
}

// Reuser is implemented by providers some of whose steps make anew what exists
// already.
type Reuser interface {
	// Reuse gives the spec of a step that uses what exists: what was to be made
	// anew was made since the step was planned. It is pure.
	Reuse(op string, spec json.RawMessage) (json.RawMessage, error)
}

// Finisher is implemented by providers that have something to do once when a run
// ends, however it ends: what is a help for others, and not needed for what was
// made to be there.
type Finisher interface {
	Finish(ctx context.Context) error
}

// ResolveRequest asks for the identity of one object.
type ResolveRequest struct {
	Address      addr.Address
	Config       cty.Value // typed by the schema, wholly known, unmarked
	Dependencies []addr.Address
	ModuleDir    string // what relative paths are relative to
	Range        hcl.Range
	// AttributeRange is where an attribute stands, for diagnostics.
	AttributeRange func(path ...string) hcl.Range
	// Object finds a dependency by its address; nil if it could not be
	// resolved.
	Object func(addr.Address) *Object
	// Pins is what `esd lock` resolved.
	Pins Pins
	// Recorded is what the state says of this object; nil if nothing.
	Recorded *state.Object
	// Part finds a part that another object brought along, by its content key;
	// nil if there is none.
	Part func(key string) *Object
}

// Pins gives what was mutable and is pinned by the lock file.
type Pins interface {
	// Image is the digest that a base image's reference was resolved to.
	Image(reference, platform string) (digest string, ok bool)
	// Commit is the commit that a ref of a git repository was resolved to.
	Commit(repository, ref string) (commit string, ok bool)
	// Environment is what an environment was concretized from and to.
	Environment(address string) (LockedEnvironment, bool)
}

// LockedEnvironment says what an environment was concretized from, input by
// input, and to what.
type LockedEnvironment struct {
	// Specs are those asked for. Spack, Config and From are digests; empty for
	// an input that there is not.
	Specs               []string
	Spack, Config, From string
	// SHA256 is that of the spack.lock.
	SHA256 string
}

// Locker is implemented by providers whose objects are pinned not by a look
// at something, but by running it: `esd lock` calls it.
type Locker interface {
	// Lock computes what pins an object. It writes nothing beside the
	// configuration; the caller does when the user agrees.
	Lock(ctx context.Context, req LockRequest) (Locked, error)
}

// LockRequest asks for what pins one object.
type LockRequest struct {
	Object *Object
	Lookup func(addr.Address) *Object
	// Upgrade asks for it anew even where the lock fits its inputs.
	Upgrade bool
	// Adopt takes the lock that stands there, if it has what the inputs ask for.
	Adopt bool
	// Log receives what is said meanwhile.
	Log io.Writer
}

// Locked is what pins an object.
type Locked struct {
	// Unchanged tells that the lock fits; nothing else is set then.
	Unchanged bool
	// Path is the file to write, absolute, and Content what to write; nil to
	// leave the file as it is.
	Path    string
	Content []byte
	// Environment is what the lock file keeps of it.
	Environment LockedEnvironment
	// Changes says in words what is different from before, a line each.
	Changes []string
}

// Pin is something mutable that a configuration names and `esd lock` has to
// resolve.
type Pin struct {
	Image, Platform string // a base image, or
	Repository, Ref string // a ref of a git repository

	// Fetch, PlainHTTP and CAFile tell how the image is reached: its reference
	// with a layout by absolute path, and what its target says of registries.
	// They are not part of what the lock file pins.
	Fetch     string
	PlainHTTP bool
	CAFile    string
}

// Identity is the pin without the way to reach it: what the lock file holds.
func (p Pin) Identity() Pin {
	return Pin{Image: p.Image, Platform: p.Platform, Repository: p.Repository, Ref: p.Ref}
}

// Object is one block instance with its identity.
type Object struct {
	Address addr.Address
	Kind    string
	// Key is the content key: objects with the same key are interchangeable.
	// Empty for kinds that only carry settings.
	Key string
	// Inputs is what the key was made of, in the order in which a difference
	// is worth telling.
	Inputs []Input
	// Attributes is what references to the object see: an object value with
	// at least `address`.
	Attributes   cty.Value
	Dependencies []addr.Address
	// Needs are the dependencies that Plan asks for by itself, in the forms that
	// it needs. Making the object waits for the others too: for what depends_on
	// names, and what is only mentioned.
	Needs          []addr.Address
	PreventDestroy bool
	Range          hcl.Range
	// Title is a short human name: "greet 1.2.0".
	Title string
	// Spec is the provider's own decoded form of the configuration.
	Spec any
	// Unpinned lists what must be locked before this object can be planned;
	// its Key is then not valid.
	Unpinned []Pin
	// Unlocked says why the object cannot be planned before `esd lock` has run;
	// empty if it can.
	Unlocked string
	// Pins lists everything mutable that the object names, pinned or not.
	Pins []Pin
	// Asked tells of a part that it was asked for by itself, not only because
	// other parts need it.
	Asked bool
	// Parts are objects that this one brings along, dependencies first: the
	// concrete packages of an environment. They are planned like any other and
	// stand before it.
	Parts []*Object
}

// Input is one named thing that a content key was made of.
type Input struct {
	// Name says in words what it is: "script", "source file src/a.c",
	// "recipe.libgreet".
	Name string
	// Text is the content itself where it is short enough to be shown
	// ("version 1.2.0 → 1.3.0"), else 16 digits of its digest: enough to see
	// that it changed.
	Text string
	// Shown tells that Text is the content.
	Shown bool
	// Object tells that the input is the key of another object, whose address
	// is the name.
	Object bool
}

// Recorded is how an input is kept in records: `=content`, or a digest.
func (in Input) Recorded() string {
	if in.Shown {
		return "=" + in.Text
	}
	return in.Text
}

// Setting finds the objects of settings kinds (caches, executors).
type Setting interface {
	// ByKind lists the objects of a kind in the root module, sorted by name.
	ByKind(kind string) []*Object
}

// ObserveRequest asks what exists.
type ObserveRequest struct {
	Objects  []*Object
	Recorded func(addr.Address) *state.Object
	Settings Setting
}

// Observation is what exists of one object.
type Observation struct {
	// Forms tells which forms of the desired key exist, and where.
	Forms map[Form]string
	// Key is the content key of what exists at the place where the object
	// would be (a published tag); empty when nothing is there or when what is
	// there was not made by esd.
	Key string
	// Exists tells that something stands at the object's place.
	Exists bool
	// Attributes are recorded when the object is adopted as it is.
	Attributes map[string]any
	// Note says in words how what exists is as wanted: "all 101 packages are in
	// its build caches"; empty where there is nothing to say.
	Note string
	// Problem says in words how what exists differs from what is desired or
	// recorded: "registry.example.org/lab:1 points to sha256:…".
	Problem string
	// NotDrift tells that the problem is none that somebody else made: the
	// object was never brought to where it is missing.
	NotDrift bool
	// Data is for the provider's Plan.
	Data any
}

// PlanRequest asks for the steps for one object.
type PlanRequest struct {
	Object   *Object
	Prior    *state.Object
	Observed Observation
	// Demand is the set of forms that somebody needs and that must be made:
	// it includes forms that exist when the object is to be replaced.
	Demand   []Form
	Replace  bool
	Settings Setting
	Recorded func(addr.Address) *state.Object
	Lookup   func(addr.Address) *Object
	// Observation finds what is known of another object; false when it was
	// not asked.
	Observation func(addr.Address) (Observation, bool)
}

// Demands reports whether form is demanded.
func (r *PlanRequest) Demands(form Form) bool {
	for _, f := range r.Demand {
		if f == form {
			return true
		}
	}
	return false
}

// Planned is the answer to a [PlanRequest].
type Planned struct {
	Steps []Step
}

// DestroyRequest asks for the steps that remove one object.
type DestroyRequest struct {
	Address  addr.Address
	Recorded *state.Object
	// Kept are the objects of the same kind that stay: what they share with
	// this one must not be removed.
	Kept []*Object
}

// Need is one form of another object that a step needs.
type Need struct {
	Address addr.Address
	Form    Form
}

// Step is one unit of work as a provider plans it: plain data. The planner
// gives it an identity and turns its needs into edges.
type Step struct {
	// Op says what is done: "build", "fetch", "publish". It is unique among
	// the steps of one object.
	Op string
	// Title says it for people: "build greet 1.2.0".
	Title string
	// After names operations of the same object that must be done first.
	After []string
	Needs []Need
	// Provides are the forms that exist when the step is done.
	Provides []Form
	// Completes tells that the object can be recorded after this step (and
	// all others of the object that complete it).
	Completes bool
	// Resources is what the step occupies while it runs.
	Resources Resources
	// Download and Upload are the bytes that will cross the network, as far
	// as they are known; -1 for unknown.
	Download, Upload int64
	// History names what the step has in common with like ones of other objects,
	// whose durations tell how long it will take: "build nest". Empty for a step
	// that is like none but itself.
	History string
	// Reason says why the step is there, when that is not the reason of the
	// object's action.
	Reason string
	// Spec is all that Apply needs to know. It carries no secret.
	Spec json.RawMessage
}

// Resources is what a step occupies.
type Resources struct {
	CPUs    int           `json:"cpus,omitempty"`    // 0 is 1
	Memory  int64         `json:"memory,omitempty"`  // bytes; 0 is unknown
	Timeout time.Duration `json:"timeout,omitempty"` // nanoseconds; 0 is none
}

// Run is what Apply gets: the step, and the ways to tell what happens.
type Run struct {
	Address addr.Address
	Op      string
	Key     string
	Spec    json.RawMessage
	// CPUs is how many processors the step may use.
	CPUs int
	// Jobs overrides CPUs where a retry uses less; 0 is not set.
	Attempt int
	// Log receives the step's log.
	Log io.Writer
	// Progress tells bytes done of total (0 for unknown), as often as wanted.
	Progress func(done, total int64)
}

// Result is what a step made.
type Result struct {
	// Attributes are recorded of the object, merged over those of its earlier
	// steps.
	Attributes map[string]any
	// Reused tells that there was nothing to do: the product existed already.
	Reused bool
	// PeakMemory in bytes and Bytes of the product, for the forecast; 0 is
	// unknown.
	PeakMemory, Size int64
	// Downloaded and Uploaded are the bytes that crossed the network.
	Downloaded, Uploaded int64
}

// RetryError wraps an error whose cause may go away: the step may be tried
// again.
type RetryError struct {
	Err error
	// OutOfMemory: once more, with half the processors.
	OutOfMemory bool
}

func (e *RetryError) Error() string { return e.Err.Error() }
func (e *RetryError) Unwrap() error { return e.Err }
