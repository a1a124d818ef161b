package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is where one test works: a directory with a configuration, an empty
// home and nothing of the environment but PATH.
type machine struct {
	t    testing.TB
	dir  string // of the configuration
	home string
	env  map[string]string
	as   *syscall.Credential // another user; nil for this one
}

// newMachine gives a machine with these files, by name.
func newMachine(t testing.TB, files map[string]string) *machine {
	t.Helper()
	top := scratch(t)
	m := &machine{t: t, dir: filepath.Join(top, "stack"), home: filepath.Join(top, "home"), env: map[string]string{}}
	for _, dir := range []string{m.dir, m.home} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m.write(files)
	return m
}

// scratch is a temporary directory that other users may enter.
func scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "esd-e2e-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (m *machine) write(files map[string]string) {
	m.t.Helper()
	for name, text := range files {
		path := m.path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *machine) path(elem ...string) string {
	return filepath.Join(append([]string{m.dir}, elem...)...)
}

// command prepares a run of esd; it is not started.
func (m *machine) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = m.dir
	env := map[string]string{"PATH": os.Getenv("PATH"), "HOME": m.home, "XDG_RUNTIME_DIR": m.home, "DOCKER_CONFIG": filepath.Join(m.home, ".docker")}
	maps.Copy(env, m.env)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, name+"="+env[name])
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.as}
	return cmd
}

// ended is how a run of esd has ended.
type ended struct {
	code           int // -1 for one that was killed
	stdout, stderr string
	took           time.Duration
}

func (e ended) all() string { return e.stdout + e.stderr }

// patience is how long a run may take before it counts as hanging.
const patience = 3 * time.Minute

// esd runs the program to its end.
func (m *machine) esd(args ...string) ended {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := m.command(args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	begun := time.Now()
	if startErr := cmd.Start(); startErr != nil {
		m.t.Fatal(startErr)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	waitErr := cmd.Wait()
	if !stop() {
		m.t.Errorf("esd %s hangs:\n%s%s", strings.Join(args, " "), out.String(), err.String())
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		m.t.Fatal(waitErr)
	}
	return ended{cmd.ProcessState.ExitCode(), out.String(), err.String(), time.Since(begun)}
}

// want runs the program and expects an exit code.
func (m *machine) want(code int, args ...string) ended {
	m.t.Helper()
	e := m.esd(args...)
	if e.code != code {
		m.t.Fatalf("esd %s exits with %d, want %d:\n%s%s", strings.Join(args, " "), e.code, code, e.stdout, e.stderr)
	}
	return e
}

// apply applies the configuration and gives the events.
func (m *machine) apply(args ...string) events {
	m.t.Helper()
	e := m.want(0, append([]string{"apply", "--auto-approve", "--format=json"}, args...)...)
	return parseEvents(m.t, e.stdout)
}

// wantNothingToDo expects a plan without changes.
func (m *machine) wantNothingToDo() {
	m.t.Helper()
	e := m.esd("plan", "--detailed-exitcode")
	if e.code != 0 || !strings.Contains(e.stdout, "No changes.") {
		m.t.Errorf("plan exits with %d, want nothing to do:\n%s", e.code, e.all())
	}
}

// wantSays expects texts in what a run printed.
func wantSays(t testing.TB, e ended, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(e.all(), text) {
			t.Errorf("want %q in:\n%s", text, e.all())
		}
	}
}

// output reads one recorded output that is a string.
func (m *machine) output(name string) string {
	m.t.Helper()
	var value string
	e := m.want(0, "output", "--format=json", name)
	if err := json.Unmarshal([]byte(e.stdout), &value); err != nil {
		m.t.Fatalf("output %s: %v in %q", name, err, e.stdout)
	}
	return value
}

// event is one line of the stream of a run, as far as the tests look at it.
type event struct {
	Type    string `json:"type"`
	Message string `json:"@message"`
	Hook    struct {
		Step     string                `json:"step"`
		Op       string                `json:"op"`
		Reused   bool                  `json:"reused"`
		Resource struct{ Addr string } `json:"resource"`
	} `json:"hook"`
}

type events []event

func parseEvents(t testing.TB, stream string) events {
	t.Helper()
	var list events
	for line := range strings.Lines(stream) {
		if !strings.HasSuffix(line, "\n") {
			continue // the writer was killed in the middle of it
		}
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not an event: %v: %s", err, line)
		}
		list = append(list, e)
	}
	return list
}

// completed lists the addresses of which steps with this operation have really
// been done, sorted.
func (l events) completed(op string) []string {
	var list []string
	for _, e := range l {
		if first, _, _ := strings.Cut(e.Hook.Op, " "); e.Type == "apply_complete" && first == op && !e.Hook.Reused {
			list = append(list, e.Hook.Resource.Addr)
		}
	}
	slices.Sort(list)
	return list
}
