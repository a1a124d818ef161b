package store

import (
	"io/fs"
	"os"
	"path/filepath"
)

// setPermissions gives a prefix the permissions that Spack gives where the
// configuration says nothing: readable by all, writable by the owner, and
// directories hand their group on (hooks/permissions_setters.py,
// util/file_permissions.py and get_package_dir_permissions in package_prefs.py).
func setPermissions(prefix string) error {
	return filepath.WalkDir(prefix, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := wantedMode(info.Mode())
		if mode == info.Mode()&(fs.ModePerm|fs.ModeSetgid|fs.ModeSetuid|fs.ModeSticky) {
			return nil
		}
		return os.Chmod(path, mode)
	})
}

func wantedMode(mode fs.FileMode) fs.FileMode {
	special := mode & (fs.ModeSetgid | fs.ModeSetuid | fs.ModeSticky)
	switch {
	case mode.IsDir():
		return 0o755 | fs.ModeSetgid | special
	case mode&0o111 != 0:
		return 0o755 | special
	}
	return 0o644 | special
}
