package image

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/providers/recipe"
	"esd/internal/spack"
)

// spackLayerVersion is raised whenever the same archive begins to give another
// layer.
const spackLayerVersion = 1

// packageRef is one package of an image, as steps carry it.
type packageRef struct {
	Title string `json:"title"` // the address of a recipe; of others name, version and hash
	// Key is the content key of the layer that has only this package. That of a
	// recipe is the recipe's own: caches hold its product under it.
	Key string `json:"key"`
	// Version is that of a recipe, for what the image says of itself.
	Version string `json:"version,omitempty"`

	// For packages of Spack, what caches have to be asked for, and by which
	// environment; empty for recipes.
	Address     string     `json:"address,omitempty"`
	Hash        spack.Hash `json:"hash,omitempty"`
	Prefix      string     `json:"prefix,omitempty"`
	Environment int        `json:"environment,omitempty"` // place in the image's list
	// Asked tells that an environment asks for it by a spec.
	Asked bool `json:"asked,omitempty"`
}

// packages finds the packages of an image.
type packages struct {
	req     providers.ResolveRequest
	spec    *spec
	key     *providers.KeyBuilder
	diags   hcl.Diagnostics
	taken   map[string]holder // by prefix
	replace []string          // prefixes, and what explains them
	members []member
	hashes  map[string]bool // root and hash of the members
	specs   []spack.Specs   // by environment
	partOf  map[addr.Address]int
}

// holder is who stands at a prefix, and with what content.
type holder struct {
	content, name string
	part          int // place of a recipe in the list of parts
}

// member is a package of an environment.
type member struct {
	environment.Member
	environment int
	asked       bool // by any environment
}

// resolvePackages finds the packages of the image: those that are listed and
// all that they need to run, each once. It also gives what puts their names in
// place of their prefixes.
func resolvePackages(req providers.ResolveRequest, values providers.Values, s *spec, o *providers.Object, key *providers.KeyBuilder) (*strings.Replacer, hcl.Diagnostics) {
	p := &packages{
		req: req, spec: s, key: key, taken: map[string]holder{}, hashes: map[string]bool{}, partOf: map[addr.Address]int{},
	}
	recipes, environments := p.find(values.Addresses("packages"))
	p.addRecipes(recipes)
	for _, e := range environments {
		p.addEnvironment(e)
	}
	p.addMembers()
	p.warnOfNoBase(environments)
	o.Needs = slices.Concat(s.recipes, addressesOf(environments))
	o.Dependencies = slices.Clone(o.Dependencies)
	for _, m := range p.members {
		o.Needs = append(o.Needs, m.Address)
		o.Dependencies = append(o.Dependencies, m.Address)
	}
	if len(s.parts) > maxPackageLayers {
		key.Quiet("layers", layoutVersion)
	}
	return strings.NewReplacer(p.replace...), p.diags
}

// warnOfNoBase says what an image that starts empty will lack.
func (p *packages) warnOfNoBase(environments []*providers.Object) {
	if p.spec.base.Reference != "" {
		return
	}
	var lacks []string
	for _, e := range environments {
		lacks = append(lacks, environment.Provided(e)...)
	}
	slices.Sort(lacks)
	if lacks = slices.Compact(lacks); len(lacks) == 0 {
		return
	}
	rng := p.req.AttributeRange("packages")
	p.diags = append(p.diags, &hcl.Diagnostic{
		Severity: hcl.DiagWarning, Summary: "The image will lack what the system provides",
		Detail: fmt.Sprintf("The packages use %s of the system that they were built on, and the image has no base: its programs will hardly start. "+
			"Give it a base that has the same, such as that system's own image.", strings.Join(lacks, ", ")),
		Subject: &rng,
	})
}

func addressesOf(objects []*providers.Object) []addr.Address {
	list := make([]addr.Address, len(objects))
	for i, o := range objects {
		list[i] = o.Address
	}
	return list
}

// find follows what recipes need. Both lists are in the order of addresses.
func (p *packages) find(listed []addr.Address) (recipes, environments []*providers.Object) {
	seen := map[addr.Address]bool{}
	for stack := listed; len(stack) > 0; {
		a := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		o := p.req.Object(a)
		if seen[a] || o == nil { // one that is missing was reported where it went wrong
			continue
		}
		seen[a] = true
		if r, ok := recipe.SpecOf(o); ok {
			recipes = append(recipes, o)
			stack = append(stack, r.Needs()...)
		} else {
			environments = append(environments, o)
		}
	}
	for _, list := range [][]*providers.Object{recipes, environments} {
		slices.SortFunc(list, func(a, b *providers.Object) int { return addr.Compare(a.Address, b.Address) })
	}
	return recipes, environments
}

func (p *packages) addRecipes(objects []*providers.Object) {
	for _, o := range objects {
		r, _ := recipe.SpecOf(o)
		if i, other := p.partAt(r.Prefix(), o.Key, o.Address.String()); other {
			p.partOf[o.Address] = i // with the same key it is the same package
			continue
		}
		if !runsOn(r.Platform(), p.spec.platform) {
			p.problem("Package for another platform", "The image is for %s, but %s is for %s. Build it there, or set the platform of the image.",
				p.spec.platform, o.Address, r.Platform())
		}
		p.partOf[o.Address] = len(p.spec.parts)
		p.spec.recipes = append(p.spec.recipes, o.Address)
		p.spec.parts = append(p.spec.parts, part{
			packageRef: packageRef{Title: o.Address.String(), Key: o.Key, Version: r.Version()}, address: o.Address, name: o.Address.String(),
		})
		p.key.AddObject(o.Address.String(), o) // the order of layers and their titles follow addresses
		p.replace = append(p.replace, r.Prefix(), o.Address.String())
	}
	for _, o := range objects {
		r, _ := recipe.SpecOf(o)
		part := &p.spec.parts[p.partOf[o.Address]]
		for _, a := range r.Needs() {
			if i, ok := p.partOf[a]; ok {
				part.needs = append(part.needs, i)
			}
		}
	}
}

// partAt reserves a prefix. It tells whether the same package has it already,
// and which part that is; another one is a problem.
func (p *packages) partAt(prefix, content, name string) (int, bool) {
	other, taken := p.taken[prefix]
	if !taken {
		p.taken[prefix] = holder{content, name, len(p.spec.parts)}
		return 0, false
	}
	if other.content != content {
		p.problem("The same package twice", "%s and %s would both stand at %s.", other.name, name, prefix)
	}
	return other.part, true
}

// addEnvironment collects what is needed to run an environment.
func (p *packages) addEnvironment(o *providers.Object) {
	e, ok := environment.Of(o)
	if !ok {
		return // it has no lock: nothing can be planned before it has one
	}
	members, specs, err := environment.Members(o)
	if err != nil {
		p.problem("Packages without a place", "%s: %v.", o.Address, err)
		return
	}
	at := len(p.spec.environments)
	p.spec.environments = append(p.spec.environments, e)
	p.specs = append(p.specs, specs)
	known := make(map[string]int, len(p.members))
	for i, m := range p.members {
		known[m.Prefix] = i
	}
	for _, m := range members {
		if i, same := known[m.Prefix]; same && p.members[i].Spec.Hash == m.Spec.Hash {
			p.members[i].asked = p.members[i].asked || m.Asked
			continue
		}
		name := titleOf(m.Spec) + " of " + o.Address.String()
		if _, other := p.partAt(m.Prefix, string(m.Spec.Hash), name); other {
			continue
		}
		if id := e.Root + "\x00" + string(m.Spec.Hash); p.hashes[id] {
			p.problem("The same package twice", "%s would stand at two places below %s, and Spack knows one place for a package. "+
				"Give the environments the same projection.", name, e.Root)
		} else {
			p.hashes[id] = true
		}
		if a := architecture(m.Spec.Arch); !runsOn(a, p.spec.platform) {
			p.problem("Package for another platform", "The image is for %s, but %s is for %s (%s). Set the platform of the image, or concretize for another target.",
				p.spec.platform, name, a, m.Spec.Arch)
		}
		p.members = append(p.members, member{m, at, m.Asked})
	}
}

// titleOf names a package in layers, the same in all environments.
func titleOf(s *spack.Spec) string { return s.Name + "@" + s.Version + "/" + s.Hash.Short() }

// addMembers enters the packages of all environments, those that somebody asked
// for first: a difference in them is most worth telling.
func (p *packages) addMembers() {
	if len(p.members) == 0 {
		return
	}
	slices.SortFunc(p.members, func(a, b member) int {
		return cmp.Or(boolFirst(a.asked, b.asked), cmp.Compare(a.Spec.Name, b.Spec.Name),
			spack.CompareVersions(a.Spec.Version, b.Spec.Version), cmp.Compare(a.Spec.Hash, b.Spec.Hash), cmp.Compare(a.Prefix, b.Prefix))
	})
	shown := map[string][]string{}
	var names, asked []string
	at := map[string]int{} // by prefix
	for _, m := range p.members {
		name := "package " + m.Spec.Name
		p.key.Quiet(name, string(m.Spec.Hash)+" "+m.Prefix)
		if shown[name] == nil {
			names = append(names, name)
		}
		shown[name] = append(shown[name], environment.Describe(m.Spec))
		if m.asked {
			asked = append(asked, m.Spec.Name)
		}
		at[m.Prefix] = len(p.spec.parts)
		p.spec.parts = append(p.spec.parts, part{packageRef: p.refOf(m), address: m.Address, name: m.Spec.Name})
		p.replace = append(p.replace, m.Prefix, name)
	}
	for _, name := range names {
		p.key.ExplainValue(name, strings.Join(shown[name], ", "))
	}
	for i, m := range p.members {
		part := &p.spec.parts[len(p.spec.parts)-len(p.members)+i]
		for _, e := range m.Spec.Dependencies { // the hash covers all kinds of them
			if j, ok := at[p.prefixOf(m, e.Hash)]; ok {
				part.needs = append(part.needs, j)
			}
		}
	}
	t, err := newTrees(p.spec.environments, p.specs, p.refs())
	if err != nil {
		p.problem("Packages without a common place", "%v.", err)
		return
	}
	p.spec.trees = t.key(p.spec.compression)
	p.key.AddExplained("packages that were asked for", p.spec.trees, strings.Join(slices.Compact(slices.Sorted(slices.Values(asked))), " "))
}

func boolFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// prefixOf is where a package stands that another one of an environment names;
// empty for what is not in the environment or comes from the system.
func (p *packages) prefixOf(m member, h spack.Hash) string {
	s := p.specs[m.environment][h]
	if s == nil || s.External != nil {
		return ""
	}
	prefix, _ := prefixIn(p.spec.environments[m.environment], s, p.specs[m.environment])
	return prefix
}

// refOf is a member as steps carry it. Its layer depends on the package, where
// it stands, and where the packages stand that it refers to: by root and
// projection.
func (p *packages) refOf(m member) packageRef {
	e := p.spec.environments[m.environment]
	key := providers.NewKey("spack layer", spackLayerVersion)
	key.Quiet("hash", string(m.Spec.Hash))
	key.Quiet("prefix", m.Prefix)
	key.Quiet("root", e.Root)
	key.Quiet("projection", string(e.Projection))
	key.Quiet("compression", p.spec.compression)
	sum, _ := key.Sum()
	return packageRef{
		Title: titleOf(m.Spec), Key: sum, Address: m.Address.String(), Hash: m.Spec.Hash, Prefix: m.Prefix, Environment: m.environment, Asked: m.asked,
	}
}

// refs are the packages of all environments.
func (p *packages) refs() []packageRef {
	var list []packageRef
	for _, part := range p.spec.parts {
		if part.Hash != "" {
			list = append(list, part.packageRef)
		}
	}
	return list
}

func (p *packages) problem(summary, format string, args ...any) {
	p.diags = append(p.diags, problem(p.req, summary, fmt.Sprintf(format, args...), "packages"))
}

// runsOn reports whether what is good for a platform (linux/amd64/debian-12) can
// be in an image for another (linux/amd64, linux/arm64/v8): system and
// architecture must be the same.
func runsOn(product, image string) bool {
	p, i := strings.SplitN(product, "/", 3), strings.SplitN(image, "/", 3)
	return len(p) < 2 || len(i) < 2 || p[0] == i[0] && (p[1] == i[1] || p[1] == "")
}

// families are the names that OCI has for what Spack's microarchitectures are
// compatible with (archspec's microarchitectures.json).
func families() map[string][]string {
	return map[string][]string{
		"amd64": {
			"x86_64", "nocona", "core2", "nehalem", "westmere", "sandybridge", "ivybridge", "haswell", "broadwell", "skylake", "mic_knl",
			"cannonlake", "cascadelake", "icelake", "sapphirerapids", "k10", "bulldozer", "piledriver", "steamroller", "excavator", "zen",
		},
		"arm64":   {"aarch64", "armv8", "armv9", "thunderx2", "a64fx", "cortex_a72", "neoverse", "graviton", "m1", "m2", "m3", "m4"},
		"ppc64le": {"ppc64le", "power8le", "power9le", "power10le"},
		"riscv64": {"riscv64", "u74mc"},
		"386":     {"x86", "i686", "pentium2", "pentium3", "pentium4", "prescott"},
	}
}

// architecture is the platform of a package as OCI names it, without an
// architecture for a target that is not known.
func architecture(a spack.Arch) string {
	best, found := "", ""
	all := families()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, target := range all[name] {
			if strings.HasPrefix(a.Target, target) && len(target) > len(found) {
				best, found = name, target
			}
		}
	}
	return a.Platform + "/" + best
}
