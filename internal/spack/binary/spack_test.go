package binary

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/archive"
	"esd/internal/spack"
)

// lab is where real Spack and what it made are: stores store12, store12p,
// store023 and the build caches v3, v3-padded, v2.
func lab(t testing.TB) string {
	t.Helper()
	env := os.Getenv("ESD_TEST_SPACK")
	if env == "" {
		t.Skip("ESD_TEST_SPACK is not set: no archives of a real Spack to compare with")
	}
	lab := filepath.Dir(env)
	if _, err := os.Stat(filepath.Join(lab, "caches")); err != nil {
		t.Skipf("no build caches beside ESD_TEST_SPACK: %v", err)
	}
	return lab
}

// storeIndex is what Spack's database says of a store.
type storeIndex struct {
	root  string
	specs spack.Specs
	paths map[spack.Hash]string
}

func readIndex(t testing.TB, dir, root string, version int) storeIndex {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, ".spack-db", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Database struct {
			Installs map[spack.Hash]struct {
				Spec      json.RawMessage
				Path      string
				Installed bool
			}
		}
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	s := storeIndex{root: root, specs: spack.Specs{}, paths: map[spack.Hash]string{}}
	for h, i := range index.Database.Installs {
		spec, err := spack.DecodeSpec(i.Spec, version)
		if err != nil {
			t.Fatal(err)
		}
		spec.Hash = h
		s.specs[h] = spec
		if i.Installed && !spec.IsExternal() {
			s.paths[h] = i.Path
		}
	}
	return s
}

func (s storeIndex) locate(h spack.Hash) (string, bool) {
	p, ok := s.paths[h]
	return p, ok
}

func (s storeIndex) hashes() []spack.Hash {
	var all []spack.Hash
	for h := range s.paths {
		all = append(all, h)
	}
	slices.Sort(all)
	return all
}

// cached finds the archive of a package in a cache of layout 2 or 3.
func cached(t testing.TB, cache string, spec *spack.Spec) string {
	t.Helper()
	manifests, _ := filepath.Glob(filepath.Join(cache, "v3/manifests/spec", spec.Name, "*"+string(spec.Hash)+"*"))
	if len(manifests) > 0 {
		data, err := os.ReadFile(manifests[0])
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(data), `"checksum":"`)
		sum, _, _ := strings.Cut(after, `"`)
		return filepath.Join(cache, "blobs/sha256", sum[:2], sum)
	}
	found := ""
	_ = filepath.WalkDir(filepath.Join(cache, "build_cache"), func(p string, _ fs.DirEntry, _ error) error {
		if strings.HasSuffix(p, string(spec.Hash)+".spack") {
			found = p
		}
		return nil
	})
	return found
}

func gunzipped(t testing.TB, name string) []byte {
	t.Helper()
	out, err := exec.Command("gzip", "-dc", name).Output()
	if err != nil {
		t.Skipf("gzip: %v", err)
	}
	return out
}

// padded gives the root of a store as Spack pads it.
func padded(root string, length int) string {
	const placeholder = "/__spack_path_placeholder__"
	return (root + strings.Repeat(placeholder, length/len(placeholder)+1))[:length]
}

func TestPackedPrefixesAreSpacksArchives(t *testing.T) {
	t.Parallel()
	lab := lab(t)
	for store, cache := range map[string]string{"store12": "v3", "store12p": "v3-padded"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			top := filepath.Join(lab, store)
			root := top
			if cache == "v3-padded" {
				root = padded(top, 256)
			}
			index := readIndex(t, root, root, 5)
			compared := 0
			for _, h := range index.hashes() {
				name := cached(t, filepath.Join(lab, "caches", cache), index.specs[h])
				if name == "" {
					continue
				}
				var out bytes.Buffer
				packed, err := Pack(context.Background(), &out, PackRequest{
					Prefix: index.paths[h], Spec: index.specs[h], Specs: index.specs, Locate: index.locate,
					StoreRoot: root, UnpaddedRoot: top, SpackRoot: filepath.Join(lab, "spack12"), Level: 1,
				})
				if err != nil {
					t.Fatal(err)
				}
				ours := filepath.Join(t.TempDir(), "ours.tar.gz")
				if err := os.WriteFile(ours, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				want, got := gunzipped(t, name), gunzipped(t, ours)
				if !bytes.Equal(got, want) || packed.TarSize != int64(len(want)) {
					t.Errorf("the archive of %s differs (%d and %d bytes)", index.specs[h].ID(), len(got), len(want))
				}
				compared++
			}
			if compared < 20 {
				t.Errorf("only %d archives were compared", compared)
			}
		})
	}
}

func treeOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			tree[rel] = "link to " + target
			return err
		case d.IsDir():
			tree[rel] = fmt.Sprintf("directory %o", info.Mode().Perm())
		default:
			data, err := os.ReadFile(p)
			tree[rel] = fmt.Sprintf("file %o %s", info.Mode().Perm(), data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func diffTrees(want, got map[string]string) []string {
	var diff []string
	for name, w := range want {
		if g, ok := got[name]; !ok {
			diff = append(diff, name+" is missing")
		} else if g != w {
			i := 0
			for i < min(len(g), len(w)) && g[i] == w[i] {
				i++
			}
			diff = append(diff, fmt.Sprintf("%s differs at byte %d: %.100q, want %.100q", name, i, g[max(0, i-20):], w[max(0, i-20):]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			diff = append(diff, name+" is not wanted")
		}
	}
	slices.Sort(diff)
	return diff
}

// spackInstall lets Spack install everything of a cache into a root.
func spackInstall(t *testing.T, env, toy, cache, root string, padding int, suffix ...string) {
	t.Helper()
	lab := filepath.Dir(env)
	conf := t.TempDir()
	config := fmt.Sprintf("config:\n  install_tree:\n    root: %s\n    padded_length: %d\n", root, padding)
	mirrors := fmt.Sprintf("mirrors::\n  m:\n    url: file://%s\n    signed: false\n", filepath.Join(lab, "caches", cache))
	for name, text := range map[string]string{"config.yaml": config, "mirrors.yaml": mirrors} {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := `. "$0" && cp -r "$1" "$2/env" && spack -C "$2" -e "$2/env" install --use-buildcache=only --only-concrete --no-add --no-check-signature </dev/null ` + strings.Join(suffix, " ")
	cmd := exec.Command("bash", "-c", script, env, filepath.Join(lab, toy), conf)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("spack install: %v\n%s", err, out)
	}
}

func TestInstallsAreSpacksInstalls(t *testing.T) {
	lab := lab(t)
	for name, c := range map[string]struct {
		env, toy, cache string
		padding         int
		specfile        int
	}{
		"from a plain store to a short root":    {"env12.sh", "env-toy12", "v3", 0, 5},
		"from a padded store to a short root":   {"env12.sh", "env-toy12", "v3-padded", 0, 5},
		"from a padded store to another padded": {"env12.sh", "env-toy12", "v3-padded", 200, 5},
		"from an archive of Spack 0.23":         {"env12.sh", "env-toy023", "v2", 0, 4},
	} {
		t.Run(name, func(t *testing.T) {
			// Shorter than the root of the archives: Spack cannot do otherwise.
			top, err := os.MkdirTemp("/tmp", "s")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(top)
			spackInstall(t, filepath.Join(lab, c.env), c.toy, c.cache, top, c.padding)
			root := top
			if c.padding > 0 {
				root = padded(top, c.padding)
			}
			index := readIndex(t, root, root, 5)
			ours := t.TempDir()
			total := 0
			for _, h := range index.hashes() {
				spec := index.specs[h]
				file := cached(t, filepath.Join(lab, "caches", c.cache), spec)
				if file == "" {
					t.Fatalf("%s is not in the cache", spec.ID())
				}
				req := Request{
					Spec: spec, Specs: index.specs, Prefix: index.paths[h], Dest: filepath.Join(ours, string(h)),
					Root: top, StoreRoot: root, Locate: index.locate, NoSync: true,
				}
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				done, err := Install(context.Background(), bytes.NewReader(data), req)
				if err != nil {
					t.Error(err)
					continue
				}
				want, got := treeOf(t, index.paths[h]), treeOf(t, req.Dest)
				// Spack writes the times of this install.
				delete(want, ".spack/install_times.json")
				delete(got, ".spack/install_times.json")
				if diff := diffTrees(want, got); len(diff) > 0 {
					t.Errorf("%s:\n%s", spec.ID(), strings.Join(diff, "\n"))
				}
				total += len(want)
				compareLayer(t, data, req)
				if prefix, err := Prefix(bytes.NewReader(data[:min(len(data), 8<<10)])); err != nil || prefix != done.OldPrefix {
					t.Errorf("the prefix is %q, not %q: %v", prefix, done.OldPrefix, err)
				}
			}
			t.Logf("%d packages, %d files and directories", len(index.paths), total)
		})
	}
}

// compareLayer checks that a layer made at once is the layer of the install.
func compareLayer(t testing.TB, data []byte, req Request) {
	t.Helper()
	var want, got bytes.Buffer
	at := strings.TrimPrefix(req.Prefix, "/")
	if _, err := archive.Pack(context.Background(), &want, archive.PackOptions{Root: req.Dest, At: at, Compression: archive.None}); err != nil {
		t.Fatal(err)
	}
	if _, err := Layer(context.Background(), bytes.NewReader(data), &got, req); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(want.Bytes(), got.Bytes()) {
		t.Errorf("the layer of %s is not the one of its install", req.Spec.ID())
	}
}
