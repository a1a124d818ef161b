package workspace

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBuildCachesOfAConfigurationAreAskedWhetherTheyCanBeUsed(t *testing.T) {
	t.Parallel()
	denying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(denying.Close)
	empty := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(empty.Close)
	for name, test := range map[string]struct {
		block string
		grade Grade
		text  string
	}{
		"a directory":                      {`url = "there"`, Good, "layout v3, readable, writable"},
		"one that is never pushed to":      {"url = \"there\"\n  push = false", Good, "readable, never pushed to"},
		"one that the first push makes":    {`url = "not/there"`, Good, "not there yet; the first push makes it"},
		"one that is not there to be read": {"url = \"not/there\"\n  push = false", Hint, "not there, and never pushed to"},
		"an empty web server":              {`url = "` + empty.URL + `"`, Good, "layout v3, readable, never pushed to"},
		"a web server that lets nobody in": {`url = "` + denying.URL + `"`, Broken, "cannot be read"},
		"a key file that does not exist":   {"url = \"there\"\n  signed = true\n  trusted_keys = [\"key.asc\"]", Broken, "key.asc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "there"), 0o755); err != nil {
				t.Fatal(err)
			}
			writeAll(t, filepath.Join(dir, "main.hcl"), "cache \"buildcache\" \"c\" {\n  "+test.block+"\n}\n")
			found := ExamineConfiguration(context.Background(), Options{Path: dir})
			if len(found) != 1 || found[0].Grade != test.grade || !strings.Contains(found[0].Text, test.text) {
				t.Errorf("%+v", found)
			}
			if found[0].Name != "cache.buildcache.c" || CanBuild(found) == (test.grade == Broken) {
				t.Errorf("%+v", found[0])
			}
			left, err := filepath.Glob(filepath.Join(dir, "*", ".*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestACacheThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	dir := t.TempDir()
	writeAll(t, filepath.Join(dir, "main.hcl"), "cache \"buildcache\" \"c\" {\n  url = \"http://"+silent.Addr().String()+"\"\n}\n")
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond) // less than a user would wait
	defer cancel()
	found := ExamineConfiguration(ctx, Options{Path: dir})
	if len(found) != 1 || found[0].Grade != Broken || !strings.Contains(found[0].Text, "did not answer") {
		t.Errorf("%+v", found)
	}
}

func TestInstancesOfSpackAreLookedForAndNotFetched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spack := filepath.Join(dir, "spack")
	writeAll(t, filepath.Join(spack, "bin", "spack"), "#!/bin/sh\n")
	writeAll(t, filepath.Join(spack, "lib", "spack", "spack", "__init__.py"), "__version__ = \"1.1.0\"\n")
	writeAll(t, filepath.Join(dir, "main.hcl"), `
spack "here" { path = "spack" }
spack "nowhere" { path = "nothing" }
spack "distant" {
  repository = "https://example.org/spack.git"
  ref        = "9cf66332df3dd988248617fc93400045be59ebab"
  package_repository "site" { path = "absent" }
}
spack "loose" {
  repository = "https://example.org/spack.git"
  ref        = "develop"
}
`)
	got := map[string]string{}
	for _, f := range ExamineConfiguration(context.Background(), Options{Path: dir}) {
		got[f.Name] += string(f.Grade) + ": " + f.Text + "\n"
	}
	for name, want := range map[string]string{
		"spack.here":    "ok: 1.1.0, ",
		"spack.nowhere": "hint: ",
		"spack.distant": "ok: https://example.org/spack.git at 9cf66332df3d; it is cloned when something is locked or built\nhint: the package repository site",
		"spack.loose":   "hint: https://example.org/spack.git is not pinned",
	} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func TestAConfigurationWithMistakesIsExaminedAsFarAsItGoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if HasConfiguration(dir) {
		t.Error("there is nothing there")
	}
	writeAll(t, filepath.Join(dir, "esd.lock.hcl"), "version = 1\n")
	if HasConfiguration(dir) {
		t.Error("a lock file is no configuration")
	}
	writeAll(t, filepath.Join(dir, "main.hcl"), "cache \"buildcache\" \"c\" {\n")
	if !HasConfiguration(dir) || !HasConfiguration(filepath.Join(dir, "main.hcl")) {
		t.Error("it was not found")
	}
	found := ExamineConfiguration(context.Background(), Options{Path: dir})
	if len(found) != 1 || found[0].Grade != Hint || !strings.Contains(found[0].Advice, "esd validate") {
		t.Errorf("%+v", found)
	}
}

func writeAll(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
