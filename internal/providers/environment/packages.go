package environment

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// Resolve is never called: packages come with their environments.
func (p *Packages) Resolve(context.Context, providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "There is no block package"}}
}

// bringPackages makes the objects of all concrete packages, dependencies first.
// One that another environment brought along already, in the same
// circumstances, is that one: it is looked up and built once.
func (p *Provider) bringPackages(req providers.ResolveRequest, e *env, o *providers.Object) error {
	e.packages = make(map[spack.Hash]*providers.Object, len(e.lock.Order))
	names := e.addresses()
	for _, s := range e.dependenciesFirst() {
		if s.External != nil {
			continue
		}
		key := packageKey(s)
		if known := req.Part(key); known != nil && known.Spec.(*pkg).env.like(e) {
			e.packages[s.Hash] = known
			continue
		}
		part := e.object(s, names[s.Hash], key)
		part.Range = req.Range
		e.packages[s.Hash] = part
		o.Parts = append(o.Parts, part)
	}
	var hashes []spack.Hash
	for _, r := range e.lock.AllRoots() {
		hashes = append(hashes, r.Hash)
		if part := e.packages[r.Hash]; part != nil {
			part.Asked = true
		}
	}
	for _, s := range e.lock.Specs.Closure(spack.LinkRun, hashes...) {
		if e.packages[s.Hash] != nil {
			e.runSpecs = append(e.runSpecs, s)
		}
	}
	slices.SortFunc(e.runSpecs, func(a, b *spack.Spec) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Hash, b.Hash))
	})
	for _, s := range e.runSpecs {
		e.runs = append(e.runs, e.packages[s.Hash].Address)
	}
	o.Dependencies = append(slices.Clone(o.Dependencies), e.runs...)
	o.Needs = e.runs
	return nil
}

// packageKey is the content key of a package: its DAG hash is a hash over all
// that it is made from. Where it is installed is a matter of those who do.
func packageKey(s *spack.Spec) string {
	key := providers.NewKey(PackageKind, keyVersion)
	key.Quiet("hash", string(s.Hash))
	sum, _ := key.Sum()
	return sum
}

// like reports whether packages of both are looked up and built in the same way.
func (e *env) like(other *env) bool {
	return slices.EqualFunc(e.caches, other.caches, equal) && slices.Equal(e.sources, other.sources) &&
		(e.quarantine == nil) == (other.quarantine == nil) && (e.quarantine == nil || equal(*e.quarantine, *other.quarantine)) &&
		e.instance.Identity() == other.instance.Identity() && e.instance.Path == other.instance.Path &&
		e.paddedLength == other.paddedLength && e.projection == other.projection && e.network == other.network && e.root == other.root
}

// addresses gives each package as much of its hash as tells it from others of
// the same name and version.
func (e *env) addresses() map[spack.Hash]addr.Address {
	short := map[string]int{}
	written := func(s *spack.Spec, hash string) string { return s.Name + "@" + s.Version + "/" + hash }
	for _, h := range e.lock.Order {
		short[written(e.lock.Specs[h], h.Short())]++
	}
	out := make(map[spack.Hash]addr.Address, len(e.lock.Order))
	for _, h := range e.lock.Order {
		s, a := e.lock.Specs[h], e.address
		a.Package = written(s, h.Short())
		if short[a.Package] > 1 {
			a.Package = written(s, string(h))
		}
		out[h] = a
	}
	return out
}

// dependenciesFirst lists the packages of a lock so that none stands before
// what it needs, always in the same order.
func (e *env) dependenciesFirst() []*spack.Spec {
	hashes := slices.SortedFunc(slices.Values(e.lock.Order), func(a, b spack.Hash) int {
		return cmp.Or(cmp.Compare(e.lock.Specs[a].Name, e.lock.Specs[b].Name), cmp.Compare(a, b))
	})
	out := make([]*spack.Spec, 0, len(hashes))
	done := make(map[spack.Hash]bool, len(hashes))
	type visit struct {
		spec *spack.Spec
		next int
	}
	for _, h := range hashes {
		if done[h] {
			continue
		}
		done[h] = true
		stack := []visit{{spec: e.lock.Specs[h]}}
		for len(stack) > 0 { // the lock has no cycles, but chains may be long
			top := &stack[len(stack)-1]
			if top.next == len(top.spec.Dependencies) {
				out = append(out, top.spec)
				stack = stack[:len(stack)-1]
				continue
			}
			edge := top.spec.Dependencies[top.next]
			top.next++
			if dep := e.lock.Specs[edge.Hash]; dep != nil && !done[edge.Hash] {
				done[edge.Hash] = true
				stack = append(stack, visit{spec: dep})
			}
		}
	}
	return out
}

func (e *env) object(s *spack.Spec, address addr.Address, key string) *providers.Object {
	p := &pkg{env: e, spec: s, resources: e.resourcesOf(s)}
	for _, edge := range s.Dependencies {
		dep := e.packages[edge.Hash]
		switch {
		case dep == nil: // the system provides it
		case edge.Types&spack.LinkRun != 0:
			p.runDeps = append(p.runDeps, dep.Address)
		case edge.Types&spack.Build != 0:
			p.buildDeps = append(p.buildDeps, dep.Address)
		}
	}
	all := slices.Concat(p.runDeps, p.buildDeps)
	return &providers.Object{
		Address: address, Kind: PackageKind, Key: key, Dependencies: all, Needs: all, Spec: p, Title: s.Name + " " + s.Version,
	}
}

// keyOf enters what an environment is made of: the packages that are needed to
// run it, the ones that were asked for first. It gives where the latter stand.
func keyOf(e *env, o *providers.Object) (cty.Value, error) {
	key := providers.NewKey(Kind, keyVersion)
	prefixes := map[string]cty.Value{}
	asked := map[spack.Hash]bool{}
	enter := func(s *spack.Spec) {
		name := "package " + s.Name
		key.Quiet(name, string(s.Hash))
		key.ExplainValue(name, Describe(s))
	}
	roots := e.lock.AllRoots()
	slices.SortFunc(roots, func(a, b lockfile.Root) int {
		return cmp.Or(cmp.Compare(e.lock.Specs[a.Hash].Name, e.lock.Specs[b.Hash].Name), cmp.Compare(a.Hash, b.Hash))
	})
	for _, r := range roots {
		s := e.lock.Specs[r.Hash]
		if asked[s.Hash] {
			continue
		}
		asked[s.Hash] = true
		enter(s)
		prefix, err := e.prefix(s)
		if err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", s.Name, err)
		}
		prefixes[s.Name] = cty.StringVal(prefix)
	}
	for _, s := range e.runSpecs {
		if !asked[s.Hash] {
			enter(s)
		}
	}
	key.AddValue("root", e.root)
	o.Key, o.Inputs = key.Sum()
	return cty.MapVal(prefixes), nil
}

// Describe is a package as plans compare it: version and short hash.
func Describe(s *spack.Spec) string { return s.Version + "/" + s.Hash.Short() }
