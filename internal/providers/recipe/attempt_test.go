package recipe

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"esd/internal/providers"
	"esd/internal/sandbox"
)

// attempt is one process that builds the package x with a script. What happens
// when its process is killed and its supervisor is not yet, is played by using
// its workshop later.
func attempt(t *testing.T, workDir, script string) *job {
	t.Helper()
	box, why, err := choose(t.Context(), sandbox.Namespace)
	if err != nil {
		t.Skip(err)
	}
	p := New(Options{WorkDir: workDir})
	place, err := p.store.place(box, "/opt/esd")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(place.dir, metaDir), 0o755); err != nil {
		t.Fatal(err)
	}
	return &job{
		provider: p, run: providers.Run{CPUs: 1, Log: io.Discard}, place: place, box: box, why: why,
		step: stepSpec{Root: "/opt/esd", Base: "x-1-abcdefg", Script: script},
	}
}

func (j *job) mustPrepare(t *testing.T) *workshop {
	t.Helper()
	w, err := j.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAScriptThatStartsAfterItsBuildWasGivenUpTouchesNoOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	killed := attempt(t, dir, "echo late > $prefix/product")
	old := killed.mustPrepare(t)
	next := attempt(t, dir, "echo whole > $prefix/product")
	w := next.mustPrepare(t)
	if _, err := next.runScript(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if _, err := killed.runScript(context.Background(), old); err == nil {
		t.Error("the late script has found the directory that it was to build in")
	}
	if err := next.settle(w); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(next.place.path("x-1-abcdefg"), "product"))
	if err != nil || string(got) != "whole\n" {
		t.Errorf("the product is %q, %v", got, err)
	}
}

func TestABuildRemovesWhatEarlierAttemptsLeft(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	build := filepath.Join(dir, "build")
	for _, name := range []string{"x-1-abcdefg/a", "x-1-abcdefg~OLD/b", "x-1-abcdefg.1-hijklmn~OLD/c", "x-1-abcdefg.1-hijklmn/d", "y-1-abcdefg~OLD/e"} {
		if err := os.MkdirAll(filepath.Join(build, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	first := attempt(t, dir, "").mustPrepare(t)
	second := attempt(t, dir, "").mustPrepare(t)
	entries, err := os.ReadDir(build)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]bool{}
	for _, e := range entries {
		left[e.Name()] = true
	}
	for name, want := range map[string]bool{
		"x-1-abcdefg": false, "x-1-abcdefg~OLD": false, filepath.Base(first.rootDir): false, filepath.Base(second.rootDir): true,
		"x-1-abcdefg.1-hijklmn": true, "x-1-abcdefg.1-hijklmn~OLD": true, "y-1-abcdefg~OLD": true,
	} {
		if left[name] != want {
			t.Errorf("%s: there is %v, want %v", name, left[name], want)
		}
	}
}
