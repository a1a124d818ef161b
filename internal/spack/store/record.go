package store

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"esd/internal/spack"
)

// Record is what the database says of one package. Records are shared: do not
// change them.
type Record struct {
	Spec *spack.Spec
	// Path is the prefix; empty for packages of the system that have modules
	// only.
	Path string
	// Installed is what the database believes. Records of packages that are
	// not there are normal: build dependencies that came with a cached package
	// are recorded and were never installed.
	Installed bool
	// Explicit tells that somebody asked for the package itself.
	Explicit         bool
	InstallationTime time.Time
	// RefCount is the number of records that depend on this one, in any way.
	RefCount      int
	DeprecatedFor spack.Hash

	extra []member       // members that we do not know
	raw   jsontext.Value // the record as it stands in the file; nil for a changed one
}

type member struct {
	name  string
	value jsontext.Value
}

// Records are the content of a database at one time.
type Records struct {
	// Version is that of the database: 7 or 8.
	Version int

	order  []spack.Hash // as in the file
	byHash map[spack.Hash]*Record
}

// Len is the number of records, installed or not.
func (r *Records) Len() int { return len(r.byHash) }

// Get gives the record of a package, nil if there is none.
func (r *Records) Get(h spack.Hash) *Record { return r.byHash[h] }

// All yields the records in the order of the file.
func (r *Records) All() iter.Seq2[spack.Hash, *Record] {
	return func(yield func(spack.Hash, *Record) bool) {
		for _, h := range r.order {
			if rec := r.byHash[h]; rec != nil && !yield(h, rec) {
				return
			}
		}
	}
}

// Specs are the specs of all records, installed or not.
func (r *Records) Specs() spack.Specs {
	specs := make(spack.Specs, len(r.byHash))
	for h, rec := range r.byHash {
		specs[h] = rec.Spec
	}
	return specs
}

// Dependents are the installed packages that need one of hashes once they are
// installed, directly or not, and are not among hashes themselves; sorted by
// name and hash.
func (r *Records) Dependents(hashes ...spack.Hash) []*Record {
	parents := make(map[spack.Hash][]spack.Hash)
	for h, rec := range r.byHash {
		for _, e := range rec.Spec.Dependencies {
			if e.Types&spack.LinkRun != 0 {
				parents[e.Hash] = append(parents[e.Hash], h)
			}
		}
	}
	seen := make(map[spack.Hash]bool)
	queue := slices.Clone(hashes)
	for _, h := range hashes {
		seen[h] = true
	}
	var found []*Record
	for i := 0; i < len(queue); i++ {
		for _, parent := range parents[queue[i]] {
			if seen[parent] {
				continue
			}
			seen[parent] = true
			queue = append(queue, parent)
			if rec := r.byHash[parent]; rec.Installed {
				found = append(found, rec)
			}
		}
	}
	slices.SortFunc(found, func(a, b *Record) int { return compareSpecs(a.Spec, b.Spec) })
	return found
}

func compareSpecs(a, b *spack.Spec) int {
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return strings.Compare(string(a.Hash), string(b.Hash))
}

// clone gives a copy whose records are still shared.
func (r *Records) clone() *Records {
	return &Records{Version: r.Version, order: slices.Clone(r.order), byHash: maps.Clone(r.byHash)}
}

// change gives a copy of a record that may be changed.
func (r *Records) change(h spack.Hash) *Record {
	rec := *r.byHash[h]
	rec.raw = nil
	r.byHash[h] = &rec
	return &rec
}

func (r *Records) add(rec *Record) {
	r.byHash[rec.Spec.Hash] = rec
	r.order = append(r.order, rec.Spec.Hash)
}

func (r *Records) drop(h spack.Hash) {
	delete(r.byHash, h)
	r.order = slices.DeleteFunc(r.order, func(o spack.Hash) bool { return o == h })
}
