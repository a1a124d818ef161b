package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fileNamed finds the first path in a text that ends in a name.
func fileNamed(t testing.TB, text, name string) string {
	t.Helper()
	for _, word := range strings.Fields(text) {
		if word = strings.Trim(word, ".,;:()│"); strings.HasSuffix(word, "/"+name) {
			return word
		}
	}
	t.Errorf("no path of a %s in:\n%s", name, text)
	return ""
}

func testFailure(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	removeFiles(t, m.top("cache"), s.entryFiles(t, m.top("cache"), node(t, s.lock, "toy-leaf2").Hash)...)
	broken := []string{"print('about to break', flush=True)", "raise InstallError('the toy is broken')"}
	s.addPackage(t, m.top(), "toy-broken", "", broken...)
	s.addPackage(t, m.top(), "toy-above", `depends_on("toy-broken", type=("build", "run"))`)
	m.relock(s.blocks() + s.environment("toys", withBoth, "toy-all", "toy-above"))
	e := m.want(6, "apply", "--auto-approve")
	wantSays(t, e, "toy-broken", "the build failed", "the toy is broken", "skipped", "toy-above", "1 built", "1 failed")
	_, named, _ := strings.Cut(e.all(), "The whole log: ")
	if log, err := os.ReadFile(fileNamed(t, named, "spack-build-out.txt")); err != nil || !strings.Contains(string(log), "about to break") {
		t.Errorf("the log that the message names: %v\n%s", err, log)
	}
	kept, _ := filepath.Glob(m.path(".esd/builds/toy-broken-*/stage"))
	if len(kept) != 1 {
		t.Errorf("the stage is kept in %v, want one", kept)
	}
	wantSays(t, m.want(0, "logs", m.address("toy-broken")), "about to break")
	wantSays(t, m.want(0, "logs"), "toy-broken")
	wantNoProcess(t, m.top())

	s.addPackage(t, m.top(), "toy-broken", "")
	if built := short(m.apply().completed("build")); !slices.Equal(built, []string{"toy-above", "toy-broken"}) {
		t.Errorf("with the recipe mended, %v are built", built)
	}
	m.wantNothingToDo()
}

func testTimeLimit(t *testing.T, s *spackStack) {
	m := s.copy(t)
	s.addWaiting(t, m, "100")
	m.relock(s.blocks() + s.environment("toys", withBoth+"\n  package \"toy-wait\" {\n    resources { timeout = \"4s\" }\n  }", "toy-wait"))
	begun := time.Now()
	e := m.want(6, "apply", "--auto-approve")
	wantSays(t, e, "toy-wait", "4s", "timeout")
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	wantNoProcess(t, m.top())
	m.relock(s.blocks() + s.environment("toys", withBoth, "toy-wait"))
	s.addWaiting(t, m, "0")
	m.apply()
	m.wantNothingToDo()
}

func testMemoryLimit(t *testing.T, s *spackStack) {
	group := memoryGroup(t, 350<<20)
	m := s.copy(t)
	m.relock(s.blocks() + s.environment("toys", withBoth, "toy-hungry"))
	m.want(0, "fetch", "--auto-approve")
	cmd := m.command("apply", "--auto-approve")
	cmd.Args = append([]string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, group}, cmd.Args...)
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = sh
	out, err := cmd.CombinedOutput()
	e := ended{code: cmd.ProcessState.ExitCode(), stdout: string(out)}
	if e.code != 6 {
		t.Errorf("exits with %d, %v", e.code, err)
	}
	wantSays(t, e, "toy-hungry", "memory")
	wantNoProcess(t, m.top())
	m.apply()
	m.wantNothingToDo()
}

// memoryGroup makes a control group with a limit.
func memoryGroup(t *testing.T, limit int) string {
	t.Helper()
	dir := fmt.Sprintf("/sys/fs/cgroup/memory/esd-test-%d-%s", os.Getpid(), filepath.Base(scratch(t)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skip("no control group with a limit of memory can be made here:", err)
	}
	t.Cleanup(func() {
		for range 50 {
			if os.Remove(dir) == nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error(dir, "stays")
	})
	for _, file := range []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0o644); err != nil && file == "memory.limit_in_bytes" {
			t.Skip("no limit of memory can be set here:", err)
		}
	}
	return dir
}

func testDamagedEntries(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	damaged := []string{"toy-interpreter", "toy-leaf0", "toy-leaf3"}
	for i, name := range damaged {
		for _, file := range s.entryFiles(t, m.top("cache"), node(t, s.lock, name).Hash) {
			path := m.top("cache", file)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			switch isArchive := !strings.HasSuffix(file, ".json"); {
			case i == 0 && isArchive: // the archive is gone
				err = os.Remove(path)
			case i == 1 && isArchive: // cut short
				err = os.Truncate(path, info.Size()/2)
			case i == 2 && !isArchive: // what describes it is cut short
				err = os.Truncate(path, info.Size()/2)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	site := filepath.Join(scratch(t), "site")
	m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, "toy-all") +
		fmt.Sprintf("target \"filesystem\" \"site\" {\n  packages = [environment.toys]\n  path     = %q\n}\n", site)})
	// That an archive is not what it should be shows when it is read.
	first := m.want(6, applyJSON...)
	wantSays(t, first, "packages were not installed")
	built := short(parseEvents(t, first.stdout).completed("build"))
	built = append(built, short(m.apply().completed("build"))...)
	if slices.Sort(built); !slices.Equal(built, damaged) {
		t.Errorf("%v are built, want %v; the first run was\n%s", built, damaged, first.all())
	}
	m.wantNothingToDo()
	s.wantRuns(t, site)
	s.wantInstallable(t, m)
}

func testUnwritable(t *testing.T, s *spackStack) {
	m := s.copy(t, withMirror)
	full := m.top("full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	disk(t, full, "8K")
	m.write(map[string]string{"esd.hcl": strings.Replace(s.blocks(), `"../cache"`, `"../full"`, 1) + s.environment("toys", withBoth, "toy-all")})
	e := m.want(6, "apply", "--auto-approve", "--target", m.address("toy-interpreter"))
	wantSays(t, e, "no space left", "build cache")
	m.write(map[string]string{"esd.hcl": s.blocks() + s.environment("toys", withBoth, "toy-all")})
	done := m.apply("--target", m.address("toy-interpreter"))
	if built, pushed := short(done.completed("build")), short(done.completed("push")); len(pushed) == 0 || !slices.Contains(slices.Concat(built, pushed), "toy-interpreter") {
		t.Errorf("built %v, stored %v; want what was built before to be stored", built, pushed)
	}
}

func testReadOnlyCaches(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	removeFiles(t, m.top("cache"), s.entryFiles(t, m.top("cache"), node(t, s.lock, "toy-leaf1").Hash)...)
	before := digests(t, m.top("cache"))
	hcl := s.blocks() + s.environment("toys", withBoth, "toy-all")
	m.write(map[string]string{"esd.hcl": strings.Replace(hcl, "layout = \""+s.layout+"\"", "push = false", 1)})
	done := m.apply()
	if built := short(done.completed("build")); !slices.Equal(built, []string{"toy-leaf1"}) {
		t.Errorf("built %v, want what is missing", built)
	}
	if pushed := done.completed("push"); len(pushed) != 0 {
		t.Errorf("%v are copied to the local cache", pushed)
	}
	m.wantNothingToDo()
	if diff := cmp.Diff(before, digests(t, m.top("cache"))); diff != "" {
		t.Errorf("a cache that is only read: -before +after\n%s", diff)
	}
}
