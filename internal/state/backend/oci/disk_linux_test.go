package oci

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"runtime"
	"syscall"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// onSmallDisk runs the reference registry on a file system of some size, which is
// mounted in a mount namespace that nobody else sees, and gives its address.
func onSmallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	host, result := "", make(chan error)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with its namespace
		err := syscall.Unshare(syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
		}
		if err == nil {
			defer close(done)
			host = startDistributionIn(t, dir, "delete: {enabled: true}")
		}
		result <- err
	}()
	select {
	case err := <-result:
		if err != nil {
			t.Skip("no mount namespaces: ", err)
		}
	case <-done: // it was skipped or has failed
		t.SkipNow()
	}
	return host
}

func TestAFullDiskOfTheRegistryLeavesTheStateAsItWas(t *testing.T) {
	location := onSmallDisk(t, "2m") + "/team/states"
	b := mustOpen(t, location, Options{})
	l := mustLock(t, b, request("apply"))
	mustWrite(t, l, newState(1))
	big := newState(2)
	noise := make([]byte, 3<<20)
	_, _ = rand.Read(noise)
	value, err := json.Marshal(hex.EncodeToString(noise))
	if err != nil {
		t.Fatal(err)
	}
	big.Outputs["noise"] = state.NewOutput(json.RawMessage(`"string"`), value)
	var unreachable *backend.UnreachableError
	if err = l.Write(t.Context(), big); !errors.As(err, &unreachable) || unreachable.Doubt {
		t.Errorf("write on a full disk: %v", err)
	}
	mustRead(t, mustOpen(t, location, Options{}), 1)
	if err := l.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	mustUnlock(t, l)
	mustRead(t, mustOpen(t, location, Options{}), 1)
}
