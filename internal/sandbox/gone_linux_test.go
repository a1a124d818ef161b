package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// holdProgram runs a command while it holds a lock on a file; the test kills it.
func holdProgram() int {
	lock, err := os.OpenFile(os.Args[5], os.O_RDWR, 0)
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	s, _, chooseErr := Choose(Probe(context.Background()), os.Args[1])
	if err != nil || chooseErr != nil {
		return 1
	}
	_, _ = s.Run(context.Background(), Spec{
		Root: os.Args[2], RootDir: os.Args[3], Argv: []string{"sh", "-c", os.Args[4]}, Env: basicEnv(), Hold: []*os.File{lock},
	})
	return 0
}

func TestALockLastsUntilNothingOfTheCommandIsLeft(t *testing.T) {
	for _, kind := range []string{Namespace, None} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, word := t.TempDir(), uniqueSleep()
			root := dir
			if kind == Namespace {
				namespaceSandbox(t)
				root = "/opt/esd"
			}
			lock, err := os.Create(filepath.Join(t.TempDir(), "lock"))
			if err != nil {
				t.Fatal(err)
			}
			defer lock.Close()
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			text := fmt.Sprintf("trap '' TERM HUP; setsid sleep %[1]s & sleep %[1]s & ls /proc/self/fd > fds; touch ready; sleep %[1]s", word)
			cmd := selfCommand(t, self, "hold", kind, root, dir, text, lock.Name())
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the script runs", func() bool {
				_, err := os.Stat(filepath.Join(dir, "ready"))
				return err == nil && processesWith(word) >= 3
			})
			if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
				t.Error("the program holds no lock")
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
				t.Fatal(err)
			}
			if n := processesWith(word); n > 0 {
				t.Errorf("%d processes run although the lock is free", n)
			}
			if fds, err := os.ReadFile(filepath.Join(dir, "fds")); err != nil || string(fds) != "0\n1\n2\n3\n" { // 3 is the directory that ls reads
				t.Errorf("the command has the files %q, %v", fds, err)
			}
		})
	}
}

func TestNothingStartsOnceTheProgramIsGone(t *testing.T) {
	for name, s := range sandboxes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 10 {
				spec, _ := script(t, s, "echo > started")
				j := s.job(spec)
				cmd, control, err := newStage(j.flags)
				if err != nil {
					t.Fatal(err)
				}
				j.control = control
				// The supervisor is slow to start: it finds the config, and nobody behind it any more.
				if err := j.tell(request{Config: j.config}); err != nil {
					t.Fatal(err)
				}
				_ = control.Close()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				closeTheirs(cmd)
				_ = cmd.Wait()
				if _, err := os.Stat(filepath.Join(spec.RootDir, "started")); err == nil {
					t.Fatal("the command was started")
				}
			}
		})
	}
}
