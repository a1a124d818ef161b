package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"esd/internal/state/journal"
)

func TestAFullDiskLosesNothingThatWasAppended(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	result := make(chan error)
	unavailable := errors.New("no mount namespaces")
	go func() {
		// The mount is seen by this thread only, which ends with the goroutine.
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
		result <- fillDisk(dir)
	}()
	if err := <-result; errors.Is(err, unavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Error(err)
	}
}

func fillDisk(dir string) error {
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 128<<10), 0o644); err != nil {
		return err
	}
	w, err := journal.Create(dir, header(0))
	if err != nil {
		return err
	}
	defer w.Close()
	e, appended := entry("a", at1), 0
	e.Error = strings.Repeat("x", 5000)
	for err = w.Append(e); err == nil; err = w.Append(e) {
		appended++
	}
	if !errors.Is(err, syscall.ENOSPC) || appended == 0 {
		return fmt.Errorf("after %d appends: %w", appended, err)
	}
	j, err := journal.Read(w.Path())
	if err != nil || len(j.Entries) != appended || j.Torn != 0 {
		return fmt.Errorf("%d of %d entries, %d bytes torn: %w", len(j.Entries), appended, j.Torn, err)
	}
	if err := os.Remove(filler); err != nil {
		return err
	}
	if err := w.Append(e); err != nil {
		return fmt.Errorf("with space again: %w", err)
	}
	if j, err = journal.Read(w.Path()); err != nil || len(j.Entries) != appended+1 {
		return fmt.Errorf("with space again: %d entries: %w", len(j.Entries), err)
	}
	return nil
}
