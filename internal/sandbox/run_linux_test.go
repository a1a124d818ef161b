package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestACommandWritesToItsPrefixRoot(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, log := script(t, s, "pwd; echo hello > file; umask")
			got := mustRun(t, s, spec, log)
			if want := spec.Root + "\n0022\n"; got != want {
				t.Errorf("log: got %q, want %q", got, want)
			}
			path := filepath.Join(spec.RootDir, "file")
			data, err := os.ReadFile(path)
			if err != nil || string(data) != "hello\n" {
				t.Fatalf("got %q, %v", data, err)
			}
			info, _ := os.Stat(path)
			if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != os.Geteuid() {
				t.Errorf("the file belongs to %d, want the caller %d", owner, os.Geteuid())
			}
		})
	}
}

func TestTheEnvironmentIsExactlyWhatIsGiven(t *testing.T) {
	t.Setenv("SECRET", "not for builds")
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			spec, log := script(t, s, "")
			spec.Argv = []string{"env"}
			spec.Env = []string{"PATH=/usr/bin:/bin", "A=b c"}
			if got, want := mustRun(t, s, spec, log), "PATH=/usr/bin:/bin\nA=b c\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			log.Reset()
			spec.Argv, spec.Env = []string{"/usr/bin/env"}, nil
			if got := mustRun(t, s, spec, log); got != "" {
				t.Errorf("with no environment at all, got %q", got)
			}
		})
	}
}

func TestABuildIsTheSameUserForEverybody(t *testing.T) {
	s := namespaceSandbox(t)
	if !s.report.UserNS.Works {
		t.Skip("no user namespaces: ", s.report.UserNS.Reason)
	}
	spec, log := script(t, s, "id -u; id -g; id -un; hostname; grep -E '^(CapEff|CapPrm|CapAmb|NoNewPrivs)' /proc/self/status")
	got := mustRun(t, s, spec, log)
	want := "1000\n1000\nesd\nlocalhost\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRootKeepsOnlyTheCapabilitiesAboutFileOwnership(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, s := range sandboxes(t) {
		if name != "none" && name != "namespace of root without user namespace" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			spec, log := script(t, s, "grep -E '^(CapEff|CapBnd)' /proc/self/status; touch f && chown 12 f")
			if got, want := mustRun(t, s, spec, log), "CapEff:\t000000000000001b\nCapBnd:\t000000000000001b\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestTheWayACommandEndsIsTold(t *testing.T) {
	cases := map[string]struct {
		script string
		code   int
		signal syscall.Signal
	}{
		"an exit status":                  {"exit 3", 3, 0},
		"a signal":                        {"kill -KILL $$", 137, syscall.SIGKILL},
		"a signal that a shell passes on": {"sh -c 'kill -SEGV $$'; exit $?", 139, 0},
	}
	for name, s := range sandboxes(t) {
		for what, c := range cases {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				spec, _ := script(t, s, c.script)
				res, err := s.Run(t.Context(), spec)
				var exit *ExitError
				if !errors.As(err, &exit) || exit.Code != c.code || exit.Signal != c.signal {
					t.Fatalf("got %v, want code %d and signal %d", err, c.code, c.signal)
				}
				if res.ExitCode != c.code || res.Signal != c.signal || res.MaxRSS == 0 || res.Duration == 0 || res.OOM {
					t.Errorf("got %+v", res)
				}
			})
		}
	}
}

func TestWhatCannotStartSaysWhy(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			cases := map[string]struct {
				change func(*Spec)
				want   []string
				is     error
			}{
				"a program that is not in PATH": {func(s *Spec) { s.Argv = []string{"no-such-program"} },
					[]string{"start no-such-program", "PATH=/usr/local/bin:/usr/bin:/bin"}, fs.ErrNotExist},
				"a program that is not executable": {func(s *Spec) {
					if err := os.WriteFile(filepath.Join(s.RootDir, "data"), nil, 0o644); err != nil {
						t.Fatal(err)
					}
					s.Argv = []string{s.Root + "/data"}
				}, []string{"start ", "permission denied"}, fs.ErrPermission},
				"a working directory that is missing": {func(s *Spec) { s.Dir = "/no/such/directory" },
					[]string{"working directory /no/such/directory"}, fs.ErrNotExist},
				"a program without its interpreter": {func(s *Spec) {
					path := filepath.Join(s.RootDir, "script")
					if err := os.WriteFile(path, []byte("#!/no/interpreter\n"), 0o755); err != nil {
						t.Fatal(err)
					}
					s.Argv = []string{s.Root + "/script"}
				}, []string{"interpreter or loader may be missing"}, fs.ErrNotExist},
			}
			for what, c := range cases {
				t.Run(what, func(t *testing.T) {
					spec, _ := script(t, s, "")
					c.change(&spec)
					res, err := s.Run(t.Context(), spec)
					var setup *SetupError
					if !errors.As(err, &setup) || !errors.Is(err, c.is) || res.ExitCode != -1 {
						t.Fatalf("got %+v, %v", res, err)
					}
					for _, w := range c.want {
						if !strings.Contains(err.Error(), w) {
							t.Errorf("%q does not say %q", err, w)
						}
					}
				})
			}
		})
	}
}

func TestBadSpecsAreRefused(t *testing.T) {
	good := Spec{Root: "/opt/esd", RootDir: "/tmp", Argv: []string{"true"}}
	cases := map[string]func(*Spec){
		"no command":                    func(s *Spec) { s.Argv = nil },
		"a relative prefix root":        func(s *Spec) { s.Root = "opt/esd" },
		"a prefix root that is /":       func(s *Spec) { s.Root = "/" },
		"a prefix root with ..":         func(s *Spec) { s.Root = "/opt/../etc" },
		"no directory behind it":        func(s *Spec) { s.RootDir = "" },
		"a bind over /":                 func(s *Spec) { s.Binds = []Bind{{Source: "/etc", Target: "/"}} },
		"a bind from nowhere":           func(s *Spec) { s.Binds = []Bind{{Target: "/x"}} },
		"/ hidden":                      func(s *Spec) { s.Hide = []string{"/"} },
		"a variable without a value":    func(s *Spec) { s.Env = []string{"PATH"} },
		"a variable without a name":     func(s *Spec) { s.Env = []string{"=x"} },
		"a variable with a zero in it":  func(s *Spec) { s.Env = []string{"A=\x00"} },
		"a working directory with a //": func(s *Spec) { s.Dir = "/opt//esd" },
	}
	for what, change := range cases {
		t.Run(what, func(t *testing.T) {
			spec := good
			change(&spec)
			if _, err := (Sandbox{kind: Namespace}).Run(t.Context(), spec); err == nil {
				t.Error("was accepted")
			}
		})
	}
}

func TestTheEndOfTimeEndsEverything(t *testing.T) {
	for name, s := range sandboxes(t) {
		cases := map[string]string{
			"a script that waits":           "sleep %s",
			"a script that ignores SIGTERM": "trap '' TERM HUP INT; sleep %s; sleep 5; sleep 5",
			"a script with a daemon":        "setsid sh -c 'trap \"\" TERM HUP; sleep %s' & wait; sleep 60",
			"a script that prints for ever": "sleep %s & while :; do echo y; done",
		}
		for what, text := range cases {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				word := uniqueSleep()
				spec, _ := script(t, s, fmt.Sprintf(text, word))
				spec.Timeout, spec.LogLimit = 200*time.Millisecond, 1000
				res, err := s.Run(context.Background(), spec)
				if !errors.Is(err, ErrTimeout) || !res.TimedOut {
					t.Errorf("got %+v, %v", res, err)
				}
				if n := processesWith(word); n != 0 {
					t.Errorf("%d processes are left", n)
				}
			})
		}
	}
}

func TestAScriptMayTidyUpWhenItIsInterrupted(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec, log := script(t, s, "trap 'echo tidy; exit 1' TERM; echo ready; sleep 60 & wait")
			spec.Grace = 10 * time.Second
			ctx, cancel := context.WithCancelCause(t.Context())
			ready := make(chan struct{})
			spec.Stdout = writerFunc(func(p []byte) (int, error) {
				if log.Len() == 0 {
					close(ready)
				}
				return log.Write(p)
			})
			cause := errors.New("second interrupt")
			go func() { <-ready; cancel(cause) }()
			res, err := s.Run(ctx, spec)
			if !errors.Is(err, ErrCanceled) || !errors.Is(err, cause) || res.ExitCode != 1 {
				t.Errorf("got %+v, %v", res, err)
			}
			if got := log.String(); got != "ready\ntidy\n" {
				t.Errorf("log: %q", got)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestDaemonsEndWithTheirScript(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			word := uniqueSleep()
			spec, log := script(t, s, fmt.Sprintf("setsid sleep %[1]s & (sleep %[1]s &) ; nohup setsid sh -c 'sleep %[1]s & sleep %[1]s' & sleep 0.2; echo done", word))
			start := time.Now()
			mustRun(t, s, spec, log)
			if n := processesWith(word); n != 0 {
				t.Errorf("%d processes are left", n)
			}
			if d := time.Since(start); d > 30*time.Second {
				t.Errorf("their hold of the log kept the run for %s", d)
			}
		})
	}
}

func TestEverythingEndsWithTheProgram(t *testing.T) {
	for _, kind := range []string{Namespace, None} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if kind == Namespace {
				namespaceSandbox(t)
			}
			word := uniqueSleep()
			dir := t.TempDir()
			root := dir
			if kind == Namespace {
				root = "/opt/esd"
			}
			text := fmt.Sprintf("trap '' TERM HUP; setsid sleep %[1]s & sleep %[1]s & touch ready; sleep %[1]s", word)
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := selfCommand(t, self, "run", kind, root, dir, text)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the script runs", func() bool {
				_, err := os.Stat(filepath.Join(dir, "ready"))
				return err == nil && processesWith(word) >= 3
			})
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			eventually(t, "all its processes are gone", func() bool { return processesWith(word) == 0 })
		})
	}
}

func TestALogIsCutAndNothingIsBlocked(t *testing.T) {
	const size = 64 << 20
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			spec, log := script(t, s, fmt.Sprintf("echo first; head -c %d /dev/zero | tr '\\0' x; echo; echo error: the last line >&2", size))
			spec.LogLimit = 1 << 20
			res, err := s.Run(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			got := log.Bytes()
			if !res.LogTruncated || res.LogBytes < size || len(got) < 1<<20 || len(got) > 1<<20+200 {
				t.Errorf("got %d bytes, %+v", len(got), res)
			}
			if !bytes.HasPrefix(got, []byte("first\nxx")) || !bytes.HasSuffix(got, []byte("x\nerror: the last line\n")) ||
				!bytes.Contains(got, []byte("bytes dropped here")) {
				t.Errorf("begins %q, ends %q", got[:20], got[len(got)-40:])
			}
		})
	}
}

func TestALogThatCannotBeWrittenStopsNothing(t *testing.T) {
	s := noneSandbox(t)
	spec, _ := script(t, s, "head -c 1000000 /dev/zero; touch done")
	spec.Stdout = writerFunc(func([]byte) (int, error) { return 0, syscall.ENOSPC })
	res, err := s.Run(t.Context(), spec)
	if err != nil || !errors.Is(res.LogError, syscall.ENOSPC) {
		t.Errorf("got %+v, %v", res, err)
	}
	if _, err := os.Stat(filepath.Join(spec.RootDir, "done")); err != nil {
		t.Error(err)
	}
}

func TestAScriptThatFillsTheDiskIsEnded(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name+"/in one file", func(t *testing.T) {
			t.Parallel()
			spec, _ := script(t, s, "head -c 50000000 /dev/zero > big")
			spec.DiskLimit = 1 << 20
			var exit *ExitError
			if _, err := s.Run(t.Context(), spec); !errors.As(err, &exit) {
				t.Errorf("got %v", err)
			}
			if info, err := os.Stat(filepath.Join(spec.RootDir, "big")); err != nil || info.Size() > 1<<20 {
				t.Errorf("the file: %v, %v", info, err)
			}
		})
		t.Run(name+"/in many files", func(t *testing.T) {
			t.Parallel()
			spec, _ := script(t, s, "i=0; while [ $i -lt 60 ]; do head -c 900000 /dev/zero > f$i; i=$((i+1)); done; sleep 60")
			spec.DiskLimit = 1 << 20
			if _, err := s.Run(t.Context(), spec); !errors.Is(err, ErrDiskLimit) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAMemoryLimitIsTold(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The shell's variable doubles until there is no more.
			spec, log := script(t, s, "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done")
			spec.Memory = 200 << 20
			res, err := s.Run(t.Context(), spec)
			var exit *ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("got %v, log %s", err, log)
			}
			if res.MaxRSS > 220<<20 || !res.OOM {
				t.Errorf("got %+v", res)
			}
		})
	}
}
