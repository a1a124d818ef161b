package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/lockfile"
)

// hashesOf are the hashes of a lock, sorted.
func hashesOf(lock *lockfile.Lock) []string {
	var list []string
	for _, h := range lock.Order {
		list = append(list, string(h))
	}
	slices.Sort(list)
	return list
}

// countSpack lets a machine run Spack with a Python that counts. It gives how
// often Spack was run.
func (s *spackStack) countSpack(t testing.TB, m *machine) (hcl string, runs func() int) {
	t.Helper()
	script := m.path("python")
	m.write(map[string]string{"python": fmt.Sprintf("#!/bin/sh\necho run >> %s\nexec %s \"$@\"\n", m.path("runs"), s.vars["SPACK_PYTHON"])})
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(m.path("esd.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	hcl = strings.Replace(string(text), fmt.Sprintf("python = %q", s.vars["SPACK_PYTHON"]), fmt.Sprintf("python = %q", script), 1)
	m.write(map[string]string{"esd.hcl": hcl})
	return hcl, func() int {
		text, _ := os.ReadFile(m.path("runs"))
		return strings.Count(string(text), "run\n")
	}
}

func testLocksAlike(t *testing.T, s *spackStack) {
	wantSays(t, s.first, "+ environment.toys", "for 1 spec")
	m := s.copy(t)
	hcl, runs := s.countSpack(t, m)
	m.want(0, "lock")
	if n := runs(); n != 0 {
		t.Errorf("Spack was run %d times for a lock that fits", n)
	}
	removeFiles(t, m.dir, "esd.lock.hcl", "locks/toys.spack.lock")
	m.want(0, "lock")
	if runs() == 0 {
		t.Error("Spack was not run for the lock")
	}
	if diff := cmp.Diff(hashesOf(s.lock), hashesOf(m.spackLock("toys"))); diff != "" {
		t.Errorf("a second time, from nothing: -first +second\n%s", diff)
	}
	before := digests(t, m.dir)
	e := m.want(0, "lock", "--upgrade", "--auto-approve")
	wantSays(t, e, "0 added, 0 changed, 0 removed")
	delete(before, "runs")
	after := digests(t, m.dir)
	for name, digest := range before {
		if !strings.HasPrefix(name, ".esd/") && after[name] != digest {
			t.Errorf("%s has changed although the packages are the same", name)
		}
	}
	if !strings.Contains(hcl, "toy-all") {
		t.Error("the configuration is not the one of the stack")
	}
}

func testLockChanges(t *testing.T, s *spackStack) {
	m := s.copy(t)
	before := digests(t, m.path("locks"))
	m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, "toy-all", "toy-slow")})
	wantSays(t, m.want(1, "plan"), "spec added: toy-slow", "esd lock")
	e := m.esd("lock")
	if e.code == 0 {
		t.Error("a lock was replaced and nobody was asked")
	}
	wantSays(t, e, "spec added: toy-slow", "toy-slow 1.0 added", "--auto-approve")
	if e := m.want(2, "lock", "--check"); !strings.Contains(e.stdout, "spec added: toy-slow") {
		t.Errorf("--check says:\n%s", e.all())
	}
	if diff := cmp.Diff(before, digests(t, m.path("locks"))); diff != "" {
		t.Errorf("written without asking: -before +after\n%s", diff)
	}
	m.want(0, "lock", "--auto-approve")
	m.want(0, "plan")

	m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, "toy-all", "toy-beta+loud")})
	e = m.want(0, "lock", "--auto-approve")
	wantSays(t, e, "spec added: toy-beta+loud", "spec removed: toy-slow", "toy-slow 1.0 removed", "toy-beta", "+loud",
		"2 packages only because of what they depend on: toy-all, toy-app")
	m.want(0, "plan")
}

func testLockFailures(t *testing.T, s *spackStack) {
	for name, c := range map[string]struct {
		spec string
		says []string
	}{
		"a version that there is not": {"toy-alpha@99", []string{"locking environment.toys", "toy-alpha"}},
		"a package that there is not": {"toy-none", []string{"locking environment.toys", "toy-none"}},
		"no spec at all":              {"%%%", []string{"is not a spec"}},
		"a conflict":                  {"toy-all ^toy-beta+loud ^toy-beta~loud", []string{"locking environment.toys"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := s.copy(t)
			m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, strings.ReplaceAll(c.spec, "%", "%%"))})
			before := digests(t, m.dir)
			e := m.want(1, "lock", "--auto-approve")
			wantSays(t, e, c.says...)
			if strings.Contains(e.all(), "Traceback") {
				t.Errorf("a trace of Python:\n%s", e.all())
			}
			if err := os.RemoveAll(m.path(".esd")); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, digests(t, m.dir)); diff != "" {
				t.Errorf("-before +after\n%s", diff)
			}
		})
	}
	t.Run("a Spack that is not there", func(t *testing.T) {
		t.Parallel()
		m := s.copy(t)
		hcl := s.blocks() + s.environment("toys", withBoth, "toy-slow")
		m.write(map[string]string{"esd.hcl": strings.Replace(hcl, s.vars["SPACK_ROOT"], "/nowhere/spack", 1)})
		wantSays(t, m.want(1, "lock", "--auto-approve"), "no Spack found", "/nowhere")
	})
}

func testLockFromManifest(t *testing.T, s *spackStack) {
	m := s.copy(t)
	environment := strings.Replace(s.environment("toys", withBoth), "specs  = []", `from = "there/spack.yaml"`, 1)
	m.write(map[string]string{
		"esd.hcl":              s.blocks() + environment,
		"there/spack.yaml":     "spack:\n  include: [packages.yaml]\n  specs: [toy-leaf0]\n  view: true\n  concretizer: {unify: true}\n",
		"there/packages.yaml":  "packages:\n  toy-alpha:\n    require: ['@2.1']\n",
		"locks/.keep":          "",
		"there/unrelated.yaml": "",
	})
	wantSays(t, m.want(0, "lock", "--auto-approve"), "environment.toys")
	if got := toBuild(m.spackLock("toys")); !slices.Contains(got, "toy-leaf0") || slices.Contains(got, "toy-app") {
		t.Errorf("locked %v", got)
	}
	m.want(0, "plan")
	m.write(map[string]string{"there/unrelated.yaml": "# more\n"})
	m.want(0, "plan")
	m.write(map[string]string{"there/packages.yaml": "packages:\n  toy-alpha:\n    require: ['@2:']\n"})
	wantSays(t, m.want(1, "plan"), "spack.yaml changed", "esd lock")
	wantSays(t, m.want(0, "lock", "--auto-approve"), "the same packages")
	m.want(0, "plan")
	if err := os.Remove(m.path("there/packages.yaml")); err != nil {
		t.Fatal(err)
	}
	wantSays(t, m.want(1, "plan"), "packages.yaml", "is not there")
}
