//go:build unix && !linux

package store

import "golang.org/x/sys/unix"

// Other systems have the locks of processes only.
const (
	setOpenFileLock = unix.F_SETLK
	getOpenFileLock = unix.F_GETLK
)
