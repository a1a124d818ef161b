package cli_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

// smallLock is a lock that Spack 1.x wrote, "v12", or 0.23, "v023": hdf5~mpi and
// zlib-ng.
func smallLock(ts *testscript.TestScript, generation string) ([]byte, *lockfile.Lock) {
	data, err := os.ReadFile(filepath.Join("..", "spack", "testdata", "locks", generation+"-small.lock"))
	ts.Check(err)
	lock, err := lockfile.Parse(data)
	ts.Check(err)
	return data, lock
}

// writeSpackLock writes a spack.lock of hdf5~mpi and zlib-ng: spacklock FILE
func writeSpackLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: spacklock FILE")
	}
	data, _ := smallLock(ts, "v12")
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o644))
}

// fillBuildcache stores packages of that lock in a build cache, made up, and
// writes its index; with layout v2 those of Spack 0.23: buildcache DIR LAYOUT PACKAGE...
func fillBuildcache(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: buildcache DIR LAYOUT PACKAGE...")
	}
	layout, err := buildcache.ParseLayout(args[1])
	ts.Check(err)
	generation := "v12"
	if layout == buildcache.V2 {
		generation = "v023"
	}
	_, lock := smallLock(ts, generation)
	ctx := context.Background()
	c, err := buildcache.Open(ctx, ts.MkAbs(args[0]), buildcache.Options{Layout: layout})
	ts.Check(err)
	var specs []*spack.Spec
	for _, h := range lock.Order {
		if s := lock.Specs[h]; slices.Contains(args[2:], s.Name) {
			specs = append(specs, s)
		}
	}
	if len(specs) != len(args)-2 {
		ts.Fatalf("not all of %v are in the lock", args[2:])
	}
	work, err := os.MkdirTemp(ts.MkAbs("."), ".building-")
	ts.Check(err)
	defer os.RemoveAll(work)
	b := &spacktest.Builder{Root: "/opt/built-here-with-a-long-path/spack/store", Specs: lock.Specs, Dir: work}
	ts.Check(b.Push(ctx, c, specs...))
	_, err = c.UpdateIndex(ctx)
	ts.Check(err)
}
