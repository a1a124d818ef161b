package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // it is what Spack's hashes are made of
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"esd/internal/spack"
	"esd/internal/spack/binary"
)

// dag makes concrete specs for tests, with hashes as Spack computes them.
type dag struct {
	t        testing.TB
	specfile int
	specs    spack.Specs
	byName   map[string]*spack.Spec
}

func newDAG(t testing.TB) *dag {
	return &dag{t: t, specfile: 5, specs: spack.Specs{}, byName: map[string]*spack.Spec{}}
}

// add makes a spec; dependencies are written "name:types", as in "zlib:build,link".
func (d *dag) add(name string, dependencies ...string) *spack.Spec {
	d.t.Helper()
	return d.node(name, "", dependencies)
}

// external makes a spec of something that the system has at path.
func (d *dag) external(name, path string) *spack.Spec {
	d.t.Helper()
	return d.node(name, fmt.Sprintf(`,"external":{"path":%q,"module":null,"extra_attributes":{}}`, path), nil)
}

func (d *dag) node(name, external string, dependencies []string) *spack.Spec {
	d.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `{"name":%q,"version":"1.0","arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"}`, name)
	if d.specfile == 4 {
		b.WriteString(`,"compiler":{"name":"gcc","version":"12.2.0"}`)
	}
	fmt.Fprintf(&b, `,"namespace":"toys","parameters":{"build_system":"generic","cflags":[]}%s,"package_hash":"aaaa===="`, external)
	for i, dependency := range dependencies {
		depName, types, _ := strings.Cut(dependency, ":")
		quoted, _ := json.Marshal(strings.Split(types, ","))
		separator := ","
		if i == 0 {
			separator = `,"dependencies":[`
		}
		fmt.Fprintf(&b, `%s{"name":%q,"hash":%q,"parameters":{"deptypes":%s,"virtuals":[]}}`, separator, depName, d.byName[depName].Hash, quoted)
	}
	if len(dependencies) > 0 {
		b.WriteString("]")
	}
	if d.specfile == 5 {
		b.WriteString(`,"annotations":{"original_specfile_version":5}`)
	}
	sum := sha1.Sum([]byte(b.String() + "}")) //nolint:gosec // as above
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	spec, err := spack.DecodeSpec([]byte(b.String()+`,"hash":"`+hash+`"}`), d.specfile)
	if err != nil {
		d.t.Fatal(err)
	}
	d.specs[spec.Hash], d.byName[name] = spec, spec
	return spec
}

func (d *dag) packages(names ...string) []Package {
	var list []Package
	for _, name := range names {
		list = append(list, Package{Spec: d.byName[name], Explicit: true})
	}
	return list
}

// options install archives that consist of one file, bin/NAME.
func (d *dag) options() InstallOptions {
	return InstallOptions{Specs: d.specs, Fetch: fetchToy, Unpack: unpackToy}
}

func fetchToy(_ context.Context, s *spack.Spec) (io.ReadCloser, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	files := []struct {
		name, content string
		mode          int64
	}{
		{".spack/spec.json", `{"spec":{"_meta":{"version":5},"nodes":[` + string(s.Raw) + `]}}`, 0o644},
		{"bin/" + s.Name, "#!/bin/sh\necho " + s.Name + "\n", 0o755},
	}
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content))}); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&b), w.Close()
}

func unpackToy(ctx context.Context, archive io.Reader, r binary.Request) (done binary.Installed, _ error) {
	for _, e := range r.Spec.Dependencies {
		if _, ok := r.Locate(e.Hash); !ok && e.Types&spack.LinkRun != 0 {
			return done, fmt.Errorf("where is %s?", e.Name)
		}
	}
	reader := tar.NewReader(archive)
	for {
		h, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return done, ctx.Err()
		}
		if err != nil {
			return done, err
		}
		path := filepath.Join(r.Prefix, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return done, err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return done, err
		}
		if err := os.WriteFile(path, content, fs.FileMode(h.Mode)); err != nil {
			return done, err
		}
	}
}

// noon is when everything happens.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 250_000_000, time.UTC)

func openStore(t testing.TB, root string, opts Options) *Store {
	t.Helper()
	if opts.Clock == nil {
		opts.Clock = func() time.Time { return noon }
	}
	s, err := Open(root, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// state is what the database says, in words.
func state(t testing.TB, s *Store) map[string]string {
	t.Helper()
	records, err := s.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string]string)
	for _, rec := range records.All() {
		word := "missing"
		if rec.Installed {
			word = "installed"
		}
		if rec.Explicit {
			word += " explicit"
		}
		words[rec.Spec.Name] = fmt.Sprintf("%s refs=%d", word, rec.RefCount)
	}
	return words
}

func mustInstall(t testing.TB, s *Store, packages []Package, opts InstallOptions) Result {
	t.Helper()
	result, err := s.Install(t.Context(), packages, opts)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func mustVerify(t testing.TB, s *Store) {
	t.Helper()
	problems, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

func names(specs []*spack.Spec) []string {
	var list []string
	for _, s := range specs {
		list = append(list, s.Name)
	}
	return list
}

func contains(text, part string) bool { return strings.Contains(text, part) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
