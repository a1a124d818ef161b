//go:build unix

package journal

import (
	"errors"
	"os"
	"syscall"
)

// markLive locks the journal as long as its run goes on. Where the file system
// has no locks, nothing but the lock of the state tells runs apart.
func markLive(f *os.File) {
	// It waits at most for a reader that is looking at this very moment.
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
}

// markDead takes the lock back before the file is closed: a child process that
// is just being started may have the file open for a moment longer.
func markDead(f *os.File) {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
}

// isLive reports whether the run that writes an open journal still goes on.
func isLive(f *os.File) bool {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	}
	return errors.Is(err, syscall.EWOULDBLOCK)
}

// syncDirectory makes the name of a new file durable. Some file systems cannot,
// and say so.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
