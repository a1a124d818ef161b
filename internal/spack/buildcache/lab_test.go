package buildcache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
	"esd/internal/spack/signature"
)

// lab is a real Spack of one generation, with caches that it wrote beside it.
type lab struct{ env, caches string }

// realSpack finds the lab by the file to source that a variable names.
func realSpack(t *testing.T, variable string) lab {
	t.Helper()
	env := os.Getenv(variable)
	if env == "" {
		t.Skipf("%s is not set: it names a file that sets the environment of a real Spack, beside a folder caches/", variable)
	}
	return lab{env, filepath.Join(filepath.Dir(env), "caches")}
}

// run runs commands of Spack with its own caches, configuration and stores.
func (l lab) run(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", ". "+l.env+"; set -e; cd "+t.TempDir()+"\n"+script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n%s\n%v", script, out, err)
	}
	return string(out)
}

func (l lab) copyOf(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(l.caches, name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// anySpack finds the lab by whichever generation there is.
func anySpack(t *testing.T) lab {
	if os.Getenv("ESD_TEST_SPACK") == "" && os.Getenv("ESD_TEST_SPACK_023") != "" {
		return realSpack(t, "ESD_TEST_SPACK_023")
	}
	return realSpack(t, "ESD_TEST_SPACK")
}

func TestCachesOfRealSpackAreRead(t *testing.T) {
	t.Parallel()
	l := anySpack(t)
	ring, err := signature.ReadKeyring(filepath.Join(l.caches, "key.asc"))
	if err != nil {
		t.Fatal(err)
	}
	for name, layout := range map[string]Layout{
		"v2": V2, "v3": V3, "v2-padded": V2, "v3-padded": V3, "v2-signed": V2, "v3-signed": V3,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := Options{Directory: t.TempDir()}
			signed := strings.HasSuffix(name, "-signed")
			if signed {
				opts.Trust = signature.Policy{Mode: signature.Require, Keys: ring}
			}
			c := mustOpen(t, filepath.Join(l.caches, name), opts)
			if got, err := c.Layout(t.Context()); got != layout || err != nil {
				t.Fatalf("layout %v, %v", got, err)
			}
			entries, err := c.List(t.Context())
			if err != nil || len(entries) < 20 {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
			findings, err := c.Check(t.Context(), CheckOptions{Archives: true})
			if err != nil || len(findings) > 0 {
				t.Errorf("findings %v, %v", findings, err)
			}
			var specs []*spack.Spec
			all := spack.Specs{}
			for _, e := range entries {
				s, closure := specsIn(t, c, e)
				specs = append(specs, s)
				for _, d := range closure {
					all[d.Hash] = d
				}
			}
			for use, verify := range map[IndexUse]bool{IndexAlways: false, IndexNever: true, IndexAuto: false} {
				found := mustLookup(t, c, LookupOptions{Specs: all, Index: use, Verify: verify}, specs...)
				if len(found) != len(specs) {
					t.Errorf("use %v: found %d of %d", use, len(found), len(specs))
				}
				for _, e := range found {
					if e.Problem != nil || e.Signed && e.Signer == "" || e.Signed != signed && e.Resolved() {
						t.Errorf("use %v: %+v", use, e)
					}
				}
			}
		})
	}
}

// specsIn reads the spec of an entry.
func specsIn(t *testing.T, c *Cache, e Entry) (*spack.Spec, spack.Specs) {
	t.Helper()
	text, err := c.Spec(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := spack.DecodeDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root, doc.Specs
}

// indexEntry is an entry of an index as Spack writes it.
type indexEntry struct {
	Spec         map[string]any `json:"spec"`
	RefCount     int            `json:"ref_count"`
	InBuildcache bool           `json:"in_buildcache"`
}

func readIndex(t *testing.T, c *Cache) (string, map[string]indexEntry) {
	t.Helper()
	b, err := c.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in, err := b.openIndex(t.Context(), indexID{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Database struct {
			Version  string                `json:"version"`
			Installs map[string]indexEntry `json:"installs"`
		} `json:"database"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Database.Version, doc.Database.Installs
}

func TestIndexesAreThoseThatRealSpackWrites(t *testing.T) {
	t.Parallel()
	l := anySpack(t)
	for name, drop := range map[string][]string{
		"v3": nil, "v2": nil,
		"v3-padded": {"v3/manifests/index"}, "v2-padded": {"build_cache/index.json", "build_cache/index.json.hash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			theirs := mustOpen(t, filepath.Join(l.caches, name), Options{})
			dir := l.copyOf(t, name)
			for _, d := range drop {
				if err := os.RemoveAll(filepath.Join(dir, d)); err != nil {
					t.Fatal(err)
				}
			}
			ours := mustOpen(t, dir, Options{})
			var ids []indexID
			for range 2 { // from what is there, and from its own
				if _, err := ours.UpdateIndex(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantVersion, want := readIndex(t, theirs)
				gotVersion, got := readIndex(t, ours)
				if wantVersion != gotVersion {
					t.Errorf("version %s, want %s", gotVersion, wantVersion)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-Spack +ours:\n%s", diff)
				}
				b, _ := ours.get(t.Context())
				in, err := b.openIndex(t.Context(), indexID{})
				if err != nil {
					t.Fatal(err)
				}
				in.Close()
				ids = append(ids, indexID{Digest: in.id.Digest})
			}
			if ids[0] != ids[1] {
				t.Errorf("two indexes of one cache differ: %v", ids)
			}
		})
	}
}

func TestManifestsAreWrittenAsRealSpackWritesThem(t *testing.T) {
	t.Parallel()
	l := anySpack(t)
	src := mustOpen(t, filepath.Join(l.caches, "v3"), Options{})
	dst := mustOpen(t, t.TempDir(), Options{})
	entries, err := src.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(t.Context(), dst, src, entries, CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.key.v3Manifest()
		want, err1 := os.ReadFile(filepath.Join(l.caches, "v3", name))
		got, err2 := os.ReadFile(filepath.Join(strings.TrimPrefix(dst.Location(), "file://"), name))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		// Compressors differ, so the digest of the spec does; the spec does not.
		wantSpec, _ := src.Spec(t.Context(), e)
		gotSpec, _ := dst.Spec(t.Context(), e)
		if !bytes.Equal(wantSpec, gotSpec) {
			t.Errorf("%s: specs differ", e.ID())
		}
		cut := func(b []byte) string { return string(b[:bytes.Index(b, []byte(`"contentLength"`))+330]) }
		if w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n"); len(w) != len(g) || w[0] != g[0] || len(w[9]) != len(g[9]) {
			t.Errorf("%s:\n%s\n%s", e.ID(), cut(want), cut(got))
		}
		for i, line := range strings.Split(string(want), "\n") {
			if i < 11 && line != strings.Split(string(got), "\n")[i] {
				t.Errorf("%s: line %d is %q, Spack writes %q", e.ID(), i, strings.Split(string(got), "\n")[i], line)
			}
		}
	}
}

// install installs the toys of the lab from one cache only, into a store of its own,
// and runs one of them.
func (l lab) install(t *testing.T, generation, url string, signed bool) {
	t.Helper()
	root, err := os.MkdirTemp("/tmp", "s") // short: unpadded archives need a root of 16 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	env := filepath.Join(t.TempDir(), "env")
	if err := os.CopyFS(env, os.DirFS(filepath.Join(filepath.Dir(l.env), "env-toy"+generation))); err != nil {
		t.Fatal(err)
	}
	scope := l.scope(t, url, signed, root)
	l.run(t, "spack -C "+scope+" -e "+env+" install --only-concrete --no-add --use-buildcache=only </dev/null")
	out := l.run(t, "p=$(find "+root+" -path '*esd-app*/bin/esd-app' -type f); test -n \"$p\"; $p")
	if !strings.Contains(out, "42") {
		t.Errorf("esd-app says %q", out)
	}
}

// scope writes a configuration with one mirror.
func (l lab) scope(t *testing.T, url string, signed bool, root string) string {
	t.Helper()
	scope := t.TempDir()
	files := map[string]string{
		"mirrors.yaml": "mirrors::\n  ours: {url: '" + url + "', binary: true, source: false, signed: " + map[bool]string{true: "true", false: "false"}[signed] + "}\n",
		"config.yaml": "config:\n  install_tree: {root: " + root + "}\n  source_cache: " + scope + "/src\n" +
			"  build_stage:: [" + scope + "/stage]\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(scope, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return scope
}

// copyAll copies all entries of a cache of the lab into a new one.
func (l lab) copyAll(t *testing.T, dst *Cache, name string) []Entry {
	t.Helper()
	src := mustOpen(t, filepath.Join(l.caches, name), Options{})
	entries, err := src.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	copied, err := Copy(t.Context(), dst, src, entries, CopyOptions{})
	if err != nil || len(copied) != len(entries) {
		t.Fatalf("copied %d of %d: %v", len(copied), len(entries), err)
	}
	if _, err := dst.UpdateIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return copied
}

func (l lab) signer(t *testing.T) *signature.Signer {
	t.Helper()
	s, err := signature.LoadSigner(signature.KeySource{File: filepath.Join(l.caches, "secret.asc")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newRegistryProgram starts a real registry.
func newRegistryProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: " + t.TempDir() +
		"}, delete: {enabled: true}}\nhttp: {addr: '" + address + "'}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return address
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the registry does not start")
	return ""
}

func TestRegistriesAreSharedWithRealSpack(t *testing.T) {
	t.Parallel()
	l := realSpack(t, "ESD_TEST_SPACK")
	url := "oci+http://" + newRegistryProgram(t) + "/toys"
	ours := mustOpen(t, url, Options{})
	entries := l.copyAll(t, ours, "v3")
	l.install(t, "12", url, false)
	// "spack buildcache list" reads no index over oci+http, not even its own
	// (get_index_fetcher knows the scheme oci only), so indexes are compared.
	// Spack's own index of what we pushed is ours, and it pushes beside it.
	_, before := readIndex(t, ours)
	l.run(t, "spack -C "+l.scope(t, url, false, t.TempDir())+" buildcache update-index "+url+" </dev/null")
	version, after := readIndex(t, ours)
	if diff := cmp.Diff(before, after); diff != "" || version != dbVersion {
		t.Errorf("version %s, -ours +Spack's:\n%s", version, diff)
	}
	theirs := url + "/pushed"
	l.run(t, "spack -e "+filepath.Join(filepath.Dir(l.env), "env-toy12")+" -c config:install_tree:root:"+filepath.Join(filepath.Dir(l.env), "store12")+
		" buildcache push --unsigned --update-index "+theirs+" </dev/null")
	c := mustOpen(t, theirs, Options{})
	if findings, err := c.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) != 0 {
		t.Errorf("what Spack pushed: %v, %v", findings, err)
	}
	pushed, err := c.List(t.Context())
	if err != nil || len(pushed) < len(entries) {
		t.Errorf("Spack pushed %d, we %d: %v", len(pushed), len(entries), err)
	}
}

func TestSignaturesAreCarriedOrMadeAnew(t *testing.T) {
	t.Parallel()
	l := anySpack(t)
	ring, err := signature.ReadKeyring(filepath.Join(l.caches, "key.asc"))
	if err != nil {
		t.Fatal(err)
	}
	demand := signature.Policy{Mode: signature.Require, Keys: ring}
	for name, layout := range map[string]Layout{"v3-signed": V3, "v2-signed": V2} {
		src := mustOpen(t, filepath.Join(l.caches, name), Options{Trust: demand})
		entries, err := src.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		dst := mustOpen(t, dir, Options{Layout: layout, Trust: demand})
		if _, err := Copy(t.Context(), dst, src, entries, CopyOptions{CarrySignatures: true}); err != nil {
			t.Fatal(err)
		}
		if findings, err := dst.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) != 0 {
			t.Errorf("%s, carried: %v, %v", name, findings, err)
		}
		bare := mustOpen(t, t.TempDir(), Options{Layout: layout})
		copied, err := Copy(t.Context(), bare, src, entries[:1], CopyOptions{})
		if err != nil || copied[0].Signed {
			t.Errorf("%s, not carried: %+v, %v", name, copied, err)
		}
		strict := mustOpen(t, strings.TrimPrefix(bare.Location(), "file://"), Options{Trust: demand})
		s, all := specsIn(t, src, entries[0])
		found := mustLookup(t, strict, LookupOptions{Specs: all}, s)
		if err := found[s.Hash].Problem; !errors.Is(err, signature.ErrUnsigned) {
			t.Errorf("%s, unsigned where a signature is demanded: %v", name, err)
		}
		if _, err := Copy(t.Context(), mustOpen(t, t.TempDir(), Options{Layout: 5 - layout}), src, entries, CopyOptions{CarrySignatures: true}); err == nil {
			t.Errorf("%s: a signature was carried to another layout", name)
		}
	}
}

func TestRealSpackInstallsWhatWeWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		generation, variable, from string
		layout                     Layout
		signed                     bool
	}{
		"version 3":                   {"12", "ESD_TEST_SPACK", "v3", V3, false},
		"version 3, signed":           {"12", "ESD_TEST_SPACK", "v3", V3, true},
		"version 2":                   {"023", "ESD_TEST_SPACK_023", "v2", V2, false},
		"version 2, signed":           {"023", "ESD_TEST_SPACK_023", "v2", V2, true},
		"version 3 made of version 2": {"023as12", "ESD_TEST_SPACK", "v2", V3, false},
		"version 2, read by 1.x":      {"023as12", "ESD_TEST_SPACK", "v2", V2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := realSpack(t, test.variable)
			opts := Options{Layout: test.layout}
			if test.signed {
				opts.Signer = l.signer(t)
			}
			dst := mustOpen(t, t.TempDir(), opts)
			l.copyAll(t, dst, test.from)
			env := strings.TrimSuffix(test.generation, "as12")
			l.install(t, env, dst.Location(), test.signed)
			listed := l.run(t, "spack -C "+l.scope(t, dst.Location(), test.signed, t.TempDir())+" buildcache list -aL </dev/null")
			if n := strings.Count(listed, "esd-"); n < 15 {
				t.Errorf("spack buildcache list shows %d toys:\n%s", n, listed)
			}
		})
	}
}
