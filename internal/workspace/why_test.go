package workspace

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/plan"
)

// laboratory opens a copy of the example of that name, with a build cache that has
// nothing.
func laboratory(t *testing.T) *Workspace {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"ebrains-lab.hcl", "ebrains-lab.lock.hcl", "locks/lab.spack.lock"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		writeAll(t, filepath.Join(dir, file), string(text))
	}
	w, diags := Open(Options{Path: filepath.Join(dir, "ebrains-lab.hcl")})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return w
}

func explained(t *testing.T, w *Workspace, address string) Why {
	t.Helper()
	target, err := addr.ParseTarget(address)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := w.Why(context.Background(), target, PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d explanations of %s", len(list), address)
	}
	return list[0]
}

func TestAPackageIsExplainedByTheSpecsThroughWhichItComesIn(t *testing.T) {
	t.Parallel()
	w := laboratory(t)
	step := func(name, how string) WhyStep { return WhyStep{"environment.lab/" + name, how} }
	for name, test := range map[string]struct {
		address string
		asked   []string
		path    []WhyStep
		built   int
	}{
		"one that was asked for": {"environment.lab/nest", []string{"nest+mpi+python"}, nil, 87},
		"one that others need to run": {
			"environment.lab/gdbm", nil,
			[]WhyStep{step("gdbm@1.25/wgpqxgr", ""), step("python@3.13.11/dotsyht", "run"), step("py-ipython@9.5.0/rhrplo3", "run")}, 6,
		},
		"one that is there only while others are built": {
			"environment.lab/autoconf", nil, []WhyStep{step("autoconf@2.72/6ujyw4h", ""), step("openmpi@5.0.9/zqm56ah", "build")}, 15,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := explained(t, w, test.address)
			if got.Action != plan.Build || got.Package == nil || got.Package.Environment != "environment.lab" {
				t.Fatalf("%+v", got)
			}
			if diff := cmp.Diff(test.asked, got.Package.Asked); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.path, got.Package.Path); diff != "" {
				t.Error(diff)
			}
			if n := len(got.Package.Built); n != test.built || len(got.Package.Fetched) > 0 {
				t.Errorf("brings in %d to build, %v to fetch", n, got.Package.Fetched)
			}
		})
	}
}

func TestAnEnvironmentIsExplainedByWhatIsMissingOnly(t *testing.T) {
	t.Parallel()
	got := explained(t, laboratory(t), "environment.lab")
	if diff := cmp.Diff([]string{"cache.buildcache.shared", "spack.develop"}, got.Dependencies); diff != "" {
		t.Error(diff)
	}
	if got.Environment == nil || got.Environment.Packages != 100 || len(got.Environment.Missing) != 100 {
		t.Fatalf("%+v", got.Environment)
	}
	first := WhyMissing{"environment.lab/arbor@0.9.0/pxzcort", plan.Build, "not in any cache"}
	if diff := cmp.Diff(first, got.Environment.Missing[0]); diff != "" {
		t.Error(diff)
	}
}
