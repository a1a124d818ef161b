// Package inventory reads what is in plans, locks, states and published images
// into the one form in which package compare compares them.
package inventory

import (
	"cmp"
	"slices"
	"strings"

	"esd/internal/compare"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// Environment reads what Spack concretized. The address is empty where it is
// not known.
func Environment(address string, lock *lockfile.Lock) *compare.Group {
	g := &compare.Group{Kind: compare.Environment, Address: address, Spack: lock.Spack.Version, SpecsKnown: true}
	asked := map[spack.Hash]bool{}
	for _, r := range lock.AllRoots() {
		g.Specs = append(g.Specs, r.Spec)
		asked[r.Hash] = true
	}
	runs := map[spack.Hash]bool{}
	for _, s := range lock.Specs.Closure(spack.LinkRun, lockfile.Hashes(lock.AllRoots())...) {
		runs[s.Hash] = s.External == nil
	}
	g.Packages = make([]*compare.Package, 0, len(lock.Order))
	for _, h := range lock.Order {
		p := packageOf(lock.Specs[h], lock.Specs)
		p.Asked, p.Runs = asked[h], runs[h]
		g.Packages = append(g.Packages, p)
	}
	slices.Sort(g.Specs)
	return g
}

// packageOf reads a concrete spec.
func packageOf(s *spack.Spec, all spack.Specs) *compare.Package {
	return &compare.Package{
		Name: s.Name, Version: s.Version, ID: string(s.Hash), Needs: s.Dependencies,
		Detail: &compare.Detail{
			Parameters: s.Parameters, Compiler: compilerOf(s, all), Platform: s.Arch.Platform, OS: s.Arch.OS, Target: s.Arch.Target,
			Namespace: s.Namespace, External: externalOf(s), Recipe: s.PackageHash, Patches: strings.Join(s.Patches, " "),
			Generation: s.FileVersion,
		},
	}
}

// languages are what makes a dependency the compiler, the one that counts first.
var languages = [...]string{"c", "cxx", "fortran"}

// compilerOf is the compiler of a spec: a dependency since specfile 5.
func compilerOf(s *spack.Spec, all spack.Specs) string {
	if s.Compiler != nil {
		return s.Compiler.Name + "@" + s.Compiler.Version
	}
	for _, language := range languages {
		for _, e := range s.Dependencies {
			if slices.Contains(e.Virtuals, language) {
				if to := all[e.Hash]; to != nil {
					return e.Name + "@" + to.Version
				}
				return e.Name
			}
		}
	}
	return ""
}

func externalOf(s *spack.Spec) string {
	if s.External == nil {
		return ""
	}
	return cmp.Or(s.External.Path, strings.Join(s.External.Modules, " "), "somewhere")
}
