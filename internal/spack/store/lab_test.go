package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// lab is a real Spack, with an environment of toys, and a cache of them that it
// made in a padded root. It is in the directory of the file that prepares a
// shell for it.
type lab struct {
	variable, version, cache string
	generation               int // of the database
}

func labs() map[string]lab {
	return map[string]lab{
		"Spack 1.x":  {"ESD_TEST_SPACK", "12", "v3-padded", Version8},
		"Spack 0.23": {"ESD_TEST_SPACK_023", "023", "v2-padded", Version7},
	}
}

// spackAt is a lab with an install tree of its own.
type spackAt struct {
	lab
	t                        testing.TB
	script, dir              string
	root, scope, environment string
	padded                   int
	lock                     *lockfile.Lock
}

func (l lab) at(t testing.TB, padded int) *spackAt {
	t.Helper()
	script := os.Getenv(l.variable)
	if script == "" {
		t.Skipf("%s names no file that prepares a shell for Spack", l.variable)
	}
	s := &spackAt{lab: l, t: t, script: script, dir: filepath.Dir(script), root: filepath.Join(t.TempDir(), "tree"), scope: t.TempDir(), padded: padded}
	for name, text := range map[string]string{
		"config.yaml":  fmt.Sprintf("config:\n  install_tree:\n    root: %s\n    padded_length: %d\n", s.root, padded),
		"mirrors.yaml": fmt.Sprintf("mirrors:\n  toys:\n    url: file://%s/caches/%s\n    signed: false\n", s.dir, l.cache),
	} {
		if err := os.WriteFile(filepath.Join(s.scope, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.environment = filepath.Join(t.TempDir(), "env")
	if err := os.CopyFS(s.environment, os.DirFS(filepath.Join(s.dir, "env-toy"+l.version))); err != nil {
		t.Skipf("the lab has no environment of toys: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(s.environment, "spack.lock"))
	if err != nil {
		t.Fatal(err)
	}
	if s.lock, err = lockfile.Parse(data); err != nil {
		t.Fatal(err)
	}
	return s
}

// command is a Spack that works on the install tree.
func (s *spackAt) command(arguments ...string) *exec.Cmd {
	cmd := exec.Command("bash", append([]string{"-c", `. "$0" && exec spack "$@"`, s.script, "-C", s.scope}, arguments...)...)
	return cmd
}

func (s *spackAt) spack(arguments ...string) string {
	s.t.Helper()
	cmd := s.command(arguments...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("spack %s: %v\n%s%s", strings.Join(arguments, " "), err, stdout.String(), stderr.String())
	}
	if strings.Contains(strings.ReplaceAll(stderr.String(), "Warning: Installing a spec from a v2 binary mirror", ""), "Warning") {
		s.t.Errorf("spack %s warns:\n%s", strings.Join(arguments, " "), stderr.String())
	}
	return stdout.String()
}

// installCached lets Spack install the toys from the cache.
func (s *spackAt) installCached() {
	s.t.Helper()
	s.spack(s.install("--cache-only")...)
}

// install are the arguments that install the environment.
func (s *spackAt) install(more ...string) []string {
	return append([]string{"-e", s.environment, "install", "--only-concrete", "--no-add"}, more...)
}

// found are the hashes that Spack says are installed, and whether explicitly.
func (s *spackAt) found() map[spack.Hash]bool {
	s.t.Helper()
	found := make(map[spack.Hash]bool)
	for _, kind := range []string{"--explicit", "--implicit"} {
		var list []struct{ Hash spack.Hash }
		if out := s.spack("find", "--json", kind); json.Unmarshal([]byte(out), &list) != nil {
			s.t.Fatalf("spack find says %s", out)
		}
		for _, e := range list {
			found[e.Hash] = kind == "--explicit"
		}
	}
	return found
}

func (s *spackAt) open() *Store {
	s.t.Helper()
	return openStore(s.t, s.root, Options{PaddedLength: s.padded, DatabaseVersion: s.generation})
}

// ours are the hashes that we say are installed, and whether explicitly.
func (s *spackAt) ours(store *Store) map[spack.Hash]bool {
	s.t.Helper()
	installed, err := store.Installed(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	found := make(map[spack.Hash]bool, len(installed))
	for h, rec := range installed {
		found[h] = rec.Explicit
	}
	return found
}

// packages are those that the roots need once they are installed, without the
// ones named.
func (s *spackAt) packages(without ...string) []Package {
	var packages []Package
	roots := lockfile.Hashes(s.lock.Roots)
	for _, spec := range s.lock.Specs.Closure(spack.LinkRun, roots...) {
		explicit := false
		for _, root := range roots {
			explicit = explicit || root == spec.Hash
		}
		left := false
		for _, name := range without {
			left = left || name == spec.Name
		}
		if !left {
			packages = append(packages, Package{Spec: spec, Explicit: explicit})
		}
	}
	return packages
}

func (s *spackAt) named(name string) *spack.Spec {
	s.t.Helper()
	for _, spec := range s.lock.Specs {
		if spec.Name == name {
			return spec
		}
	}
	s.t.Fatalf("there is no %s in the lab", name)
	return nil
}

// options install from the cache of the lab.
func (s *spackAt) options() InstallOptions {
	return InstallOptions{Specs: s.lock.Specs, Fetch: func(_ context.Context, spec *spack.Spec) (io.ReadCloser, error) {
		path, err := s.archive(spec.Hash)
		if err != nil {
			return nil, err
		}
		return os.Open(path)
	}}
}

// archive finds the archive of a package in the cache, of layout 2 or 3.
func (s *spackAt) archive(h spack.Hash) (string, error) {
	cache := filepath.Join(s.dir, "caches", s.cache)
	if found, _ := filepath.Glob(filepath.Join(cache, "build_cache/*/*/*/*-"+string(h)+".spack")); len(found) == 1 {
		return found[0], nil
	}
	found, _ := filepath.Glob(filepath.Join(cache, "v3/manifests/spec/*/*-"+string(h)+".spec.manifest.json"))
	if len(found) != 1 {
		return "", fmt.Errorf("%s is not in the cache", h)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		return "", err
	}
	var manifest struct {
		Data []struct{ MediaType, Checksum string }
	}
	if err := json.Unmarshal(data, &manifest); err != nil || len(manifest.Data) == 0 {
		return "", fmt.Errorf("%s: %w", found[0], err)
	}
	sum := manifest.Data[0].Checksum
	return filepath.Join(cache, "blobs/sha256", sum[:2], sum), nil
}

func fetchFiles(archives map[spack.Hash]string) func(context.Context, *spack.Spec) (io.ReadCloser, error) {
	return func(_ context.Context, spec *spack.Spec) (io.ReadCloser, error) { return os.Open(archives[spec.Hash]) }
}
