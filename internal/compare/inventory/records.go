package inventory

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/spack"
)

// record is an object as a state records it, or as a plan says that it will
// be recorded.
type record struct {
	address addr.Address
	inputs  map[string]string
	needs   []string
	version string
	key     string
	action  string
	asked   bool
	places  []string
	digest  string
}

// records builds groups from objects.
type records struct {
	objects  map[string]*record // by address
	groups   map[string]*compare.Group
	packages map[string]*compare.Package // by address
}

const (
	kindRecipe  = "recipe"
	recipeGroup = "recipes" // no address is written so
	// recordedKey is how much of the key of another object is recorded as an
	// input, in hexadecimal digits.
	recordedKey = 16
)

// groupsOf sorts objects into groups.
func groupsOf(list []*record) []*compare.Group {
	r := &records{objects: map[string]*record{}, groups: map[string]*compare.Group{}, packages: map[string]*compare.Package{}}
	for _, o := range list {
		r.objects[o.address.String()] = o
	}
	for _, o := range list {
		switch {
		case o.address.Package != "":
			r.concrete(o.address)
		case o.address.Kind == kindRecipe:
			r.recipe(o)
		}
	}
	for _, o := range list {
		switch {
		case o.address.Kind == "environment" && o.address.Package == "":
			g := r.group(compare.Environment, o.address.String())
			r.contents(g, o)
			g.Contains = nil
		case strings.HasPrefix(o.address.Kind, "target."):
			r.target(o)
		}
	}
	var groups []*compare.Group
	for _, key := range slices.Sorted(maps.Keys(r.groups)) {
		g := r.groups[key]
		slices.SortFunc(g.Packages, func(a, b *compare.Package) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), spack.CompareVersions(a.Version, b.Version), strings.Compare(a.ID, b.ID))
		})
		groups = append(groups, g)
	}
	return groups
}

func (r *records) group(kind compare.GroupKind, address string) *compare.Group {
	g := r.groups[address]
	if g == nil {
		g = &compare.Group{Kind: kind, Address: address, RunOnly: kind == compare.Environment}
		r.groups[address] = g
	}
	return g
}

// concrete gives the package of an environment that has an address.
func (r *records) concrete(a addr.Address) *compare.Package {
	written := a.String()
	if p := r.packages[written]; p != nil {
		return p
	}
	p := titled(a.Package)
	r.packages[written] = p
	g := r.group(compare.Environment, a.Whole().String())
	g.Packages = append(g.Packages, p)
	if o := r.objects[written]; o != nil {
		p.Action, p.Asked = o.action, o.asked
		p.Needs = edges(o.needs)
	}
	return p
}

// edges are dependencies on packages of environments.
func edges(addresses []string) []spack.Edge {
	var list []spack.Edge
	for _, written := range addresses {
		if a, err := addr.Parse(written); err == nil && a.Package != "" {
			p := titled(a.Package)
			list = append(list, spack.Edge{Name: p.Name, Hash: spack.Hash(p.ID)})
		}
	}
	return list
}

// titled reads a package that is written as name@version/hash.
func titled(title string) *compare.Package {
	p := &compare.Package{Name: title}
	if i := strings.LastIndexByte(title, '/'); i >= 0 {
		p.Name, p.ID = title[:i], title[i+1:]
	}
	p.Name, p.Version, _ = strings.Cut(p.Name, "@")
	return p
}

// contents notes what an object is made of.
func (r *records) contents(g *compare.Group, o *record) {
	for _, written := range o.needs {
		a, err := addr.Parse(written)
		if err != nil {
			continue
		}
		var p *compare.Package
		switch {
		case a.Package != "":
			p = r.concrete(a)
		case a.Kind == kindRecipe:
			p = r.packages[written]
		}
		if p != nil {
			p.Runs = true
			g.Contains = append(g.Contains, p)
		}
	}
}

// recipe enters a package that is built from a script.
func (r *records) recipe(o *record) {
	address := o.address.String()
	id := o.key[:min(len(o.key), recordedKey)]
	p := &compare.Package{Name: address, Version: o.version, ID: id, Asked: true, Action: o.action, Detail: &compare.Detail{Inputs: map[string]string{}}}
	for name, value := range o.inputs {
		a, err := addr.Parse(name)
		switch {
		case err == nil && a.Kind == kindRecipe:
			p.Needs = append(p.Needs, spack.Edge{Name: name, Hash: spack.Hash(value)})
		case name == "version" || name == "name":
		default:
			p.Detail.Inputs[name] = value
		}
	}
	slices.SortFunc(p.Needs, func(a, b spack.Edge) int { return strings.Compare(a.Name, b.Name) })
	r.packages[address] = p
	g := r.groups[recipeGroup]
	if g == nil {
		g = &compare.Group{Kind: compare.Recipes}
		r.groups[recipeGroup] = g
	}
	g.Packages = append(g.Packages, p)
}

// target enters what is deployed: its packages stand in groups of their own.
func (r *records) target(o *record) {
	g := r.group(compare.Target, o.address.String())
	g.Places = append([]string{o.digest}, o.places...)
	// The recipes that come into an image are inputs of it, also those that only
	// others need.
	o.needs = slices.Compact(slices.Sorted(slices.Values(slices.Concat(o.needs, slices.Collect(maps.Keys(o.inputs))))))
	r.contents(g, o)
	for _, name := range slices.Sorted(maps.Keys(o.inputs)) {
		value := o.inputs[name]
		_, err := addr.Parse(name)
		if err == nil || strings.HasPrefix(name, "package ") || name == "packages that were asked for" || name == "layers" {
			continue
		}
		g.Facts = append(g.Facts, factOf(name, value))
	}
	for _, place := range o.places {
		g.Facts = append(g.Facts, compare.Fact{Kind: "published", Name: place})
	}
	if o.action != "" {
		g.Facts = append(g.Facts, compare.Fact{Kind: "action", Value: o.action})
	}
}

// factOf reads an input as it is recorded: `=content`, or a digest.
func factOf(name, recorded string) compare.Fact {
	value, shown := strings.CutPrefix(recorded, "=")
	switch {
	case name == "base image" && strings.HasPrefix(value, "sha256:"):
		return compare.Fact{Kind: compare.BaseFact, ID: value}
	case name == "base image":
		return compare.Fact{Kind: compare.BaseFact, Value: value}
	case shown:
		return compare.Fact{Kind: name, Value: value}
	}
	return compare.Fact{Kind: name, ID: recorded}
}

// Enrich adds what the lock of an environment says of packages of which no
// more than name, version and the beginning of the hash is known.
func Enrich(g *compare.Group, full *compare.Group) {
	known := make(map[string]*compare.Package, len(full.Packages))
	key := func(p *compare.Package) string { return p.Name + "@" + p.Version + "/" + p.ID[:min(len(p.ID), 7)] }
	for _, p := range full.Packages {
		known[key(p)] = p
	}
	for _, p := range g.Packages {
		if k := known[key(p)]; k != nil && p.Detail == nil {
			p.ID, p.Detail, p.Needs = k.ID, k.Detail, k.Needs
			p.Asked, p.Runs = p.Asked || k.Asked, p.Runs || k.Runs
		}
	}
	if g.Spack == "" {
		g.Spack = full.Spack
	}
}

// SpackLockOf is the name of the file with the spack.lock of an environment;
// false for other groups.
func SpackLockOf(g *compare.Group) (string, bool) {
	a, err := addr.Parse(g.Address)
	if err != nil || g.Kind != compare.Environment {
		return "", false
	}
	return SpackLockName(a), true
}

// Digest is the SHA-256 of a file, in hex.
func Digest(data []byte) string { return digest(data) }

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
