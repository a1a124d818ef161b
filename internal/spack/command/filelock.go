//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockFile waits for the lock on a file, which it makes; what says what it is
// about. The lock ends with the process, however that ends.
func lockFile(ctx context.Context, path, what string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP):
			// A file system without locks: renaming into place has to do.
			return func() { _ = f.Close() }, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				_ = f.Close()
				return nil, fmt.Errorf("waiting for another process with %s: %w", what, context.Cause(ctx))
			}
		case !errors.Is(err, unix.EINTR):
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", what, err)
		}
	}
}
