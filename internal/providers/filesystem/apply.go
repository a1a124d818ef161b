package filesystem

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/store"
)

// Apply runs one step of a tree.
func (p *Provider) Apply(ctx context.Context, run providers.Run) (providers.Result, error) {
	var st stepSpec
	if err := json.Unmarshal(run.Spec, &st); err != nil {
		return providers.Result{}, fmt.Errorf("the plan is damaged: %w", err)
	}
	switch run.Op {
	case opInstall:
		return p.install(ctx, run, st)
	case opRemove:
		return p.remove(ctx, run, st)
	case opLeave, opDestroy:
		return p.leave(ctx, run, st)
	}
	return providers.Result{}, fmt.Errorf("install trees have no operation %q; the plan was made by another version of esd", run.Op)
}

// install brings about that all members are in the tree. The ledger says before
// which of them the target will have installed.
func (p *Provider) install(ctx context.Context, run providers.Run, st stepSpec) (providers.Result, error) {
	result := providers.Result{Attributes: attributes(st.Tree, len(st.Members))}
	what, why, err := look(st.Tree.Path)
	if err == nil && what == other {
		err = obstacle(st.Tree.Path, why)
	}
	if err != nil {
		return result, err
	}
	s, err := p.open(st.Tree)
	if err != nil {
		return result, err
	}
	defer s.Close()
	in := &installing{provider: p, run: run, step: st, store: s}
	if err := in.prepare(ctx); err != nil {
		return result, err
	}
	if st.Again {
		if err := in.takeAway(ctx); err != nil {
			return result, err
		}
	}
	err = in.install(ctx, &result)
	return result, err
}

// prepare reads the locks and the tree, and writes the ledger.
func (in *installing) prepare(ctx context.Context) error {
	if err := in.readLocks(ctx); err != nil {
		return err
	}
	records, err := in.store.Records(ctx)
	if err != nil {
		return err
	}
	path := in.step.Tree.Path
	if err := os.MkdirAll(filepath.Join(path, databaseDir), 0o777); err != nil {
		return cannotChange(path, err)
	}
	before, _, err := readLedger(path, in.step.Tree.Owner)
	if err != nil {
		return err
	}
	in.ledger = in.next(before, records)
	return cannotChange(path, in.ledger.write(path, in.step.Tree.Owner))
}

func cannotChange(path string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("this user may not change the install tree %s: %w; give another path, or run esd as its owner", path, err)
	}
	return err
}

// next is the ledger of what there will be: without what somebody else took
// away meanwhile.
func (in *installing) next(before ledger, records *store.Records) ledger {
	there := func(h spack.Hash) bool {
		rec := records.Get(h)
		return rec != nil && in.store.Present(rec)
	}
	l := ledger{Target: in.step.Target}
	installed, marked := map[spack.Hash]bool{}, map[spack.Hash]bool{}
	for _, h := range before.Installed {
		installed[h] = there(h)
	}
	for _, h := range before.Marked {
		marked[h] = there(h)
	}
	for _, m := range in.step.Members {
		l.Members = append(l.Members, m.Hash)
		if !there(m.Hash) {
			installed[m.Hash] = true
			in.missing = append(in.missing, m)
		}
		if m.Asked && (!there(m.Hash) || !records.Get(m.Hash).Explicit) {
			marked[m.Hash] = true
		}
	}
	l.Installed, l.Marked = listed(installed), listed(marked)
	return l
}

func listed(set map[spack.Hash]bool) []spack.Hash {
	var list []spack.Hash
	for h, in := range set {
		if in {
			list = append(list, h)
		}
	}
	slices.Sort(list)
	return list
}

// takeAway removes those members that the target installed, so that they are
// installed anew. What needs them does without until they are back.
func (in *installing) takeAway(ctx context.Context) error {
	records, err := in.store.Records(ctx)
	if err != nil {
		return err
	}
	var hashes []spack.Hash
	for _, m := range in.step.Members {
		if rec := records.Get(m.Hash); rec != nil && rec.Installed && slices.Contains(in.ledger.Installed, m.Hash) {
			hashes = append(hashes, m.Hash)
			if !slices.Contains(in.missing, m) {
				in.missing = append(in.missing, m)
			}
		}
	}
	return in.store.Remove(ctx, hashes, store.RemoveOptions{Force: true})
}

// remove takes away what is no longer part of the tree, and is still needed by
// nothing else.
func (p *Provider) remove(ctx context.Context, run providers.Run, st stepSpec) (providers.Result, error) {
	result := providers.Result{Attributes: attributes(st.Tree, len(st.Members))}
	var members []spack.Hash
	for _, m := range st.Members {
		members = append(members, m.Hash)
	}
	n, err := p.removeFrom(ctx, run, st, members, st.Remove)
	result.Reused = n == 0
	return result, err
}

// leave takes away everything that the target installed in a tree, its ledger,
// and what is left of a tree that has nothing in it.
func (p *Provider) leave(ctx context.Context, run providers.Run, st stepSpec) (providers.Result, error) {
	what, why, err := look(st.Tree.Path)
	if err != nil {
		return providers.Result{}, err
	}
	if what != tree {
		if why == "" {
			why = "is gone already"
		}
		fmt.Fprintf(run.Log, "esd: %s %s\n", st.Tree.Path, why)
		return providers.Result{Reused: true}, nil
	}
	n, err := p.removeFrom(ctx, run, st, st.Keep, nil)
	if err != nil {
		return providers.Result{}, err
	}
	for _, name := range []string{ledgerPath(st.Tree.Path, st.Tree.Owner) + temporary, ledgerPath(st.Tree.Path, st.Tree.Owner)} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return providers.Result{}, err
		}
	}
	return providers.Result{Reused: n == 0}, p.clear(ctx, run, st.Tree)
}
