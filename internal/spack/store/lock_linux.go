package store

import "golang.org/x/sys/unix"

// Locks that belong to an open file description (fcntl_locking(2)).
const (
	setOpenFileLock = unix.F_OFD_SETLK
	getOpenFileLock = unix.F_OFD_GETLK
)
