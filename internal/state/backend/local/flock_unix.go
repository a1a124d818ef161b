//go:build unix

package local

import (
	"errors"
	"os"
	"syscall"
)

// flock takes an exclusive lock on an open file without waiting. The error is
// errHeld, errNoLocks, or what went wrong.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errHeld
		case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOSYS),
			errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EOPNOTSUPP):
			return errNoLocks
		default:
			return &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}
