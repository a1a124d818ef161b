package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

var (
	errHeld    = errors.New("somebody else holds the lock")
	errNoLocks = errors.New("the file system has no locks")
)

// flockFunc locks an open file or returns errHeld, errNoLocks or a failure.
type flockFunc func(*os.File) error

// The guard is held for microseconds, or milliseconds on a busy disk.
const (
	guardMinDelay = time.Millisecond
	guardMaxDelay = 20 * time.Millisecond
)

// guarded runs a critical section, exclusively among all processes. The section
// is told whether the file system has locks; when it has none it is not
// exclusive. Without create nothing is made: when nobody ever locked this state
// there is no guard, and nobody to guard against.
func (b *Backend) guarded(ctx context.Context, create bool, section func(locks bool) error) error {
	f, err := b.openGuard(create)
	if errors.Is(err, fs.ErrNotExist) && !create {
		return section(true)
	}
	if err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	defer f.Close() // which also unlocks it
	for delay := guardMinDelay; ; delay = min(2*delay, guardMaxDelay) {
		switch err := b.flock(f); {
		case err == nil:
			return section(true)
		case errors.Is(err, errNoLocks):
			return section(false)
		case !errors.Is(err, errHeld):
			return fmt.Errorf("lock state: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(delay):
		}
	}
}

func (b *Backend) openGuard(create bool) (*os.File, error) {
	if !create {
		f, err := os.OpenFile(b.guardPath(), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return os.Open(b.guardPath())
		}
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(b.path), 0o777); err != nil {
		return nil, err
	}
	return os.OpenFile(b.guardPath(), os.O_RDWR|os.O_CREATE, 0o666)
}
