//go:build unix

package store

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// set changes the lock of a range, without waiting.
func (l *lockFile) set(r lockRange, mode lockMode) (bool, error) {
	kinds := map[lockMode]int16{unlocked: unix.F_UNLCK, shared: unix.F_RDLCK, exclusive: unix.F_WRLCK}
	for {
		command := setOpenFileLock
		if l.posix {
			command = unix.F_SETLK
		}
		lock := unix.Flock_t{Type: kinds[mode], Whence: io.SeekStart, Start: r.start, Len: r.length}
		err := unix.FcntlFlock(l.file.Fd(), command, &lock)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
			return false, nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL) && !l.posix && len(l.held) == 0:
			l.posix = true
			continue
		}
		return false, fmt.Errorf("lock %s: %w; the file system must support POSIX record locks", l.path, err)
	}
}

// holder is a process that has a lock of the range; 0 when it is not known:
// the kernel names the owner of POSIX locks only, on this machine only.
func (l *lockFile) holder(r lockRange) int {
	for _, command := range []int{unix.F_GETLK, getOpenFileLock} {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: r.start, Len: r.length}
		if err := unix.FcntlFlock(l.file.Fd(), command, &lock); err == nil && lock.Type != unix.F_UNLCK && lock.Pid > 0 {
			return int(lock.Pid)
		}
	}
	return 0
}

func isReadOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }
