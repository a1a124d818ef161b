package importer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLock bounds a spack.lock: 256 MiB are some 200,000 packages.
const maxLock = 256 << 20

// LockBeside reads the spack.lock beside a spack.yaml; nil if there is none.
// The path is that of the file or of its directory.
func LockBeside(path string) ([]byte, error) {
	dir := path
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		dir = filepath.Dir(path)
	}
	name := filepath.Join(dir, "spack.lock")
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", name, errNoFile)
	case info.Size() > maxLock:
		return nil, fmt.Errorf("%s is larger than %d MiB", name, maxLock>>20)
	}
	return os.ReadFile(name)
}
