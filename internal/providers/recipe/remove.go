package recipe

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// removeAll removes a tree although it has directories that even their owner
// may not write to, as caches of Go modules have.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700) // before it is read: WalkDir comes here first
		}
		return nil
	})
	return os.RemoveAll(dir)
}
