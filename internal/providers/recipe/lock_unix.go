//go:build unix

package recipe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPackage keeps other processes that use the same place away from one
// package. Closing the file gives the lock back, as the end of the process does,
// however that ends; but not before every process that has the file is gone.
func lockPackage(ctx context.Context, p place, base string) (*os.File, error) {
	return lockFile(ctx, p.meta(base)+".lock", base)
}

// lockFile waits for the lock on a file, which it makes; what says what it is
// about.
func lockFile(ctx context.Context, path, what string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				f.Close()
				return nil, fmt.Errorf("another esd is working on %s: %w", what, context.Cause(ctx))
			}
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINTR):
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return f, nil // no locks on this file system: the lock of the state has to do
		default:
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", what, err)
		}
	}
}
