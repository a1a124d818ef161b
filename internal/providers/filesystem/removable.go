package filesystem

import (
	"slices"

	"esd/internal/spack"
	"esd/internal/spack/store"
)

// keep is a set of packages that stay.
func keep(reserved map[spack.Hash]bool, members []spack.Hash) map[spack.Hash]bool {
	out := make(map[spack.Hash]bool, len(reserved)+len(members))
	for h := range reserved {
		out[h] = true
	}
	for _, h := range members {
		out[h] = true
	}
	return out
}

// removable lists the packages that a target has installed and that can go,
// sorted: those that are there, that are not to be kept, that nobody else asked
// for, and that nothing needs which stays.
func removable(records *store.Records, l ledger, keep map[spack.Hash]bool) []spack.Hash {
	going := map[spack.Hash]bool{}
	for _, h := range l.Installed {
		rec := records.Get(h)
		if rec == nil || !rec.Installed || rec.Spec.External != nil || keep[h] {
			continue
		}
		if rec.Explicit && !slices.Contains(l.Marked, h) {
			continue // somebody asked for it later on
		}
		going[h] = true
	}
	var stays []spack.Hash
	for h, rec := range records.All() {
		if rec.Installed && !going[h] {
			stays = append(stays, h)
		}
	}
	for _, s := range records.Specs().Closure(spack.LinkRun, stays...) {
		delete(going, s.Hash)
	}
	var list []spack.Hash
	for h := range going {
		list = append(list, h)
	}
	slices.Sort(list)
	return list
}
