package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/schema"
)

// maxFileSize bounds every file that is read: configuration, variables, and
// what functions such as file read. Nothing that a person writes comes near.
const maxFileSize = 64 << 20

// readFile reads a regular file of bounded size. Symbolic links are followed,
// but pipes and devices, which might never end, are refused.
func readFile(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxFileSize>>20)
	}
	return src, nil
}

// openRegular opens without blocking, so that a pipe can be refused at all.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is a %s, not a regular file", path, modeName(info.Mode()))
	}
	if err == nil && info.Size() > maxFileSize {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxFileSize>>20)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func modeName(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&os.ModeNamedPipe != 0:
		return "pipe"
	case mode&os.ModeSocket != 0:
		return "socket"
	case mode&os.ModeDevice != 0:
		return "device"
	}
	return "special file"
}

// reason is an error of the file system without the path, which the
// diagnostic names already.
func reason(err error) string {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}

// locate resolves Options.Path to the directory of the root module, the name
// of the configuration, and the file if it is only one.
func locate(path string) (dir, name, file string, diags hcl.Diagnostics) {
	if path == "" {
		path = "."
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return path, "esd", "", errorf("Configuration not found",
			"%s cannot be read: %s. Name a directory with *.hcl files in it, or one .hcl file.", path, reason(err))
	case info.IsDir():
		return path, "esd", "", nil
	case !strings.HasSuffix(path, ".hcl"):
		return filepath.Dir(path), "esd", "", errorf("Not a configuration",
			"The name of %s does not end in .hcl. Name a directory with *.hcl files in it, or one .hcl file.", path)
	case strings.HasSuffix(path, ".lock.hcl"):
		return filepath.Dir(path), "esd", "", errorf("Not a configuration",
			"%s is a lock file, which esd lock writes. Name the configuration beside it.", path)
	}
	return filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), ".hcl"), path, nil
}

// configFiles lists the configuration files of a directory, sorted by name.
func configFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		name := entry.Name()
		// Editors leave hidden and backup files beside the real ones.
		if !strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".lock.hcl") || strings.HasPrefix(name, ".") || entry.IsDir() {
			continue
		}
		paths = append(paths, filepath.Join(dir, name))
	}
	sort.Strings(paths)
	return paths, nil
}

// errorf is one error without a place in a file.
func errorf(summary, format string, args ...any) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}}
}

// errorAt is one error at a place in a file.
func errorAt(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: &at}
}

// invalidValue is the diagnostic for a value that its attribute refuses. Views
// leave out the source where the error is a *schema.SecretError.
func invalidValue(at hcl.Range, a *schema.Attribute, err error) *hcl.Diagnostic {
	diag := errorAt(at, "Invalid value", "The value of %s is not valid: %s.", a.Name, strings.TrimSuffix(err.Error(), "."))
	var secret *schema.SecretError
	if errors.As(err, &secret) {
		diag.Extra = secret
	}
	return diag
}
