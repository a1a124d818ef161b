package store

import (
	"bytes"
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// sbangScript does what Spack's script of that name does.
//
//go:embed sbang.sh
var sbangScript []byte

// Sbang is the script that belongs at bin/sbang below the root of an install
// tree: for trees that are made in another way than by [Store.Install].
func Sbang() []byte { return bytes.Clone(sbangScript) }

// installSbang puts bin/sbang into the tree, below the root without padding. One
// that is there is kept: Spack's does the same as ours.
func (s *Store) installSbang() error {
	path := filepath.Join(s.unpadded, "bin", "sbang")
	if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".sbang.*.tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(sbangScript)
	if err = errors.Join(err, f.Chmod(0o755), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
