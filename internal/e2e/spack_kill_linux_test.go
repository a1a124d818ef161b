package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// entries are the packages of a lock that are whole in a build cache, by name,
// with the digests of their files.
func (s *spackStack) entries(t testing.TB, cache string) map[string]string {
	t.Helper()
	all := digests(t, cache)
	found := map[string]string{}
	for _, h := range s.lock.Order {
		for name := range all {
			if !strings.Contains(name, string(h)) || !strings.HasSuffix(name, ".json") {
				continue
			}
			files := []string{name}
			if s.layout == "v3" {
				files = append(files, blobsNamed(t, cache+"/"+name)...)
			} else {
				for other := range all {
					if strings.Contains(other, string(h)) && strings.HasSuffix(other, ".spack") {
						files = append(files, other)
					}
				}
			}
			text := ""
			for _, f := range files {
				if all[f] == "" {
					t.Errorf("%s is announced, but %s is not there", s.lock.Specs[h].Name, f)
				}
				text += f + all[f] + "\n"
			}
			found[s.lock.Specs[h].Name] = text
		}
	}
	return found
}

// killedSoon runs esd in a process group of its own and kills it after a time:
// the group, or only esd itself. It tells whether the kill met a running process.
func (m *machine) killedSoon(after time.Duration, group bool, args ...string) (told events, met bool) {
	m.t.Helper()
	cmd := m.command(args...)
	cmd.SysProcAttr.Setpgid = true
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if group {
		pid = -pid
	}
	timer := time.AfterFunc(after, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer timer.Stop()
	_ = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return parseEvents(m.t, stdout.String()), true
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		m.t.Errorf("esd exits with %d:\n%s%s", code, stdout.String(), stderr.String())
	}
	return parseEvents(m.t, stdout.String()), false
}

func testKills(sandbox string) func(*testing.T, *spackStack) {
	return func(t *testing.T, s *spackStack) {
		random := rand.New(rand.NewPCG(seed(t), 7))
		m := s.copy(t, withMirror)
		args := []string{"apply", "--auto-approve", "--format=json", "--sandbox=" + sandbox}
		finished := map[string]string{}
		kills, met := 6, 0
		for i := range kills {
			after := time.Duration((0.3 + 3*random.Float64()) * float64(time.Second))
			told, hit := m.killedSoon(after, i%2 == 0, args...)
			if hit {
				met++
			}
			wantNoProcess(t, m.top())
			for _, name := range short(told.completed("build")) {
				if finished[name] != "" {
					t.Errorf("%s was in the cache, and was built again", name)
				}
			}
			now := s.entries(t, m.top("cache"))
			for name, was := range finished {
				if now[name] != was {
					t.Errorf("the entry of %s has changed", name)
				}
			}
			finished = now
		}
		last := parseEvents(t, m.want(0, args...).stdout)
		var want []string
		for _, name := range toBuild(s.lock) {
			if finished[name] == "" {
				want = append(want, name)
			}
		}
		// What is pushed was built, and not yet stored, when the kill came.
		got := append(short(last.completed("build")), short(last.completed("push"))...)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the last run: -want +got\n%s", diff)
		}
		if got, want := slices.Sorted(maps.Keys(s.entries(t, m.top("cache")))), toBuild(s.lock); !slices.Equal(got, want) {
			t.Errorf("the cache has %v, want %v", got, want)
		}
		m.wantNothingToDo()
		t.Logf("%d of %d kills met a running esd; %d packages were left to the last run", met, kills, len(want))
	}
}

// waiting is a stack with a package that takes its time and one that needs it.
func (s *spackStack) waiting(t testing.TB, seconds string, attributes string) *machine {
	t.Helper()
	m := s.copy(t)
	s.addWaiting(t, m, seconds)
	s.addPackage(t, m.top(), "toy-late", `depends_on("toy-wait", type=("build", "run"))`)
	m.relock(s.blocks() + s.environment("toys", attributes, "toy-late"))
	return m
}

func (s *spackStack) addWaiting(t testing.TB, m *machine, seconds string) {
	t.Helper()
	s.addPackage(t, m.top(), "toy-wait", "", "import time", "print('begun', flush=True)", "time.sleep("+seconds+")")
}

// step names a step of a package of the environment "toys".
func (m *machine) step(name, op string) string {
	m.t.Helper()
	return m.address(name) + "#" + op
}

// address is that of a package of the environment "toys".
func (m *machine) address(name string) string {
	m.t.Helper()
	p := node(m.t, m.spackLock("toys"), name)
	return "environment.toys/" + name + "@" + p.Version + "/" + p.Hash.Short()
}

func testInterrupts(t *testing.T, s *spackStack) {
	for name, test := range map[string]func(t *testing.T){
		"the first lets what is built be finished and stored": func(t *testing.T) {
			m := s.waiting(t, "4", withBoth)
			r := m.start(applyJSON...)
			r.until("apply_start", m.step("toy-wait", "build"))
			r.signal(os.Interrupt)
			e := r.end()
			if built := short(parseEvents(t, e.stdout).completed("build")); e.code != 130 || !slices.Equal(built, []string{"toy-wait"}) {
				t.Errorf("exits with %d, having built %v:\n%s", e.code, built, e.all())
			}
			wantNoProcess(t, m.top())
			if built := short(m.apply().completed("build")); !slices.Equal(built, []string{"toy-late"}) {
				t.Errorf("the next run has built %v", built)
			}
			m.wantNothingToDo()
		},
		"the second ends it": func(t *testing.T) {
			m := s.waiting(t, "100", withBoth)
			r := m.start(applyJSON...)
			r.until("apply_start", m.step("toy-wait", "build"))
			time.Sleep(2 * time.Second) // Spack takes a second to begin
			r.signal(os.Interrupt)
			r.until("run_interrupted", "")
			r.signal(os.Interrupt)
			e := r.end()
			if e.code != 130 || e.took > 30*time.Second {
				t.Errorf("exits with %d after %v, want 130 soon:\n%s", e.code, e.took, e.all())
			}
			if strings.Contains(e.all(), "out of memory") {
				t.Errorf("takes the end for a lack of memory:\n%s", e.all())
			}
			wantNoProcess(t, m.top())
			s.addWaiting(t, m, "0")
			if built := short(m.apply().completed("build")); !slices.Equal(built, []string{"toy-late", "toy-wait"}) {
				t.Errorf("the next run has built %v", built)
			}
			m.wantNothingToDo()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func testTwoAtOnce(t *testing.T, s *spackStack) {
	first := s.copy(t, withMirror)
	second := s.copy(t, withMirror)
	hcl := func(m *machine) string {
		text := s.blocks() + s.environment("toys", withBoth, "toy-all")
		return strings.Replace(text, `"../cache"`, fmt.Sprintf("%q", first.top("cache")), 1)
	}
	var group sync.WaitGroup
	for _, m := range []*machine{first, second} {
		m.write(map[string]string{"esd.hcl": hcl(m)})
		group.Go(func() {
			if e := m.esd("apply", "--auto-approve"); e.code != 0 {
				t.Errorf("exits with %d:\n%s", e.code, e.all())
			}
		})
	}
	group.Wait()
	if got, want := slices.Sorted(maps.Keys(s.entries(t, first.top("cache")))), toBuild(s.lock); !slices.Equal(got, want) {
		t.Errorf("the cache has %v, want %v", got, want)
	}
	s.wantInstallable(t, first)
	first.wantNothingToDo()
	second.wantNothingToDo()
}
