//go:build unix && !linux

package sandbox

import (
	"errors"
	"os"
)

// FileSystemType is known on Linux only; elsewhere the error wraps [errors.ErrUnsupported].
func FileSystemType(path string) (FileSystem, error) {
	return FileSystem{}, &os.PathError{Op: "statfs", Path: path, Err: errors.ErrUnsupported}
}

// Free is known on Linux only; elsewhere the error wraps [errors.ErrUnsupported].
func Free(path string) (Space, error) {
	return Space{}, &os.PathError{Op: "statfs", Path: path, Err: errors.ErrUnsupported}
}
