package compare

// Difference is what is different between two inventories. Equal inventories
// give equal differences, in equal order.
type Difference struct {
	From, To Side
	// Groups are those that were compared, sorted by address.
	Groups  []*GroupDifference
	Notes   []string
	Summary Summary
}

// Side is one of the two.
type Side struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
}

// Summary counts packages and facts. A package counts once.
type Summary struct {
	Added   int `json:"added"`
	Removed int `json:"removed"`
	Changed int `json:"changed"`
	// Rebuilt are packages of the same spec that are other builds, because
	// something below them changed.
	Rebuilt int `json:"rebuilt"`
	Same    int `json:"same"`
	// Specs and Facts count what was asked for and what is not a package.
	Specs int `json:"specs"`
	Facts int `json:"facts"`
}

// GroupDifference is what is different in one group of packages.
type GroupDifference struct {
	Kind GroupKind
	// From and To are addresses. HasFrom and HasTo tell on which sides the
	// group is.
	From, To       string
	HasFrom, HasTo bool
	// SpecsAdded and SpecsRemoved are what is asked for.
	SpecsAdded, SpecsRemoved []string
	Facts                    []FactChange
	// Changed are packages that changed themselves, those that were asked for
	// first, then by name.
	Changed []Change
	// Common are changes that many packages have in common. What changed about
	// a package beside that is in Changed too.
	Common         []CommonChange
	Added, Removed []*Package
	// Rebuilt are packages that are other builds of the same, by cause, the
	// cause of most first.
	Rebuilt []Rebuilt
	Summary Summary
}

// Empty reports whether nothing is different.
func (g *GroupDifference) Empty() bool {
	s := g.Summary
	return s.Added+s.Removed+s.Changed+s.Rebuilt+s.Specs+s.Facts == 0 && g.HasFrom == g.HasTo
}

// Empty reports whether nothing is different.
func (d *Difference) Empty() bool {
	for _, g := range d.Groups {
		if !g.Empty() {
			return false
		}
	}
	return true
}

// FactChange is a fact that is another one now. One of the two may be nil.
type FactChange struct {
	Kind, Name string
	From, To   *Fact
}

// Change is a package that changed itself.
type Change struct {
	From, To *Package
	// Fields are what changed; what many packages have in common is left out.
	Fields []Field
}

// Asked tells that the package is asked for on either side.
func (c Change) Asked() bool { return c.From.Asked || c.To.Asked }

// CommonChange is a change that many packages have in common.
type CommonChange struct {
	Field Field
	// Packages are sorted by name.
	Packages []*Package
	// Alone counts those of which nothing else changed.
	Alone int
}

// Rebuilt are packages that are other builds only because of what they depend
// on.
type Rebuilt struct {
	// Cause is what changed; nil where that is not known.
	Cause *Change
	// Packages are as they are now, sorted by name.
	Packages []*Package
}

// FieldKind is a kind of change of a package.
type FieldKind string

// The kinds of changes, in the order in which they are told.
const (
	VersionField    FieldKind = "version"
	VariantField    FieldKind = "variant"
	CompilerField   FieldKind = "compiler"
	TargetField     FieldKind = "target"
	OSField         FieldKind = "os"
	PlatformField   FieldKind = "platform"
	DependencyField FieldKind = "dependency" // Name is that of a virtual package, or of what is needed now or no more
	UseField        FieldKind = "use"        // what the dependency Name is needed for
	ExternalField   FieldKind = "external"
	NamespaceField  FieldKind = "namespace"
	PatchesField    FieldKind = "patches"
	RecipeField     FieldKind = "recipe"
	InputField      FieldKind = "input"
	ActionField     FieldKind = "action" // what a plan does
)

// Field is one thing that changed about a package. From or To is empty where
// there was or is none; both are where only that it changed is known.
type Field struct {
	Kind FieldKind `json:"kind"`
	Name string    `json:"name,omitempty"`
	From string    `json:"from,omitempty"`
	To   string    `json:"to,omitempty"`
}

// Present stands for the content of an input that is known by a digest only,
// where the other side has none.
const Present = "present"
