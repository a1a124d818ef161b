package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/testrepo"
)

// spackStack is an environment of toys that Spack concretized and built: the
// directories stack, cache, mirror, toys and builtin beside each other. Tests
// take copies of the parts that they need.
type spackStack struct {
	realSpack
	top     string
	lock    *lockfile.Lock
	machine *machine // in top; it belongs to the test that built everything
	first   ended    // the first lock
	built   events
}

// newSpackStack locks and builds the toys.
func newSpackStack(t testing.TB, s realSpack) *spackStack {
	t.Helper()
	m := newMachine(t, nil)
	st := &spackStack{realSpack: s, top: filepath.Dir(m.dir), machine: m}
	st.vars["TOP"] = st.top
	if _, err := testrepo.Write(filepath.Join(st.top, "toys"), testrepo.Options{API: s.api, HungryMiB: 700}); err != nil {
		t.Fatal(err)
	}
	s.writeBuiltin(t, st.top)
	for from, to := range map[string]string{"packages.yaml": "packages.yaml", "linux/compilers.yaml": "compilers.yaml"} {
		if text, err := os.ReadFile(filepath.Join(s.vars["SPACK_USER_CONFIG_PATH"], from)); err == nil {
			m.write(map[string]string{to: string(text)})
		}
	}
	m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, "toy-all")})
	begun := time.Now()
	st.first = m.want(0, "lock")
	locked := time.Now()
	st.lock = m.spackLock("toys")
	st.built = m.apply()
	t.Logf("locked in %v, built in %v", locked.Sub(begun).Round(time.Millisecond), time.Since(locked).Round(time.Millisecond))
	return st
}

// parts of a stack that a copy can have beside the configuration and the recipes.
const (
	withCache  = "cache"
	withMirror = "mirror"
	withWork   = "stack/.esd"
)

// copy gives a machine of its own with copies of parts of the stack.
func (s *spackStack) copy(t testing.TB, parts ...string) *machine {
	t.Helper()
	m := newMachine(t, nil)
	top := filepath.Dir(m.dir)
	for _, part := range append([]string{"toys/repo", "builtin", "stack/locks"}, parts...) {
		if part == withWork {
			t.Fatal("the working data has absolute paths in it")
		}
		copyTree(t, filepath.Join(s.top, part), filepath.Join(top, part))
	}
	for _, name := range []string{"esd.hcl", "esd.lock.hcl", "packages.yaml", "compilers.yaml"} {
		if text, err := os.ReadFile(filepath.Join(s.top, "stack", name)); err == nil {
			m.write(map[string]string{name: string(text)})
		}
	}
	return m
}

// top is the directory with the parts of a stack.
func (m *machine) top(elem ...string) string {
	return filepath.Join(append([]string{filepath.Dir(m.dir)}, elem...)...)
}

// relock writes a configuration and locks it.
func (m *machine) relock(hcl string) {
	m.t.Helper()
	m.write(map[string]string{"esd.hcl": hcl})
	m.want(0, "lock", "--auto-approve")
}

// spackLock reads the lock of an environment.
func (m *machine) spackLock(name string) *lockfile.Lock {
	m.t.Helper()
	text, err := os.ReadFile(m.path("locks", name+".spack.lock"))
	if err != nil {
		m.t.Fatal(err)
	}
	lock, err := lockfile.Parse(text)
	if err != nil {
		m.t.Fatal(err)
	}
	return lock
}

// node finds a package in a lock by its name.
func node(t testing.TB, lock *lockfile.Lock, name string) *spack.Spec {
	t.Helper()
	for _, h := range lock.Order {
		if lock.Specs[h].Name == name {
			return lock.Specs[h]
		}
	}
	t.Fatalf("the lock has no %s", name)
	return nil
}

// toBuild lists the names of all packages of a lock that the system does not
// provide, sorted.
func toBuild(lock *lockfile.Lock) []string {
	var names []string
	for _, h := range lock.Order {
		if s := lock.Specs[h]; s.External == nil {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// digests are those of all files below a directory, by their paths.
func digests(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		sum := sha256.Sum256(text)
		rel, _ := filepath.Rel(dir, path)
		found[rel] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return found
}

var inManifest = regexp.MustCompile(`"checksum":\s*"([0-9a-f]{64})"`)

// entryFiles lists the files of a build cache, relative to it, that belong to a
// package only.
func (s realSpack) entryFiles(t testing.TB, cache string, hash spack.Hash) []string {
	t.Helper()
	var list []string
	for name := range digests(t, cache) {
		if !strings.Contains(filepath.Base(name), string(hash)) {
			continue
		}
		list = append(list, name)
		if s.layout == "v3" {
			list = append(list, blobsNamed(t, filepath.Join(cache, name))...)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s has nothing of %s", cache, hash)
	}
	return list
}

// blobsNamed are the blobs that a manifest names.
func blobsNamed(t testing.TB, manifest string) []string {
	t.Helper()
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, found := range inManifest.FindAllStringSubmatch(string(text), -1) {
		list = append(list, filepath.Join("blobs", "sha256", found[1][:2], found[1]))
	}
	return list
}

// indexFiles lists the files of the index of a build cache.
func (s realSpack) indexFiles(t testing.TB, cache string) []string {
	t.Helper()
	if s.layout == "v2" {
		return []string{"build_cache/index.json", "build_cache/index.json.hash"}
	}
	const manifest = "v3/manifests/index/index.manifest.json"
	if _, err := os.Stat(filepath.Join(cache, manifest)); err != nil {
		return nil
	}
	return append(blobsNamed(t, filepath.Join(cache, manifest)), manifest)
}

func removeFiles(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
