package filesystem_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/filesystem"
	"esd/internal/spack"
	"esd/internal/spack/store"
	"esd/internal/state"
)

// damageArchive changes a byte in each compressed blob of a package in the
// cache; what it gives puts them right again.
func (p *place) damageArchive(s *spack.Spec) (repair func()) {
	p.Helper()
	manifest := p.only("cache/v3/manifests/spec/" + s.Name + "/*" + string(s.Hash) + "*")
	text, err := os.ReadFile(manifest)
	if err != nil {
		p.Fatal(err)
	}
	for _, blob := range p.glob("cache/blobs/sha256/*/*") {
		data, err := os.ReadFile(blob)
		if err != nil {
			p.Fatal(err)
		}
		if !strings.Contains(string(text), filepath.Base(blob)) || len(data) < 2 || data[0] != 0x1f {
			continue
		}
		damaged := append([]byte{}, data...)
		damaged[len(damaged)/2] ^= 0xff
		if err := os.WriteFile(blob, damaged, 0o644); err != nil {
			p.Fatal(err)
		}
		before := repair
		repair = func() {
			if before != nil {
				before()
			}
			if err := os.WriteFile(blob, data, 0o644); err != nil {
				p.Error(err)
			}
		}
	}
	return repair
}

func (p *place) glob(pattern string) []string {
	p.Helper()
	found, err := filepath.Glob(p.path(pattern))
	if err != nil || len(found) == 0 {
		p.Fatalf("there is no %s: %v", pattern, err)
	}
	return found
}

func (p *place) only(pattern string) string { p.Helper(); return p.glob(pattern)[0] }

func TestADamagedArchiveKeepsBackOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	p := stack(t)
	p.one(atTree, "app@1", "extra@1")
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	repair := p.damageArchive(p.specs["hdf@1"])
	report := p.carryOut(made, c)
	if len(report.Failed) != 1 {
		t.Fatalf("%+v", report)
	}
	wantError(t, report.Failed[0].Err, "2 packages were not installed", "hdf@1/", "app@1/", "skipped")
	want(t, p.installed("tree"), "extra@1*", "zlib@1.2")
	repair()
	next := p.apply()
	if c := change(next, "target.filesystem.site"); c.Action != plan.Update && c.Action != plan.Create {
		t.Errorf("%+v", c)
	}
	want(t, p.installed("tree"), "app@1*", "extra@1*", "hdf@1", "zlib@1.2")
	p.nothingToDo()
	p.apply(destroying)
	if _, err := os.Stat(p.path("tree")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something is left")
	}
}

func TestPlansForetellWhatIsDownloaded(t *testing.T) {
	t.Parallel()
	p := stack(t)
	server := httptest.NewServer(http.FileServer(http.Dir(p.path("cache"))))
	defer server.Close()
	p.lock("sim", "app@1")
	p.configure(nil, `
cache "buildcache" "far" { url = "`+server.URL+`" }
environment "sim" {
  specs  = ["app@1"]
  caches = [cache.buildcache.far]
}
target "filesystem" "site" {
  packages = [environment.sim]
  path     = "tree"
}
`)
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	if made.Steps[0].Download < 3*100 {
		t.Errorf("%d bytes", made.Steps[0].Download)
	}
	report := p.carryOut(made, c)
	if !report.OK() || report.Downloaded != made.Steps[0].Download {
		t.Errorf("%d bytes, not %d: %+v", report.Downloaded, made.Steps[0].Download, report.Failed)
	}
	p.nothingToDo()
}

func TestDamagedStepsAreRefused(t *testing.T) {
	t.Parallel()
	p := stack(t)
	provider := filesystem.New(filesystem.Options{WorkDir: p.work, Archives: p.archives()})
	for name, c := range map[string]struct{ op, spec, words string }{
		"no JSON":              {"install", `{`, "the plan is damaged"},
		"an unknown operation": {"burn", `{}`, "another version of esd"},
		"a path of nowhere":    {"install", `{"tree":{"path":"relative"}}`, "not an absolute path"},
		"a ledger elsewhere":   {"install", `{"tree":{"path":"` + p.path("tree") + `","owner":"../../../../x"}}`, "names no ledger"},
		"a package of no lock": {"install", `{"tree":{"path":"` + p.path("tree") + `"},"members":[{"hash":"x"}]}`, "the plan is damaged"},
	} {
		_, err := provider.Apply(context.Background(), providers.Run{Op: c.op, Spec: []byte(c.spec), Log: t.Output(), Progress: func(_, _ int64) {}})
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordsThatSayNothingAreForgotten(t *testing.T) {
	t.Parallel()
	p := stack(t)
	provider := filesystem.New(filesystem.Options{WorkDir: p.work, Archives: p.archives()})
	for _, attributes := range []state.Attributes{nil, {"path": "/x"}, {"path": "/x", "owner": "../x"}} {
		steps, err := provider.PlanDestroy(providers.DestroyRequest{
			Address: address("target.filesystem.x"), Recorded: &state.Object{Attributes: attributes},
		})
		if len(steps) > 0 || err != nil {
			t.Errorf("%v: %v %v", attributes, steps, err)
		}
	}
}

func TestATreeOfAnOlderSpack(t *testing.T) {
	t.Parallel()
	p := stack(t)
	// A database of Spack 0.23, with nothing in it.
	if err := writeFile(p.path("tree/.spack-db/index.json"), `{"database":{"version":"7","installs":{}}}`); err != nil {
		t.Fatal(err)
	}
	p.one(atTree, "app@1")
	_, _, err := p.plan()
	wantError(t, err, "Spack 0.23 or older", "spack reindex")
}

func TestADatabaseThatIsDamagedOrTooNewIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"cut short": {`{"database":{"version":"8","inst`, store.ErrCorrupt},
		"too new":   {`{"database":{"version":"99","installs":{}}}`, store.ErrVersion},
	} {
		p := stack(t)
		if err := writeFile(p.path("tree/.spack-db/index.json"), c.text); err != nil {
			t.Fatal(err)
		}
		p.one(atTree, "app@1")
		_, _, err := p.plan()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		wantError(t, err, "target.filesystem.site", p.path("tree"))
	}
}

func TestATreeThatBelongsToSomebodyElse(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may change everything")
	}
	p := stack(t)
	p.asSomebodyElse("tree", "zlib@1.2")
	if err := os.Chmod(p.path("tree/.spack-db"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(p.path("tree/.spack-db"), 0o755) })
	p.one(atTree, "zlib@1.2")
	if c := change(p.apply(), "target.filesystem.site"); c.Action != plan.Adopt { // reading is enough
		t.Errorf("%+v", c)
	}
	p.nothingToDo()
	p.one(atTree, "app@1")
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	report := p.carryOut(made, c)
	if len(report.Failed) != 1 {
		t.Fatalf("%+v", report)
	}
	wantError(t, report.Failed[0].Err, "this user may not change the install tree "+p.path("tree"), "as its owner")
}
