package filesystem

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/store"
)

// Resolve computes the content key of a tree: of its packages, and where they
// stand.
func (p *Provider) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := &spec{jobs: values.Int("jobs"), prune: values.Bool("prune")}
	o := &providers.Object{
		Address: req.Address, Kind: Kind, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Title: "install tree " + req.Address.Name,
	}
	s.tree.Path = inDir(req.ModuleDir, values.String("path"))
	s.tree.Owner = providers.ShortDigest(p.opts.WorkDir + "\x00" + req.Address.String())
	if err := p.checkPlace(s.tree.Path); err != nil {
		return o, hcl.Diagnostics{problem(req, "Not a place for an install tree", err.Error(), "path")}
	}
	locked, diags := resolvePackages(req, values.Addresses("packages"), s, o)
	if diags.HasErrors() {
		return o, diags
	}
	if locked {
		o.Key, o.Inputs = keyOf(s)
	}
	o.Attributes = exported(req, s, o.Key)
	return o, diags
}

// resolvePackages collects what the environments need to run; false if one of
// them has no lock yet, which the plan will say.
func resolvePackages(req providers.ResolveRequest, addresses []addr.Address, s *spec, o *providers.Object) (locked bool, diags hcl.Diagnostics) {
	locked = true
	byHash, byPrefix := map[spack.Hash]int{}, map[string]environment.Member{}
	s.tree.DatabaseVersion = store.Version7
	for _, a := range addresses {
		object := req.Object(a)
		if object == nil || slices.Contains(o.Needs, a) {
			continue // reported where it went wrong
		}
		o.Needs = append(o.Needs, a)
		e, ok := environment.Of(object)
		if !ok {
			locked = false
			continue
		}
		if len(s.environments) == 0 {
			s.tree.Projection = e.Projection
		} else if s.tree.Projection != e.Projection {
			return false, hcl.Diagnostics{problem(req, "Projections that differ", fmt.Sprintf(
				"%s puts packages at %s, but %s at %s: in one tree there is one projection. Set the same projection in both environments.",
				s.environments[0].Address, s.tree.Projection, e.Address, e.Projection), "packages")}
		}
		s.environments = append(s.environments, e)
		diags = append(diags, s.add(req, object, byHash, byPrefix)...)
	}
	slices.SortFunc(s.members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.Spec.Name, b.Spec.Name), cmp.Compare(a.Spec.Hash, b.Spec.Hash))
	})
	for _, m := range s.members {
		o.Needs = append(o.Needs, m.Address)
	}
	return locked, diags
}

// add enters the packages of one environment.
func (s *spec) add(req providers.ResolveRequest, object *providers.Object, byHash map[spack.Hash]int, byPrefix map[string]environment.Member) (diags hcl.Diagnostics) {
	members, specs, err := environment.Members(object)
	if err != nil {
		return hcl.Diagnostics{problem(req, "Packages without a place", err.Error(), "packages")}
	}
	for _, m := range members {
		if i, known := byHash[m.Spec.Hash]; known {
			s.members[i].Asked = s.members[i].Asked || m.Asked
			continue
		}
		relative, err := s.tree.Projection.Path(m.Spec, specs)
		if err != nil {
			diags = append(diags, problem(req, "Packages without a place", err.Error(), "packages"))
			continue
		}
		prefix := filepath.Join(s.tree.Path, filepath.FromSlash(relative))
		if other, taken := byPrefix[prefix]; taken {
			diags = append(diags, problem(req, "Two packages in one place", fmt.Sprintf(
				"%s and %s would both stand at %s. Choose a projection with {hash}.", other.Address, m.Address, prefix), "packages"))
			continue
		}
		byHash[m.Spec.Hash], byPrefix[prefix] = len(s.members), m
		s.members = append(s.members, member{m, prefix, len(s.environments) - 1})
		if m.Spec.SpecfileVersion > 4 {
			s.tree.DatabaseVersion = store.Version8
		}
	}
	return diags
}

// keyOf enters what a tree is made of: what was asked for first.
func keyOf(s *spec) (string, []providers.Input) {
	key := providers.NewKey(Kind, keyVersion)
	count := map[string]int{}
	for _, m := range s.members {
		count[m.Spec.Name]++
	}
	name := func(m member) string {
		if count[m.Spec.Name] > 1 {
			return m.Spec.Name + "@" + m.Spec.Version + "/" + m.Spec.Hash.Short()
		}
		return m.Spec.Name
	}
	enter := func(m member) {
		key.Quiet("package "+name(m), string(m.Spec.Hash))
		key.ExplainValue("package "+name(m), environment.Describe(m.Spec))
	}
	asked, others := partition(s.members)
	for _, m := range asked {
		enter(m)
	}
	key.AddValue("path", s.tree.Path)
	key.AddValue("projection", string(s.tree.Projection))
	for _, m := range others {
		enter(m)
	}
	for _, m := range asked { // a package can become one that is asked for
		key.AddValue("toplevel "+name(m), "")
	}
	return key.Sum()
}

// partition tells what was asked for from what only that needs.
func partition(members []member) (asked, others []member) {
	for _, m := range members {
		if m.Asked {
			asked = append(asked, m)
		} else {
			others = append(others, m)
		}
	}
	return asked, others
}

// exported is what references to the target see.
func exported(req providers.ResolveRequest, s *spec, key string) cty.Value {
	keyValue, packages := cty.StringVal(key), cty.MapValEmpty(cty.String)
	prefixes := map[string]cty.Value{}
	for _, m := range s.members {
		if m.Asked {
			prefixes[m.Spec.Name] = cty.StringVal(m.prefix)
		}
	}
	if len(prefixes) > 0 {
		packages = cty.MapVal(prefixes)
	}
	if key == "" {
		keyValue, packages = cty.UnknownVal(cty.String), cty.UnknownVal(cty.Map(cty.String))
	}
	return cty.ObjectVal(map[string]cty.Value{
		"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(req.Address.Name), "key": keyValue,
		"path": cty.StringVal(s.tree.Path), "packages": packages,
	})
}

func problem(req providers.ResolveRequest, summary, detail string, path ...string) *hcl.Diagnostic {
	rng := req.AttributeRange(path...)
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}
