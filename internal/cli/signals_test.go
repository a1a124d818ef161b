//go:build unix

package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is an esd that runs.
type process struct {
	*exec.Cmd
	t      *testing.T
	stdin  io.WriteCloser
	mu     sync.Mutex
	stderr bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// start starts a program in a directory.
func start(t *testing.T, dir, program string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), t: t}
	p.Dir, p.Stderr = dir, p
	p.Env = append(os.Environ(), "NO_COLOR=1", "LC_ALL=C.UTF-8", "GORACE=atexit_sleep_ms=0")
	var err error
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// until waits for something.
func (p *process) until(what string, happened func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: this has not happened; standard error:\n%s", what, p.said())
		}
	}
}

func (p *process) untilSaid(text string) {
	p.t.Helper()
	p.until("it says "+text, func() bool { return strings.Contains(p.said(), text) })
}

// untilBuilding waits for the script of recipe.slow.
func (p *process) untilBuilding() {
	p.t.Helper()
	p.until("the script runs", func() bool {
		logs, _ := filepath.Glob(filepath.Join(p.Dir, ".esd/logs/*/recipe.slow.build.log"))
		if len(logs) == 0 {
			return false
		}
		data, _ := os.ReadFile(logs[0])
		return bytes.Contains(data, []byte("begun"))
	})
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ends waits for the process and checks its exit code.
func (p *process) ends(want int) {
	p.t.Helper()
	watchdog := time.AfterFunc(60*time.Second, func() { _ = p.Process.Kill() })
	defer watchdog.Stop()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	if got := p.ProcessState.ExitCode(); got != want {
		p.t.Errorf("exit code %d, want %d; standard error:\n%s", got, want, p.said())
	}
}

// recipes is a configuration of a script that sleeps, what depends on it, and
// what does not.
func recipes(t *testing.T, seconds string) string {
	t.Helper()
	dir := t.TempDir()
	source := `
recipe "quick" {
  version = "1"
  script  = "mkdir -p $prefix && echo > $prefix/file"
}
recipe "slow" {
  version = "1"
  needs   = [recipe.quick]
  script  = "echo begun && sleep ` + seconds + ` && mkdir -p $prefix && echo > $prefix/file"
}
recipe "after" {
  version = "1"
  needs   = [recipe.slow]
  script  = "mkdir -p $prefix && echo > $prefix/file"
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// esd runs to its end and gives what it says.
func esd(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("esd", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("esd %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func wantContains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

func TestOneInterruptLetsRunningStepsFinish(t *testing.T) {
	t.Parallel()
	dir := recipes(t, "2")
	p := start(t, dir, "esd", "apply", "--auto-approve")
	p.untilBuilding()
	p.signal(syscall.SIGINT)
	p.untilSaid("interrupt")
	p.ends(130)
	wantContains(t, p.said(), "2 built", "1 skipped")
	wantContains(t, esd(t, dir, "state", "list"), "recipe.quick\n", "recipe.slow\n")
	wantContains(t, esd(t, dir, "apply", "--auto-approve"), "1 built")
}

func TestASecondInterruptEndsRunningSteps(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := recipes(t, "600")
			p := start(t, dir, "esd", "apply", "--auto-approve")
			p.untilBuilding()
			p.signal(signal)
			p.untilSaid("interrupt")
			p.signal(signal)
			p.ends(130)
			if got := esd(t, dir, "state", "list"); got != "recipe.quick\n" {
				t.Errorf("recorded: %q", got)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".esd/journal/*/*.jsonl")); len(left) > 0 {
				t.Errorf("journals are left: %v", left)
			}
			wantContains(t, esd(t, dir, "plan"), "Plan: 2 to build")
		})
	}
}

func TestAnInterruptAtThePromptChangesNothing(t *testing.T) {
	t.Parallel()
	dir := recipes(t, "0")
	p := start(t, dir, "esd-asks", "apply")
	p.untilSaid("Do this?")
	p.signal(syscall.SIGINT)
	p.ends(130)
	wantContains(t, p.said(), "Interrupted; nothing was changed.")
	if got := esd(t, dir, "state", "list"); got != "" {
		t.Errorf("recorded: %q", got)
	}
}

func TestOnlyYesIsAYes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		code   int
	}{
		"yes":              {"yes\n", 0},
		"y":                {"y\n", 7},
		"nothing":          {"\n", 7},
		"the end of input": {"", 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, recipes(t, "0"), "esd-asks", "apply")
			p.untilSaid("Do this?")
			if _, err := io.WriteString(p.stdin, test.answer); err != nil {
				t.Fatal(err)
			}
			p.stdin.Close()
			p.ends(test.code)
		})
	}
}

func TestAnInterruptWhileWaitingForTheLockEndsTheWait(t *testing.T) {
	t.Parallel()
	dir := recipes(t, "600")
	holder := start(t, dir, "esd", "apply", "--auto-approve")
	holder.untilBuilding()
	p := start(t, dir, "esd", "apply", "--auto-approve", "--lock-timeout", "10m")
	p.untilSaid("Waiting up to 10m")
	p.signal(syscall.SIGINT)
	p.ends(130)
	holder.signal(syscall.SIGINT)
	holder.untilSaid("interrupt")
	holder.signal(syscall.SIGINT)
	holder.ends(130)
}

func TestAKilledRunIsTakenOver(t *testing.T) {
	t.Parallel()
	dir := recipes(t, "600")
	p := start(t, dir, "esd", "apply", "--auto-approve")
	p.untilBuilding()
	p.signal(syscall.SIGKILL)
	p.ends(-1)
	wantContains(t, esd(t, dir, "plan"), "Plan: 2 to build")
	wantContains(t, esd(t, dir, "state", "list"), "recipe.quick\n")
	wantContains(t, esd(t, dir, "state", "rm", "recipe.quick"), "forgot recipe.quick", "Took over the lock")
}
