package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// selfCommand starts this test binary as another program.
func selfCommand(t *testing.T, self, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), programVariable+"="+program)
	return cmd
}

// isolated are the sandboxes that protect the machine's files.
func isolated(t *testing.T) map[string]Sandbox {
	all := sandboxes(t)
	delete(all, "none")
	if len(all) == 0 {
		t.Skip("no namespaces here")
	}
	return all
}

func TestHostileScriptsHarmNothing(t *testing.T) {
	outside := t.TempDir()
	precious := filepath.Join(outside, "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"writes to /etc":              "! touch /etc/esd-was-here; ! echo x >> /etc/hosts",
		"writes to system programs":   "! touch /usr/bin/esd-was-here; ! rm -f /usr/bin/env",
		"writes to the root":          "! touch /esd-was-here; ! mkdir /esd-dir",
		"writes beside its root":      "! touch /opt/esd-was-here; ! mkdir /opt/other",
		"writes to /var":              "! touch /var/lib/esd-was-here",
		"changes the kernel":          "! sh -c 'echo x > /proc/sys/kernel/core_pattern'; ! sh -c 'echo h > /proc/sysrq-trigger'; ! sh -c 'echo 0 > /proc/sys/vm/swappiness'",
		"writes to /sys":              "! sh -c 'echo 1 > /sys/kernel/profiling'; ! mkdir /sys/fs/cgroup/esd-was-here",
		"makes devices":               "! mknod disk b 254 0; ! mknod /dev/disk b 254 0; ! touch /dev/x",
		"mounts":                      "! mount -t tmpfs none /mnt; ! mount -o remount,rw /; ! mount -o remount,rw,bind /etc; ! umount /etc; ! umount -l /proc/sys",
		"mounts in its own namespace": "! unshare -Urm sh -c 'mount -o remount,rw,bind /etc || mount -o remount,rw,bind / || umount /etc'",
		"deletes its root":            "rm -rf /opt/esd; rm -rf ./* ; mkdir x",
		"follows a link to outside":   "ln -s " + outside + " link; ! touch link/esd-was-here; ! rm -f link/precious",
		"leaves its root":             "! ls /proc/1/root/; cd ../../../../../..; ! touch esd-was-here; ! chroot / true",
		"sets user bits":              "cp /usr/bin/id id; chmod 4755 id 2>/dev/null; test \"$(./id -u)\" = \"$(id -u)\"",
	}
	for name, s := range isolated(t) {
		for what, text := range cases {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				if what == "leaves its root" && !s.report.PIDNS.Works {
					t.Skip("process 1 is that of the machine")
				}
				spec, log := script(t, s, "set -x; ok=0; try() { \"$@\" && ok=1; }; "+hostile(text)+"\n[ $ok = 0 ]")
				spec.Binds = []Bind{{Source: outside, Target: outside, ReadOnly: true}}
				mustRun(t, s, spec, log)
			})
		}
	}
	t.Cleanup(func() {
		if data, err := os.ReadFile(precious); err != nil || string(data) != "precious" {
			t.Errorf("the precious file is %q, %v", data, err)
		}
		for _, path := range []string{"/etc/esd-was-here", "/usr/bin/esd-was-here", "/esd-was-here", "/opt/esd-was-here", outside + "/esd-was-here"} {
			if _, err := os.Lstat(path); err == nil {
				t.Errorf("%s was made", path)
			}
		}
	})
}

// hostile turns "! command" into an attempt that must fail.
func hostile(text string) string {
	parts := strings.Split(text, "; ")
	for i, p := range parts {
		if rest, ok := strings.CutPrefix(p, "! "); ok {
			parts[i] = "try " + rest
		}
	}
	return strings.Join(parts, "\n")
}

func TestPrivateDirectoriesAreEmptyWritableAndGoneAfterwards(t *testing.T) {
	t.Setenv("HOME", "/nonexistent")
	probe := filepath.Join("/tmp", "sandbox-test-"+uniqueSleep())
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(probe) })
	for name, s := range isolated(t) {
		t.Run(name, func(t *testing.T) {
			for _, home := range []string{"/homeless", "/root", "/home/nobody/deep", "/tmp/home"} {
				spec, log := script(t, s, `for d in /tmp /var/tmp /dev/shm /run "$HOME"; do echo $d $(ls -A $d); done; cd "$HOME" && touch a /tmp/a /var/tmp/a /dev/shm/a`)
				spec.Env = append(spec.Env, "HOME="+home)
				want := "/tmp\n/var/tmp\n/dev/shm\n/run\n" + home + "\n"
				if home == "/tmp/home" {
					want = strings.Replace(want, "/tmp\n", "/tmp home\n", 1)
				}
				if got := mustRun(t, s, spec, log); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

func TestThePrefixRootMayBeAnywhere(t *testing.T) {
	// The build sees these paths; the machine has some of them, some of their parents, or none.
	for _, root := range []string{
		"/opt/esd", "/sw", "/sw/esd", "/usr/local/esd-stack", "/usr/share/doc", "/bin/esd", "/tmp/esd", "/var/tmp/a/b/c",
		"/home/esd", "/dev/shm/esd", "/lib64/x/y", "/run/esd", "/etc/esd",
	} {
		for name, s := range isolated(t) {
			t.Run(name+root, func(t *testing.T) {
				t.Parallel()
				spec, log := script(t, s, `realpath .; touch file; ls; test -x /bin/sh -a -x /usr/bin/env && gcc --version >/dev/null 2>&1 || echo no gcc; ls /usr/lib | wc -l`)
				spec.Root = root
				got := mustRun(t, s, spec, log)
				want := root + "\nfile\n"
				if !strings.HasPrefix(got, want) {
					t.Errorf("got %q, want %q at the beginning", got, want)
				}
				if _, err := os.Stat(filepath.Join(spec.RootDir, "file")); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestSiblingsOfThePrefixRootStayVisible(t *testing.T) {
	s := namespaceSandbox(t)
	spec, log := script(t, s, "ls -A /usr; ls -A /usr/lib /usr/bin")
	spec.Root = "/usr/esd-new"
	got := mustRun(t, s, spec, log)
	out, err := exec.Command("sh", "-c", "LC_ALL=C; export LC_ALL; (ls -A /usr; echo esd-new) | sort; ls -A /usr/lib /usr/bin").Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != got {
		t.Errorf("inside there is\n%.300s\nwhich differs from the machine", got)
	}
}

func TestBinds(t *testing.T) {
	for name, s := range isolated(t) {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			file := filepath.Join(source, "file")
			if err := os.WriteFile(file, []byte("content\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			spec, log := script(t, s, `cat /src/file /opt/esd/dep/file /one "$0/file" /tmp/src/file
				touch /src/new; ! touch /opt/esd/dep/new && ! touch $0/new && ! sh -c 'echo >> /one' && ls -A /usr/share/doc`)
			spec.Argv = append(spec.Argv, source)
			spec.Binds = []Bind{
				{Source: source, Target: "/src"},
				{Source: source, Target: "/opt/esd/dep", ReadOnly: true},
				{Source: file, Target: "/one", ReadOnly: true},
				{Source: source, Target: source, ReadOnly: true},
				{Source: source, Target: "/tmp/src"},
			}
			spec.Hide = []string{"/usr/share/doc"}
			got := mustRun(t, s, spec, log)
			if n := strings.Count(got, "content\n"); n != 5 || !strings.Contains(got, "Read-only file system") {
				t.Errorf("%d of 5 are visible:\n%s", n, got)
			}
			if _, err := os.Stat(filepath.Join(source, "new")); err != nil {
				t.Error(err)
			}
			if list, _ := os.ReadDir(filepath.Join(spec.RootDir, "dep")); len(list) != 0 {
				t.Errorf("the mount point was written to: %v", list)
			}
		})
	}
}

func TestALinkInThePrefixRootIsNoMountPoint(t *testing.T) {
	for name, s := range isolated(t) {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"dep", "dep/deeper"} {
				spec, _ := script(t, s, "touch /etc/x")
				if err := os.Symlink("/etc", filepath.Join(spec.RootDir, "dep")); err != nil {
					t.Fatal(err)
				}
				spec.Binds = []Bind{{Source: t.TempDir(), Target: "/opt/esd/" + target}}
				_, err := s.Run(t.Context(), spec)
				var setup *SetupError
				if !errors.As(err, &setup) || !strings.Contains(err.Error(), "is a symbolic link") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestTheNetworkIsCutOff(t *testing.T) {
	s := namespaceSandbox(t)
	if !s.IsolatesNetwork() {
		t.Skip(s.report.NetNS.Reason)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	port := server.Addr().(*net.TCPAddr).Port
	for network, want := range map[bool]string{false: "closed\n", true: "open\n"} {
		spec, log := script(t, s, "")
		spec.Argv = []string{"bash", "-c", fmt.Sprintf("(exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo open || echo closed", port)}
		spec.Network = network
		if got := mustRun(t, s, spec, log); got != want {
			t.Errorf("network %v: got %q, want %q", network, got, want)
		}
	}
}

func TestAScriptCannotKillWhatIsNotIts(t *testing.T) {
	s := namespaceSandbox(t)
	if !s.report.PIDNS.Works {
		t.Skip(s.report.PIDNS.Reason)
	}
	spec, log := script(t, s, "kill -9 $PPID; kill -TERM 1; kill -INT 1; kill -QUIT 1; kill -STOP 1; sleep 0.1; echo alive; ls -d /proc/[0-9]* | wc -l")
	if got := mustRun(t, s, spec, log); !strings.HasPrefix(got, "alive\n") {
		t.Errorf("got %q", got)
	}
	spec, _ = script(t, s, "kill -9 -1; exit 7")
	if _, err := s.Run(t.Context(), spec); err == nil {
		t.Error("a script that kills all it sees did not fail")
	}
}

func TestAScriptThatKillsItsSupervisorIsEnded(t *testing.T) {
	for name, s := range sandboxes(t) {
		if s.Name() == Namespace && s.report.PIDNS.Works {
			continue
		}
		t.Run(name, func(t *testing.T) {
			// At once and a little later: the supervisor may or may not have come further than starting it.
			for _, pause := range []string{"0", "0", "0", "0", "0.1"} {
				word := uniqueSleep()
				spec, _ := script(t, s, "sleep "+word+" & [ "+pause+" = 0 ] || sleep "+pause+"; kill -9 $PPID; sleep "+word)
				if _, err := s.Run(t.Context(), spec); !errors.Is(err, ErrLost) {
					t.Errorf("got %v", err)
				}
				if n := processesWith(word); n != 0 {
					t.Errorf("%d processes are left", n)
				}
			}
		})
	}
}

func TestACommandInheritsNoFiles(t *testing.T) {
	// A descriptor without close-on-exec, as a shell or a make passes on.
	fd, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			spec, log := script(t, s, "")
			spec.Argv = []string{"ls", "/proc/self/fd"}
			if got, want := mustRun(t, s, spec, log), "0\n1\n2\n3\n"; got != want { // 3 is the directory that ls reads
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestOldKernelsAndRamdisksWorkToo(t *testing.T) {
	s := namespaceSandbox(t)
	for name, change := range map[string]func(*treeConfig){
		"without mount_setattr":        func(c *treeConfig) { c.Old = true },
		"without pivot_root":           func(c *treeConfig) { c.Move = true },
		"without either, deep in /usr": func(c *treeConfig) { c.Move, c.Old = true, true; c.Binds[0].Target = "/usr/share/esd" },
	} {
		t.Run(name, func(t *testing.T) {
			spec, log := script(t, s, "! touch /etc/x && ! touch /x && ! touch /usr/x && ! touch /sys/x && ! touch /opt/x && ! sh -c 'echo x > /proc/sys/kernel/core_pattern' && echo fine >&2")
			tree := hostTree(spec)
			tree.Binds = append(tree.Binds, Bind{Source: t.TempDir(), Target: "/usr/x", ReadOnly: true})
			change(tree)
			j := job{spec: spec, config: &stageConfig{Argv: spec.Argv, Env: spec.Env, Dir: "/", UID: 1000, GID: 1000, Tree: tree}}
			s.report.isolate(&j, false)
			if _, err := j.run(t.Context()); err != nil {
				t.Fatalf("%v\n%s", err, log)
			}
			if got := log.String(); !strings.HasSuffix(got, "fine\n") {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestWithoutUserNamespacesTheRestStillWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the tests once more")
	}
	if os.Getenv("SANDBOX_TEST_FORBIDDEN") != "" {
		t.Skip("this is the inner run")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := selfCommand(t, self, "forbid", "-test.run", "^Test[^W]", "-test.short", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "TMPDIR="+dir, "SANDBOX_TEST_FORBIDDEN=1")
	cmd.SysProcAttr = forbiddenAttr()
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("cannot forbid user namespaces")) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) {
		t.Skipf("no user namespace to forbid them in: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"user.max_user_namespaces is 0", "--- PASS: TestTheEndOfTimeEndsEverything/none"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the inner run does not say %q:\n%s", want, out)
		}
	}
}
