package filesystem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/store"
)

// removeFrom takes away packages that the target installed: only those that are
// named, or all with none named. It gives how many.
func (p *Provider) removeFrom(ctx context.Context, run providers.Run, st stepSpec, members, only []spack.Hash) (int, error) {
	s, err := p.open(st.Tree)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	l, ok, err := readLedger(st.Tree.Path, st.Tree.Owner)
	if err != nil || !ok {
		return 0, err // nothing is known to be the target's
	}
	others, err := reserved(st.Tree.Path, st.Tree.Owner)
	if err != nil {
		return 0, err
	}
	records, err := s.Records(ctx)
	if err != nil {
		return 0, err
	}
	going := removable(records, l, keep(others, members))
	if only != nil {
		going = slices.DeleteFunc(going, func(h spack.Hash) bool { return !slices.Contains(only, h) })
		going = removable(records, ledger{Installed: going, Marked: l.Marked}, nil) // without what the others need
	}
	if err := s.Remove(ctx, going, store.RemoveOptions{}); err != nil {
		return 0, err
	}
	for _, h := range going {
		spec := records.Get(h).Spec
		fmt.Fprintf(run.Log, "esd: removed %s %s /%s\n", spec.Name, spec.Version, h.Short())
	}
	left := func(h spack.Hash) bool { return slices.Contains(going, h) }
	for _, h := range slices.DeleteFunc(slices.Clone(l.Installed), left) {
		if rec := records.Get(h); rec != nil && rec.Installed && !slices.Contains(members, h) {
			fmt.Fprintf(run.Log, "esd: kept %s %s /%s, which something else in the tree needs\n", rec.Spec.Name, rec.Spec.Version, h.Short())
		}
	}
	l.Installed, l.Marked = slices.DeleteFunc(l.Installed, left), slices.DeleteFunc(l.Marked, left)
	return len(going), l.write(st.Tree.Path, st.Tree.Owner)
}

// clear removes what is left of a tree in which nothing is installed: the
// database, its locks and the script that came along. Where there is anything
// else, all of it stays.
func (p *Provider) clear(ctx context.Context, run providers.Run, ref treeRef) error {
	s, err := p.open(ref)
	if err != nil {
		return err
	}
	defer s.Close()
	records, err := s.Records(ctx)
	if err != nil {
		return err
	}
	for _, rec := range records.All() {
		if rec.Spec.External == nil || rec.Explicit { // others came along with what was installed
			return nil
		}
	}
	files, err := bare(ref.Path)
	if err != nil || files == nil {
		return err
	}
	for _, name := range files { // contents before their directories
		if err := os.Remove(filepath.Join(ref.Path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	fmt.Fprintf(run.Log, "esd: removed the install tree %s, which was empty\n", ref.Path)
	return nil
}

// bare lists the files of a tree that has none but its own; nil for another
// one.
func bare(path string) ([]string, error) {
	list := []string{}
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(path, name)
		switch {
		case err != nil:
			return err
		case !isOwn(relative) || relative == "bin/sbang" && !isSbang(name):
			return errNotBare
		}
		list = append(list, relative)
		return nil
	})
	slices.Reverse(list)
	if errors.Is(err, errNotBare) {
		return nil, nil
	}
	return list, err
}

// isOwn tells what every tree has, and what runs leave there that were killed.
func isOwn(relative string) bool {
	dir, name := filepath.Split(relative)
	switch dir {
	case "":
		return name == "." || name == "bin" || name == databaseDir
	case "bin/":
		return name == "sbang" || strings.HasPrefix(name, ".sbang.") && strings.HasSuffix(name, ".tmp")
	case databaseDir + "/":
		return slices.Contains([]string{"failures", "index.json", "index_verifier", "lock", "prefix_failures", "prefix_lock"},
			strings.TrimSuffix(name, ".temp"))
	}
	return false
}

var errNotBare = errors.New("there is more than a tree has by itself")

// isSbang tells the script that each tree has from a program of that name.
func isSbang(name string) bool {
	data, err := os.ReadFile(name)
	return err == nil && bytes.HasPrefix(data, []byte("#!")) && strings.Contains(string(data), "sbang")
}
