package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"esd/internal/spack"
)

// ProblemKind is what is wrong with an install tree.
type ProblemKind string

// What Verify finds.
const (
	MissingPrefix     ProblemKind = "missing prefix"     // recorded as installed, and not there
	MissingSpec       ProblemKind = "missing spec.json"  // the prefix does not say what it is
	WrongSpec         ProblemKind = "other package"      // the prefix belongs to another package
	MissingDependency ProblemKind = "missing dependency" // something that it needs to run is not installed
	WrongRefCount     ProblemKind = "wrong ref_count"    // `spack reindex` mends it
	Unrecorded        ProblemKind = "not recorded"       // a prefix that no record has
)

// Problem is one thing that is wrong.
type Problem struct {
	Kind   ProblemKind
	Hash   spack.Hash // empty for what is not recorded
	Path   string
	Detail string
}

func (p Problem) String() string {
	text := string(p.Kind)
	if p.Hash != "" {
		text = "/" + p.Hash.Short() + ": " + text
	}
	if p.Path != "" {
		text += " " + p.Path
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// Verify compares the database with what is there. Without hashes it looks at
// every record, and for prefixes that nobody recorded.
func (s *Store) Verify(ctx context.Context, hashes ...spack.Hash) ([]Problem, error) {
	records, err := s.Records(ctx)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	all := len(hashes) == 0
	if all {
		hashes = slices.Clone(records.order)
		problems = records.verifyRefCounts()
	}
	for _, h := range hashes {
		rec := records.Get(h)
		if rec == nil || !rec.Installed {
			if !all {
				problems = append(problems, Problem{Kind: MissingPrefix, Hash: h, Detail: "it is not recorded as installed"})
			}
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		problems = append(problems, s.verifyRecord(records, rec)...)
	}
	if all {
		found, err := s.unrecorded(ctx, records)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	return problems, nil
}

func (s *Store) verifyRecord(r *Records, rec *Record) []Problem {
	h := rec.Spec.Hash
	if rec.Spec.External != nil {
		if _, err := os.Stat(rec.Path); rec.Path != "" && err != nil {
			return []Problem{{Kind: MissingPrefix, Hash: h, Path: rec.Path, Detail: "the system does not have it any more"}}
		}
		return nil
	}
	var problems []Problem
	if p := verifyPrefix(rec.Path, h); p.Kind != "" {
		problems = append(problems, p)
	}
	for _, e := range rec.Spec.Dependencies {
		if need := r.Get(e.Hash); e.Types&spack.LinkRun != 0 && (need == nil || !need.Installed) {
			problems = append(problems, Problem{Kind: MissingDependency, Hash: h, Path: rec.Path, Detail: e.Name + "/" + e.Hash.Short()})
		}
	}
	return problems
}

// verifyPrefix does what ensure_installed in Spack's directory_layout.py does.
func verifyPrefix(prefix string, want spack.Hash) Problem {
	if info, err := os.Stat(prefix); err != nil || !info.IsDir() {
		return Problem{Kind: MissingPrefix, Hash: want, Path: prefix}
	}
	path := filepath.Join(prefix, metadataDir, specFile)
	got, err := prefixHash(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Problem{Kind: MissingSpec, Hash: want, Path: path}
	case err != nil:
		return Problem{Kind: WrongSpec, Hash: want, Path: path, Detail: err.Error()}
	case got != want:
		return Problem{Kind: WrongSpec, Hash: want, Path: path, Detail: fmt.Sprintf("it is of %s", got)}
	}
	return Problem{}
}

// maxSpecFile bounds a spec.json: with 1.5 kB for each of all dependencies,
// real ones stay below 2 MB.
const maxSpecFile = 64 << 20

// prefixHash reads whose prefix it is: the first node is the package itself.
func prefixHash(path string) (spack.Hash, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var document struct {
		Spec struct {
			Nodes []struct{ Hash spack.Hash }
		}
	}
	if err := json.NewDecoder(io.LimitReader(f, maxSpecFile)).Decode(&document); err != nil {
		return "", err
	}
	if len(document.Spec.Nodes) == 0 {
		return "", errors.New("it has no spec")
	}
	return document.Spec.Nodes[0].Hash, nil
}

func (r *Records) verifyRefCounts() []Problem {
	counts := make(map[spack.Hash]int, r.Len())
	for _, rec := range r.All() {
		seen := make(map[spack.Hash]bool)
		for _, e := range rec.Spec.Dependencies {
			if !seen[e.Hash] {
				seen[e.Hash] = true
				counts[e.Hash]++
			}
		}
		if rec.DeprecatedFor != "" {
			counts[rec.DeprecatedFor]++
		}
	}
	var problems []Problem
	for h, rec := range r.All() {
		if counts[h] != rec.RefCount {
			problems = append(problems, Problem{Kind: WrongRefCount, Hash: h, Detail: fmt.Sprintf("it is %d and should be %d", rec.RefCount, counts[h])})
		}
	}
	return problems
}

// unrecorded looks for prefixes that no record has, as Spack's reindex would
// find them.
func (s *Store) unrecorded(ctx context.Context, r *Records) ([]Problem, error) {
	known := make(map[string]bool, r.Len())
	for _, rec := range r.All() {
		if rec.Installed {
			known[rec.Path] = true
		}
	}
	var problems []Problem
	err := filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case known[path], path == s.dbPath(""):
			return fs.SkipDir
		}
		if _, err := os.Lstat(filepath.Join(path, metadataDir, specFile)); err == nil {
			problems = append(problems, Problem{Kind: Unrecorded, Path: path})
			return fs.SkipDir
		}
		return nil
	})
	return problems, err
}
