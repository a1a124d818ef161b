package workspace

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/config"
)

// Formatting is a file and how it should be laid out.
type Formatting struct {
	Path          string
	Before, After []byte
}

// Changed reports whether the file is laid out otherwise.
func (f Formatting) Changed() bool { return !bytes.Equal(f.Before, f.After) }

// maxFormat bounds what is read of a file to format, in bytes.
const maxFormat = 64 << 20

// FormatFiles lays out files, and in directories all configurations and files
// of variables, with recursive also those below. Nothing is written. Files with
// mistakes are reported, and the others returned all the same.
func FormatFiles(paths []string, recursive bool) ([]Formatting, hcl.Diagnostics, map[string]*hcl.File) {
	var list []Formatting
	var diags hcl.Diagnostics
	files := map[string]*hcl.File{}
	for _, path := range paths {
		names, err := toFormat(path, recursive)
		if err != nil {
			diags = append(diags, failure("Cannot format", err))
		}
		for _, name := range names {
			src, err := readBounded(name)
			if err != nil {
				diags = append(diags, failure("Cannot format", err))
				continue
			}
			f, more := Format(src, name)
			files[name] = &hcl.File{Bytes: src}
			diags = append(diags, more...)
			list = append(list, f)
		}
	}
	return list, diags, files
}

// Format lays out one text.
func Format(src []byte, name string) (Formatting, hcl.Diagnostics) {
	after, diags := config.Format(src, name)
	return Formatting{Path: name, Before: src, After: after}, diags
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFormat+1))
	if err == nil && len(src) > maxFormat {
		err = fmt.Errorf("%s is larger than any configuration", path)
	}
	return src, err
}

// toFormat lists the files that a path stands for.
func toFormat(path string, recursive bool) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is not a regular file", path)
		}
		if !strings.HasSuffix(path, ".hcl") && !strings.HasSuffix(path, ".esdvars") {
			return nil, fmt.Errorf("%s is neither a configuration (*.hcl) nor a file of variables (*.esdvars)", path)
		}
		return []string{path}, nil
	}
	var names []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		hidden := strings.HasPrefix(d.Name(), ".") && name != path
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != path && (hidden || !recursive):
			return fs.SkipDir
		case hidden || !d.Type().IsRegular() || strings.HasSuffix(name, ".lock.hcl"):
		case strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".esdvars"):
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Write replaces the file: all of it, or nothing. Its mode stays, and where it
// is a symbolic link the file behind it is replaced.
func (f Formatting) Write() (err error) {
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(f.After)
	if err == nil {
		err = tmp.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
