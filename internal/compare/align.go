package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// NothingError tells that two things cannot be compared.
type NothingError struct{ From, To Side }

func (e *NothingError) Error() string {
	return fmt.Sprintf("%s is %s and %s is %s: they have no environment, target or package in common that could be compared; "+
		"compare two of one kind, or narrow both with --target", e.From.Name, describe(e.From.Kind), e.To.Name, describe(e.To.Kind))
}

func describe(k Kind) string {
	switch k {
	case Plan:
		return "a saved plan"
	case Lock:
		return "the lock file of a configuration"
	case SpackLock:
		return "the lock of a Spack environment"
	case State:
		return "a state"
	case Image:
		return "a published image"
	}
	return string(k)
}

// Only narrows an inventory to the groups whose addresses are wanted.
func (inv *Inventory) Only(wanted func(address string) bool) {
	inv.Groups = slices.DeleteFunc(inv.Groups, func(g *Group) bool { return !wanted(g.Address) })
}

// align reduces inventories of different kinds to what both can have.
func align(from, to *Inventory) (*Inventory, *Inventory, error) {
	if from.Kind == to.Kind {
		return from, to, nil
	}
	from, to = withoutActions(from), withoutActions(to)
	switch {
	case from.Kind == Image:
		to, from = asImage(to, from)
	case to.Kind == Image:
		from, to = asImage(from, to)
	}
	a, b := *from, *to
	a.Groups, b.Groups = common(from, to), common(to, from)
	if len(a.Groups) == 0 || len(b.Groups) == 0 {
		return nil, nil, &NothingError{Side{Kind: from.Kind, Name: from.Name}, Side{Kind: to.Kind, Name: to.Name}}
	}
	return &a, &b, nil
}

// withoutActions leaves out what a plan does: nothing else can say that.
func withoutActions(inv *Inventory) *Inventory {
	if inv.Kind != Plan {
		return inv
	}
	out := *inv
	out.Groups = nil
	idle := map[*Package]*Package{}
	each := func(list []*Package) []*Package {
		fresh := make([]*Package, len(list))
		for i, p := range list {
			if idle[p] == nil {
				q := *p
				q.Action = ""
				idle[p] = &q
			}
			fresh[i] = idle[p]
		}
		return fresh
	}
	for _, g := range inv.Groups {
		h := *g
		h.Packages, h.Contains = each(g.Packages), each(g.Contains)
		out.Groups = append(out.Groups, &h)
	}
	return &out
}

// common are the groups of an inventory that another one could have, without
// facts that are told of its kind only.
func common(inv, other *Inventory) []*Group {
	var list []*Group
	for _, g := range inv.Groups {
		counterparts := ofKind(other.Groups, g.Kind)
		if len(counterparts) == 0 {
			continue
		}
		if other.Partial && !slices.ContainsFunc(counterparts, func(o *Group) bool { return o.Address == g.Address }) {
			continue // it may be there all the same
		}
		h := *g
		if inv.Kind != Image && other.Kind != Image {
			h.Facts = nil
		}
		if other.Partial && g.Kind == Recipes {
			h.Packages = namedAlike(g.Packages, counterparts[0].Packages)
		}
		list = append(list, &h)
	}
	return list
}

// namedAlike are the packages of a list that another one has by name.
func namedAlike(list, other []*Package) []*Package {
	have := byName(other)
	return slices.DeleteFunc(slices.Clone(list), func(p *Package) bool { return have[p.Name] == nil })
}

// asImage reduces an inventory to what would be in an image: the packages of
// the target that is published there, or else all that is needed to run. It
// gives what of the image is compared with that, too.
func asImage(inv, image *Inventory) (reduced, counterpart *Inventory) {
	out, other := *inv, *image
	g := &Group{Kind: Target, RunOnly: true}
	if t := targetOf(inv, image); t != nil {
		g.Address, g.Packages, g.Facts = t.Address, t.Contains, baseOnly(t.Facts)
	} else {
		g.Packages, g.Address = running(inv)
	}
	out.Partial = false // it says all of a target that it mentions
	if out.Groups = nil; len(g.Packages) > 0 {
		out.Groups = []*Group{g}
	}
	out.Notes = append(slices.Clone(inv.Notes), "An image has only what is needed to run: of the other side, what is needed only to build was left out.")
	other.Groups = nil
	for _, theirs := range ofKind(image.Groups, Target) {
		kept := *theirs
		if inv.Kind == SpackLock || inv.Kind == Lock {
			kept.Packages = slices.DeleteFunc(slices.Clone(theirs.Packages), isRecipe)
			if len(kept.Packages) < len(theirs.Packages) {
				out.Notes = append(out.Notes, "A lock has only packages of Spack: the recipes in the image were left out.")
			}
		}
		if kept.Facts = nil; len(g.Facts) > 0 {
			kept.Facts = baseOnly(theirs.Facts)
		}
		other.Groups = append(other.Groups, &kept)
	}
	return &out, &other
}

// isRecipe tells what is built from a script by its name, which is an address.
func isRecipe(p *Package) bool { return strings.Contains("."+p.Name, ".recipe.") }

// BaseFact is the kind of the fact that names the base of an image.
const BaseFact = "base"

func baseOnly(facts []Fact) []Fact {
	return slices.DeleteFunc(slices.Clone(facts), func(f Fact) bool { return f.Kind != BaseFact })
}

// targetOf finds the target that is published as an image: by its reference,
// by its repository, or because there is no other.
func targetOf(inv, image *Inventory) *Group {
	var images []*Group
	for _, g := range ofKind(inv.Groups, Target) {
		if strings.Contains("."+g.Address, ".target.image.") {
			images = append(images, g)
		}
	}
	for _, same := range []func(string) bool{
		func(place string) bool { return place != "" && (place == image.Name || place == image.Detail) },
		func(place string) bool { return repository(place) == repository(image.Name) },
	} {
		for _, g := range images {
			if slices.ContainsFunc(g.Places, same) {
				return g
			}
		}
	}
	if len(images) == 1 {
		return images[0]
	}
	return nil
}

// repository is a reference without digest and tag.
func repository(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') && reference[:i] != "oci" {
		reference = reference[:i]
	}
	return reference
}

// running are all packages that are needed to run, each once, and the address
// of the group that they are of, if it is one.
func running(inv *Inventory) (list []*Package, address string) {
	seen := map[string]bool{}
	from := map[string]bool{}
	for _, g := range inv.Groups {
		for _, p := range g.Packages {
			if id := p.Name + "/" + cmp.Or(p.ID, p.Version); p.Runs && !seen[id] {
				seen[id] = true
				list = append(list, p)
				from[g.Address] = true
				address = g.Address
			}
		}
	}
	if len(from) != 1 {
		address = ""
	}
	return list, address
}
