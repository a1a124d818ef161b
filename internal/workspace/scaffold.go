package workspace

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed scaffold
var scaffoldFiles embed.FS

// Scaffolded is a file of the small configuration that `esd init` makes.
type Scaffolded struct {
	Path string
	// Kept tells that the file was there already and was left alone.
	Kept bool
}

// Scaffold begins a configuration that works in a directory, which is made if
// it is missing. It overwrites nothing: where there is a configuration already,
// or a source that would be in its way, it does nothing at all.
func Scaffold(dir string) ([]Scaffolded, error) {
	if err := free(dir); err != nil {
		return nil, err
	}
	var made []Scaffolded
	err := fs.WalkDir(scaffoldFiles, "scaffold", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := scaffoldFiles.ReadFile(name)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, scaffoldPath(name))
		kept, err := create(path, data)
		made = append(made, Scaffolded{path, kept})
		return err
	})
	slices.SortFunc(made, func(a, b Scaffolded) int { return strings.Compare(a.Path, b.Path) })
	return made, err
}

// scaffoldPath is where a file stands in the new directory.
func scaffoldPath(name string) string {
	name = strings.TrimPrefix(name, "scaffold/")
	if name == "gitignore" {
		return ".gitignore"
	}
	return filepath.FromSlash(name)
}

// free refuses a directory in which something stands in the way.
func free(dir string) error {
	configs, err := filepath.Glob(filepath.Join(globEscape(dir), "*.hcl"))
	if err != nil {
		return err
	}
	if len(configs) > 0 {
		return fmt.Errorf("there is a configuration already: %s. Nothing was changed", strings.Join(configs, ", "))
	}
	source := filepath.Join(dir, "src", "hello")
	if _, err := os.Lstat(source); err == nil {
		return fmt.Errorf("%s exists already. Nothing was changed; begin in an empty directory", source)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// globEscape takes the meaning from what Glob would act on.
func globEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// create writes a new file; it leaves one alone that is there.
func create(path string, data []byte) (kept bool, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.Write(data)
	return false, errors.Join(err, f.Close())
}
