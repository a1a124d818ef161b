package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

const header = "# Written by esd lock; do not edit. Commit this file beside the configuration.\n"

// Bytes is the file as it is written: sorted, so that the same pins give the
// same bytes. It fails on pins that could not be read back.
func (l *Lock) Bytes() ([]byte, error) {
	file := hclwrite.NewEmptyFile()
	var errs []error
	add := func(kind string, labels []string, attributes ...[2]string) {
		file.Body().AppendNewline()
		body := file.Body().AppendNewBlock(kind, labels).Body()
		for _, a := range attributes {
			if a[1] == "" {
				continue
			}
			if err := check(a[0], a[1]); err != nil {
				errs = append(errs, fmt.Errorf("%s %q: %w", kind, labels, err))
			}
			body.SetAttributeValue(a[0], cty.StringVal(a[1]))
		}
	}
	for _, image := range l.Images() {
		add("image", []string{image.Reference}, [2]string{"platform", image.Platform}, [2]string{"digest", l.images[image]})
	}
	for _, git := range l.Gits() {
		add("git", []string{git.URL, git.Ref}, [2]string{"commit", l.gits[git]})
	}
	for _, url := range l.Files() {
		add("file", []string{url}, [2]string{"sha256", l.files[url]})
	}
	for _, address := range l.Environments() {
		e := l.envs[address]
		add("environment", []string{address}, [2]string{"specs", strings.Join(e.Specs, separator)}, [2]string{"from", e.From},
			[2]string{"spack", e.Spack}, [2]string{"config", e.Config}, [2]string{"sha256", e.SHA256})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("the lock cannot be written: %w", err)
	}
	return append([]byte(header), hclwrite.Format(file.Bytes())...), nil
}

// Write replaces the file at path. It is written beside it, synced and
// renamed: at any moment the old or the new file is there as a whole. A file
// that has these bytes already is not touched.
func (l *Lock) Write(path string) error {
	content, err := l.Bytes()
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := replace(path, content); err != nil {
		return fmt.Errorf("the lock file cannot be written: %w", err)
	}
	return nil
}

func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(0o644))
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// syncDirectory makes the rename itself last.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
