package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gated is the step of a configuration that waits for a file to go away, in
// its first recipe only.
func gated(gate string) string {
	return "if [ ${each.key} = 0 ]; then while [ -e " + gate + " ]; do sleep 0.05; done; fi"
}

// holder is a run of esd that holds the lock, in the midst of a step.
type holder struct {
	t    testing.TB
	cmd  *exec.Cmd
	said bytes.Buffer
	gate string
}

// startHolder starts a run of the first recipe and waits until it is in its
// step. elsewhere starts it where others cannot see its process, as on another
// machine.
func startHolder(t testing.TB, place statePlace, lease string, elsewhere bool) (*holder, sharedStack) {
	t.Helper()
	h := &holder{t: t, gate: scratch(t) + "/gate"}
	if err := os.WriteFile(h.gate, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	stack := newSharedStack(t, place, 3, lease, gated(h.gate))
	h.cmd = stack.machine(t, place).command(stack.one(0)...)
	h.cmd.Stdout, h.cmd.Stderr = &h.said, &h.said
	if elsewhere {
		hide(h.cmd)
	}
	err := h.cmd.Start()
	if elsewhere && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL)) {
		t.Skip("no namespaces of processes here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Remove(h.gate)
		_ = h.cmd.Process.Kill()
	})
	for range 600 {
		if data, err := os.ReadFile(stack.witness); err == nil && strings.Contains(string(data), "begin 0") {
			return h, stack
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the step was not begun:\n%s", h.said.String())
	return nil, stack
}

// hide starts a command in a process namespace of its own.
func hide(cmd *exec.Cmd) {
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
}

// open lets the step go on, and waits for the end of the run.
func (h *holder) open() (code int) {
	_ = os.Remove(h.gate)
	_ = h.cmd.Wait()
	return h.cmd.ProcessState.ExitCode()
}

func TestTheNextRunTakesOverFromAKilledOne(t *testing.T) {
	t.Parallel()
	for name, open := range statePlaces {
		for where, elsewhere := range map[string]bool{"on this machine": false, "elsewhere": true} {
			t.Run(name+" "+where, func(t *testing.T) {
				t.Parallel()
				place := open(t, 10)
				lease := ""
				if place.leases {
					lease = "4s"
				}
				h, stack := startHolder(t, place, lease, elsewhere)
				_ = h.cmd.Process.Kill()
				killed := time.Now()
				_ = h.cmd.Wait()
				e := stack.machine(t, place).want(0, stack.one(1)...) // which is not told to wait
				t.Logf("%.1f s after the kill it was done", time.Since(killed).Seconds())
				wantSays(t, e, "Took over the lock of", `"apply"`)
				_ = os.Remove(h.gate)
				e = stack.machine(t, place).want(0, stack.one(2)...)
				if strings.Contains(e.all(), "Took over") {
					t.Errorf("the run after tells it again:\n%s", e.all())
				}
				wantOneChain(t, place.versions(t), []string{"1", "2"})
			})
		}
	}
}

func TestARunThatSleptThroughItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	for name, open := range statePlaces {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := open(t, 10)
			if !place.leases {
				t.Skip("its locks have no leases")
			}
			h, stack := startHolder(t, place, "3s", false)
			if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			e := stack.machine(t, place).want(0, stack.one(1, "--lock-timeout", "1m")...)
			wantSays(t, e, "Took over the lock of")
			wantOneChain(t, place.versions(t), []string{"1"})
			if err := h.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			if code := h.open(); code != 8 || !strings.Contains(h.said.String(), "lock on the state was lost") {
				t.Errorf("the one that slept exits with %d, want 8:\n%s", code, h.said.String())
			}
			stack.machine(t, place).want(0, stack.one(2)...)
			wantOneChain(t, place.versions(t), []string{"1", "2"})
		})
	}
}
