package local_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state/backend"
	"esd/internal/state/backend/local"
)

// onSmallDisk runs a test with a directory on a file system of 256 kB. It is
// mounted in a mount namespace of one thread, which is never used again, so
// nothing is left behind whatever happens.
func onSmallDisk(t *testing.T, test func(dir string) error) {
	t.Helper()
	dir := t.TempDir()
	result := make(chan error)
	unavailable := errors.New("no mount namespaces")
	go func() {
		runtime.LockOSThread()
		err := syscall.Unshare(syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k")
		}
		if err != nil {
			result <- fmt.Errorf("%w: %w", unavailable, err)
			return
		}
		result <- test(dir)
	}()
	if err := <-result; errors.Is(err, unavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Error(err)
	}
}

func TestAFullDiskLeavesTheStateAsItWas(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(dir string) error {
		path := filepath.Join(dir, "s.json")
		b := local.New(path)
		l, err := b.Lock(t.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply"}))
		if err != nil {
			return err
		}
		if err := l.Write(t.Context(), newState(1)); err != nil {
			return err
		}
		big := newState(2)
		big.ESDVersion = strings.Repeat("x", 300<<10)
		err = l.Write(t.Context(), big)
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the recorded state is as it was; free some space") {
			return fmt.Errorf("write on a full disk: %w", err)
		}
		if s, _, err := local.New(path).Read(t.Context()); err != nil || s.Serial != 1 {
			return fmt.Errorf("after a full disk: %v, %w", s, err)
		}
		if diff := cmp.Diff([]string{"s.json", "s.json.guard", "s.json.lock"}, tree(t, dir)); diff != "" {
			return fmt.Errorf("-want +got:\n%s", diff)
		}
		return errors.Join(l.Write(t.Context(), newState(2)), l.Unlock(t.Context()))
	})
}

func TestAReadOnlyFileSystemCanBeReadButNotLocked(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(dir string) error {
		path := filepath.Join(dir, "s.json")
		l, err := local.New(path).Lock(t.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply"}))
		if err != nil {
			return err
		}
		if err := l.Write(t.Context(), newState(1)); err != nil {
			return err
		}
		if err := l.Unlock(t.Context()); err != nil {
			return err
		}
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return err
		}
		return mustBeReadOnly(t, path, syscall.EROFS)
	})
}

func TestAReadOnlyDirectoryCanBeReadButNotLocked(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write to any directory")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "s.json")
	write(t, local.New(path), newState(1))
	for _, name := range []string{path, path + ".guard"} {
		if err := os.Chmod(name, 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	if err := mustBeReadOnly(t, path, fs.ErrPermission); err != nil {
		t.Error(err)
	}
}

func mustBeReadOnly(t *testing.T, path string, want error) error {
	b := local.New(path)
	if s, _, err := b.Read(t.Context()); err != nil || s.Serial != 1 {
		return fmt.Errorf("read: %v, %w", s, err)
	}
	if holder, err := b.Holder(t.Context()); err != nil || holder != nil {
		return fmt.Errorf("holder: %v, %w", holder, err)
	}
	_, err := b.Lock(t.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply"}))
	if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}
