package filesystem

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/store"
	"esd/internal/state"
)

// seen is what Observe tells Plan of a tree.
type seen struct {
	tree     treeRef
	standing standing
	what     string // of something else, what it is
	version  int    // of the database
	missing  map[spack.Hash]bool
	unmarked int // members that were asked for and are not recorded as that
	others   int // installed packages that are no members
	// elsewhere are members that stand at another prefix than they would get:
	// in which, by hash.
	elsewhere map[spack.Hash]string
	// gone are packages that this target installed, that are no members any
	// more, and that nothing else needs.
	gone []*spack.Spec
	// stale tells that the ledger is about other members.
	stale bool
	// old is the path of an earlier tree that still has packages of the target.
	old string
}

// Observe reads the databases of the trees.
func (p *Provider) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	for _, o := range req.Objects {
		s, recorded := o.Spec.(*spec), req.Recorded(o.Address)
		found, err := p.observe(ctx, s, recorded)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Address, err)
		}
		out[o.Address] = observation(o, s, found, recorded)
	}
	return out, nil
}

func (p *Provider) observe(ctx context.Context, s *spec, recorded *state.Object) (found seen, err error) {
	found.tree = s.tree.of(recorded)
	if found.old, err = oldTree(s, recorded); err != nil {
		return found, err
	}
	if found.standing, found.what, err = look(s.tree.Path); err != nil {
		return found, err
	}
	found.missing = map[spack.Hash]bool{}
	if found.standing != tree {
		for _, m := range s.members {
			found.missing[m.Spec.Hash] = true
		}
		return found, nil
	}
	st, err := p.open(s.tree)
	if err != nil {
		return found, err
	}
	defer st.Close()
	records, err := st.Records(ctx)
	if err != nil {
		return found, err
	}
	found.version = records.Version
	found.compare(s, st, records)
	return found, found.readLedger(s, records)
}

// oldTree is where the target was before its path changed, if something of it
// is left there.
func oldTree(s *spec, recorded *state.Object) (string, error) {
	if recorded == nil {
		return "", nil
	}
	path, owner := recorded.Attributes.String("path"), recorded.Attributes.String("owner")
	if path == "" || path == s.tree.Path || real(path) == real(s.tree.Path) {
		return "", nil
	}
	if _, ok, err := readLedger(path, owner); err != nil || !ok {
		return "", err
	}
	return path, nil
}

// compare looks for the members among what is installed.
func (found *seen) compare(s *spec, st *store.Store, records *store.Records) {
	members := make(map[spack.Hash]bool, len(s.members))
	found.elsewhere = map[spack.Hash]string{}
	for _, m := range s.members {
		h := m.Spec.Hash
		members[h] = true
		rec := records.Get(h)
		switch {
		case rec == nil || !st.Present(rec):
			found.missing[h] = true
			continue
		case m.Asked && !rec.Explicit:
			found.unmarked++
		}
		if rec.Path != m.prefix && real(rec.Path) != real(m.prefix) {
			found.elsewhere[h] = rec.Path
		}
	}
	for h, rec := range records.All() {
		if rec.Installed && rec.Spec.External == nil && !members[h] {
			found.others++
		}
	}
}

func (found *seen) readLedger(s *spec, records *store.Records) error {
	l, ok, err := readLedger(found.tree.Path, found.tree.Owner)
	if err != nil || !ok {
		return err
	}
	found.stale = !slices.Equal(l.Members, hashesOf(s.members))
	others, err := reserved(found.tree.Path, found.tree.Owner)
	if err != nil {
		return err
	}
	for _, h := range removable(records, l, keep(others, hashesOf(s.members))) {
		found.gone = append(found.gone, records.Get(h).Spec)
	}
	slices.SortFunc(found.gone, func(a, b *spack.Spec) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Hash, b.Hash)) })
	found.others -= len(found.gone)
	return nil
}

// hashesOf lists members as a ledger does.
func hashesOf(members []member) []spack.Hash {
	var list []spack.Hash
	for _, m := range members {
		list = append(list, m.Spec.Hash)
	}
	slices.Sort(list)
	return list
}

// observation says how a tree differs from what it should be.
func observation(o *providers.Object, s *spec, found seen, recorded *state.Object) providers.Observation {
	obs := providers.Observation{Data: found, NotDrift: recorded == nil || recorded.Key != o.Key}
	obs.Exists = found.standing == tree
	switch {
	case found.standing == other:
		obs.Problem = s.tree.Path + " " + found.what
	case len(found.missing) > 0:
		obs.Problem = missing(s, found)
	case found.unmarked > 0:
		obs.Problem = fmt.Sprintf("%s not recorded as asked for in %s", packages(found.unmarked, "is", "are"), s.tree.Path)
	case s.prune && found.old != "":
		obs.Problem, obs.NotDrift = "what it has installed in "+found.old+" is to be removed", true
	case s.prune && len(found.gone) > 0:
		obs.Problem, obs.NotDrift = names(found.gone, "is", "are")+" no longer part of it", true
	case found.stale:
		obs.Problem, obs.NotDrift = "its packages are not noted in "+s.tree.Path+" yet", true
	default:
		obs.Key = o.Key
		obs.Attributes = attributes(found.tree, len(s.members))
	}
	return obs
}

// missing says in words which packages are not there.
func missing(s *spec, found seen) string {
	var specs []*spack.Spec
	for _, m := range s.members {
		if found.missing[m.Spec.Hash] {
			specs = append(specs, m.Spec)
		}
	}
	if len(specs) == len(s.members) && found.standing != tree {
		return "there is no install tree at " + s.tree.Path
	}
	return names(specs, "is", "are") + " not installed in " + s.tree.Path + beside(found.others)
}

// beside tells of what others have in the tree, which is left alone.
func beside(n int) string {
	if n == 0 {
		return ""
	}
	return ", beside " + packages(n, "of others", "of others")
}

// maxNamed is how many packages a sentence names.
const maxNamed = 3

// names lists the first of some packages: "nest 3.8, neuron 8 and 3 others are".
func names(specs []*spack.Spec, is, are string) string {
	var list []string
	for _, s := range specs[:min(len(specs), maxNamed)] {
		list = append(list, s.Name+" "+s.Version)
	}
	switch more := len(specs) - len(list); {
	case len(specs) == 1:
		return list[0] + " " + is
	case more > 1:
		return fmt.Sprintf("%s and %d others %s", strings.Join(list, ", "), more, are)
	case more == 1:
		list = append(list, specs[maxNamed].Name+" "+specs[maxNamed].Version)
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1] + " " + are
}

// packages counts: "1 package is", "12 packages are".
func packages(n int, is, are string) string {
	switch n {
	case 1:
		return strings.TrimSpace("1 package " + is)
	default:
		return strings.TrimSpace(fmt.Sprintf("%d packages %s", n, are))
	}
}

// attributes is what is recorded of a tree.
func attributes(ref treeRef, members int) map[string]any {
	return map[string]any{"path": ref.Path, "packages": members, "owner": ref.Owner}
}
