package e2e

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"esd/internal/state/backend/http/testserver"
)

// gatedStack is a configuration whose state is at a server. The second recipe
// waits for a file, `go`, and the third needs the second.
func gatedStack(t testing.TB) (*machine, *testserver.Server, string) {
	t.Helper()
	const path = "/strict/lab"
	s := &testserver.Server{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	m := newMachine(t, nil)
	m.write(map[string]string{"esd.hcl": fmt.Sprintf(`esd {
  state "http" {
    address        = %[1]q
    lock_address   = %[1]q
    unlock_address = %[1]q
    retry_max      = 0
    lease          = "2s"
  }
}
recipe "first" {
  version = "1"
  script  = "mkdir -p $prefix && echo > $prefix/file"
}
recipe "second" {
  version = "1"
  needs   = [recipe.first]
  script  = "mkdir -p $prefix && echo > $prefix/file && echo > %[2]s/begun && while ! [ -e %[2]s/go ]; do sleep 0.02; done"
}
recipe "third" {
  version = "1"
  needs   = [recipe.second]
  script  = "mkdir -p $prefix && echo > $prefix/file"
}
`, server.URL+path, m.dir)})
	return m, s, path
}

// going is a run of esd that goes on.
type going struct {
	t    testing.TB
	cmd  *exec.Cmd
	said string // file with what it says
	hang *time.Timer
}

func (m *machine) begin(args ...string) *going {
	m.t.Helper()
	cmd := m.command(args...)
	out, err := os.CreateTemp(m.home, "said-*")
	if err != nil {
		m.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &going{m.t, cmd, out.Name(), time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })}
}

// end waits for its end and gives the exit code.
func (g *going) end() int {
	_ = g.cmd.Wait()
	g.hang.Stop()
	return g.cmd.ProcessState.ExitCode()
}

func (g *going) text() string {
	data, _ := os.ReadFile(g.said)
	return string(data)
}

// says waits until it has said something.
func (g *going) says(want string) {
	g.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(g.text(), want); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("it does not say %q:\n%s", want, g.text())
		}
	}
}

// appears waits for a file.
func (m *machine) appears(name string) {
	m.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(m.path(name)); err == nil {
			return
		}
	}
	m.t.Fatalf("%s has not come into being", name)
}

func (m *machine) journals() int {
	found, _ := filepath.Glob(m.path(".esd", "journal", "esd", "*.jsonl"))
	return len(found)
}

var applied = []string{"apply", "--auto-approve", "--sandbox", "none"}

func TestARunThatLosesItsLockStartsNothingMoreAndKeepsItsJournal(t *testing.T) {
	t.Parallel()
	m, s, path := gatedStack(t)
	r := m.begin(applied...)
	m.appears("begun")
	s.BreakLock(path)
	r.says("the lock on the state was lost") // within a heartbeat
	m.write(map[string]string{"go": ""})
	if code := r.end(); code != 8 {
		t.Errorf("exit code %d, want 8", code)
	}
	for _, want := range []string{"ending early because the lock on the state was lost", "What was done is kept in", "skipped"} {
		if !strings.Contains(r.text(), want) {
			t.Errorf("no %q in:\n%s", want, r.text())
		}
	}
	if m.journals() != 1 || s.Raw(path) != nil {
		t.Errorf("%d journals; the state is %q", m.journals(), s.Raw(path))
	}
	e := m.want(0, applied...)
	wantSays(t, e, "Took over 2 objects", "1 built")
	m.wantNothingToDo()
	if m.journals() != 0 {
		t.Error("the journal is still there")
	}
}

func TestAStateIsRecordedWhenItsServerIsBack(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{
		"that was down":                     "down",
		"that was overloaded":               "503",
		"that did it and lost its answer":   "lost-answer",
		"that did not know what to make of": "500",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, s, path := gatedStack(t)
			m.write(map[string]string{"go": ""})
			s.Fail(testserver.Fault{Kind: kind, On: "write", Times: 2})
			e := m.want(0, applied...)
			if s.Raw(path) == nil {
				t.Error("nothing is recorded")
			}
			if kind == "down" {
				wantSays(t, e, "The state could not be recorded; trying again for 2m0s")
			}
			m.wantNothingToDo()
			if m.journals() != 0 {
				t.Error("the journal is still there")
			}
		})
	}
}

func TestARunWhoseServerStaysAwayKeepsItsJournalAndSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	m, s, _ := gatedStack(t)
	r := m.begin(applied...)
	m.appears("begun")
	s.Fail(testserver.Fault{Kind: "down", On: "write", Everywhere: true})
	m.write(map[string]string{"go": ""})
	r.says("trying again for 2m0s")
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := r.end(); code != 8 {
		t.Errorf("exit code %d, want 8", code)
	}
	if m.journals() != 1 {
		t.Errorf("%d journals:\n%s", m.journals(), r.text())
	}
	if !strings.Contains(r.text(), "the next run here takes it over") {
		t.Errorf("nothing says how to go on:\n%s", r.text())
	}
	s.Mend()
	m.want(0, append(applied, "--lock-timeout", "30s")...)
	m.wantNothingToDo()

	// As in CI, where the directory is lost: the caches hold the products.
	for _, lost := range []string{"journal", "seen"} {
		if err := os.RemoveAll(m.path(".esd", lost)); err != nil {
			t.Fatal(err)
		}
	}
	m.wantNothingToDo()
}
