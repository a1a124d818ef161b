package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowStack has a step that runs until it is let go, and one that needs it.
// The step waits for a file in a directory that it can see.
func slowStack(seconds string) map[string]string {
	return map[string]string{"esd.hcl": `
recipe "slow" {
  version = "1.0"
  script  = "sleep ` + seconds + `; mkdir -p $prefix; echo slow > $prefix/slow"
}
recipe "after" {
  version = "1.0"
  needs   = [recipe.slow]
  script  = "mkdir -p $prefix; cp $slow/slow $prefix/after"
}
target "image" "lab" {
  packages = [recipe.after]
  publish  = ["oci:dist/lab:v1"]
}
output "digest" { value = target.image.lab.digest }
`}
}

// running is a run of esd that goes on.
type running struct {
	m      *machine
	cmd    *exec.Cmd
	lines  *bufio.Reader
	told   strings.Builder
	stderr bytes.Buffer
}

func (m *machine) start(args ...string) *running {
	m.t.Helper()
	r := &running{m: m, cmd: m.command(args...)}
	stdout, err := r.cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	r.lines, r.cmd.Stderr = bufio.NewReader(stdout), &r.stderr
	if err := r.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { // for a test that gave up
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	})
	return r
}

// until reads events up to the first of a type about a step.
func (r *running) until(kind, step string) {
	r.m.t.Helper()
	for {
		line, err := r.lines.ReadString('\n')
		r.told.WriteString(line)
		if err != nil {
			r.m.t.Fatalf("the run has ended before %s of %s:\n%s%s", kind, step, r.told.String(), r.stderr.String())
		}
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Type == kind && strings.HasPrefix(e.Hook.Step, step) {
			return
		}
	}
}

func (r *running) signal(s os.Signal) {
	r.m.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.m.t.Fatal(err)
	}
}

// end waits until the run has ended.
func (r *running) end() ended {
	r.m.t.Helper()
	begun := time.Now()
	for {
		line, err := r.lines.ReadString('\n')
		r.told.WriteString(line)
		if err != nil {
			break
		}
	}
	_ = r.cmd.Wait()
	return ended{r.cmd.ProcessState.ExitCode(), r.told.String(), r.stderr.String(), time.Since(begun)}
}

func TestTheFirstInterruptLetsRunningStepsFinish(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, slowStack("1"))
			r := m.start(applyJSON...)
			r.until("apply_start", "recipe.slow")
			r.signal(signal)
			e := r.end()
			if e.code != 130 {
				t.Errorf("exits with %d, want 130:\n%s", e.code, e.all())
			}
			if built := parseEvents(t, e.stdout).completed("build"); len(built) != 1 || built[0] != "recipe.slow" {
				t.Errorf("%v was built, want the running step and no other", built)
			}
			wantNoProcess(t, m.dir)
			wantSays(t, m.want(0, "state", "list"), "recipe.slow")
			if built := m.apply().completed("build"); len(built) != 1 || built[0] != "recipe.after" {
				t.Errorf("the next run has built %v, want what was not started", built)
			}
			m.wantNothingToDo()
		})
	}
}

func TestTheSecondInterruptEndsRunningSteps(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]os.Signal{"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, slowStack("100"))
			r := m.start(applyJSON...)
			r.until("apply_start", "recipe.slow")
			r.signal(signal)
			r.until("run_interrupted", "")
			r.signal(signal)
			e := r.end()
			if e.code != 130 || e.took > 30*time.Second {
				t.Errorf("exits with %d after %v, want 130 soon:\n%s", e.code, e.took, e.all())
			}
			wantNoProcess(t, m.dir)
			m.want(0, "state", "list")
			m.write(slowStack("0"))
			m.apply()
			m.wantNothingToDo()
		})
	}
}

func TestAKillWhileTheStateIsWrittenLeavesAStateThatCanBeRead(t *testing.T) {
	t.Parallel()
	n := 40
	if testing.Short() {
		n = 10
	}
	files := slowStack("0")
	m := newMachine(t, files)
	m.apply()
	met, written := 0, 0
	for i := range n {
		// The state changes with each run, and is written after the last event.
		files["esd.hcl"] += "recipe \"more" + string(rune('a'+i%26)) + strings.Repeat("x", i/26) + "\" {\n  version = \"1.0\"\n  script = \"mkdir -p $prefix; touch $prefix/more\"\n}\n"
		m.write(files)
		before := m.serial()
		_, ran := m.killed(moment{last: true, after: time.Duration(i) * 4 * time.Millisecond / time.Duration(n)}, applyJSON...)
		m.want(0, "state", "list")
		if ran {
			met++
		}
		if m.serial() > before+1 {
			written++ // it began with what the run before had not recorded
		}
		m.wantNoTrouble()
	}
	m.apply()
	m.wantNothingToDo()
	t.Logf("%d kills around the writing of the state, %d met the running program; %d runs took over the journal of a killed one; no state was damaged", n, met, written)
}

// serial reads the serial of the recorded state.
func (m *machine) serial() int64 {
	m.t.Helper()
	data, err := os.ReadFile(m.path(".esd/esd.state.json"))
	if err != nil {
		m.t.Fatal(err)
	}
	var s struct{ Serial int64 }
	if err := json.Unmarshal(data, &s); err != nil {
		m.t.Fatalf("the state is damaged: %v\n%s", err, data)
	}
	return s.Serial
}

// wantNoTrouble expects that a plan can be made.
func (m *machine) wantNoTrouble() {
	m.t.Helper()
	if e := m.esd("plan"); e.code != 0 {
		m.t.Errorf("plan exits with %d:\n%s", e.code, e.all())
	}
}
