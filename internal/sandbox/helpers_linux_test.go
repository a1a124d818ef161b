package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// programs are what the test binary plays when it is started by a test.
func programs() map[string]func() int {
	return map[string]func() int{
		// run starts a command in a sandbox and waits; the test kills it.
		"run": func() int {
			s, _, err := Choose(Probe(context.Background()), os.Args[1])
			if err != nil {
				return 1
			}
			_, err = s.Run(context.Background(), Spec{
				Root: os.Args[2], RootDir: os.Args[3], Argv: []string{"sh", "-c", os.Args[4]}, Env: basicEnv(), Stdout: os.Stdout,
			})
			if err != nil {
				return 1
			}
			return 0
		},
		"hold": holdProgram,
		// forbid starts the tests named by its argument where user namespaces are forbidden and without any capability.
		"forbid": func() int {
			if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
				fmt.Println("cannot forbid user namespaces:", err)
				return 1
			}
			unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
			os.Unsetenv(programVariable)
			err := syscall.Exec("/proc/self/exe", os.Args, os.Environ())
			fmt.Println(err)
			return 1
		},
	}
}

func basicEnv() []string { return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C"} }

// namespaceSandbox is the sandbox with namespaces, or the test is skipped.
func namespaceSandbox(t testing.TB) Sandbox {
	t.Helper()
	s, _, err := Choose(Probe(context.Background()), Namespace)
	if err != nil {
		t.Skip(err)
	}
	return s
}

// noneSandbox is the sandbox that isolates nothing.
func noneSandbox(t testing.TB) Sandbox {
	t.Helper()
	s, _, err := Choose(Probe(context.Background()), None)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sandboxes are all ways of running a command that this machine and this user have. Poorer machines are played
// by a report in which less works.
func sandboxes(t *testing.T) map[string]Sandbox {
	t.Helper()
	all := map[string]Sandbox{"none": noneSandbox(t)}
	s, _, err := Choose(Probe(context.Background()), Namespace)
	if err != nil {
		t.Logf("only the sandbox %q is tested: %v", None, err)
		return all
	}
	all["namespace"] = s
	poor := s
	poor.report.PIDNS.Works, poor.report.NetNS.Works, poor.report.extra = false, false, false
	all["namespace without process and network namespace"] = poor
	if s.report.MountNS.Works {
		root := s
		root.report.UserNS.Works = false
		all["namespace of root without user namespace"] = root
		user := s
		user.report.MountNS.Works = false
		all["namespace of root made as by an ordinary user"] = user
	}
	return all
}

// script is a spec that runs a shell script, with its own directory behind the prefix root.
func script(t testing.TB, s Sandbox, text string) (Spec, *bytes.Buffer) {
	t.Helper()
	dir := t.TempDir()
	log := &bytes.Buffer{}
	spec := Spec{
		Root: "/opt/esd", RootDir: dir, Argv: []string{"sh", "-c", text}, Env: basicEnv(), Stdout: log,
		Grace: 300 * time.Millisecond, Timeout: time.Minute,
	}
	if s.Name() == None {
		spec.Root = dir
	}
	return spec, log
}

// mustRun runs a script that has to succeed and yields its output.
func mustRun(t testing.TB, s Sandbox, spec Spec, log *bytes.Buffer) string {
	t.Helper()
	if _, err := s.Run(context.Background(), spec); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	return log.String()
}

// processesWith counts the processes of the machine that have word among their arguments.
func processesWith(word string) int {
	n := 0
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if data, err := os.ReadFile(name); err == nil && bytes.Contains(data, []byte(word)) {
			n++
		}
	}
	return n
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for range 500 {
		if condition() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("never happened: %s", what)
}

// marker is a number that no other test sleeps for.
var marker = struct {
	sync.Mutex
	n int
}{n: os.Getpid() * 1000}

// uniqueSleep is an argument of sleep(1), longer than any test, that can be recognized among all processes.
func uniqueSleep() string {
	marker.Lock()
	defer marker.Unlock()
	marker.n++
	return fmt.Sprintf("3600.%d", marker.n)
}

// copyProgram copies a program with the libraries it needs into a root file system.
func copyProgram(t testing.TB, rootfs, name string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip(err)
	}
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, path, filepath.Join(rootfs, "bin", name))
	out, err := exec.Command("ldd", path).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return // static
	}
	if err != nil {
		t.Skip(err)
	}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			copyFile(t, word, filepath.Join(rootfs, word))
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// forbiddenAttr starts a process as an ordinary user of a user namespace, with the one capability that changes
// its limits.
func forbiddenAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1234, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1234, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
}

func copyText(t testing.TB, rootfs, name, text string) {
	t.Helper()
	path := filepath.Join(rootfs, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
