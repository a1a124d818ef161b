package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/view"
)

// reportFile is a file that a command writes beside what it shows; empty for
// none.
type reportFile string

// Set implements [pflag.Value].
func (f *reportFile) Set(path string) error {
	switch path {
	case "":
		return errors.New("a FILE is expected")
	case "-":
		return errors.New("a FILE is expected; what goes to standard output is chosen with --format")
	}
	*f = reportFile(path)
	return nil
}

// String implements [pflag.Value].
func (f *reportFile) String() string { return string(*f) }

// Type implements [pflag.Value].
func (*reportFile) Type() string { return "FILE" }

func (f *reportFile) add(cmd *cobra.Command, name, usage string) { cmd.Flags().Var(f, name, usage) }

// namedFile is a file and what names it on the command line.
type namedFile struct{ option, path string }

// checkFiles refuses reports of which one would overwrite the other, or the plan
// or a configuration that a command is about.
func checkFiles(reports []namedFile, others ...namedFile) error {
	seen := map[string]string{}
	for _, f := range append(others, reports...) {
		if f.path == "" {
			continue
		}
		real, special := destination(f.path)
		if special {
			continue
		}
		if other, taken := seen[real]; taken {
			return usageError(fmt.Errorf("%s and %s name the same file, %s", other, f.option, f.path))
		}
		seen[real] = f.option
	}
	for _, f := range reports {
		if what := written(f.path); what != "" {
			return usageError(fmt.Errorf("%s %s: files with this ending %s", f.option, f.path, what))
		}
	}
	return nil
}

// written says what people write into files of such a name; empty for others.
func written(path string) string {
	switch {
	case isConfigName(path):
		return "are configurations"
	case strings.HasSuffix(path, ".esdvars"):
		return "set variables"
	}
	return ""
}

// destination is the file behind a path: that to which a link leads, as an
// absolute path. Special ones are no files that can be replaced: pipes, devices.
func destination(path string) (real string, special bool) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return path, true
	}
	for range maxLinks { // also those that lead to no file yet
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path, false
}

// maxLinks is how many links Linux follows.
const maxLinks = 40

// claim makes sure that the reports can be written, before anything is done, and
// removes those of an earlier run: none of them must be taken for one of this.
// What esd has not written stays until there is a report to put in its place.
func claim(reports []namedFile) error {
	reports = slices.DeleteFunc(reports, func(f namedFile) bool { return f.path == "" })
	for _, f := range reports {
		if err := canWrite(f.path); err != nil {
			return fmt.Errorf("%s: %w", f.option, err)
		}
	}
	for _, f := range reports {
		real, special := destination(f.path)
		if special || !isReport(real) {
			continue
		}
		if err := os.Remove(real); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s: %w", f.option, err)
		}
	}
	return nil
}

// isReport reports whether a file is a report that esd has written.
func isReport(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, view.ReportHead)
	n, _ := io.ReadFull(f, head)
	return view.IsReport(head[:n])
}

// canWrite tries whether a file can be written, and leaves nothing behind.
func canWrite(path string) error {
	real, special := destination(path)
	if special {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		return f.Close()
	}
	if info, err := os.Stat(real); err == nil && info.IsDir() {
		return &fs.PathError{Op: "write", Path: path, Err: errors.New("is a directory")}
	}
	f, err := beside(real)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// beside creates a new file in the directory of another, readable as usual:
// other jobs and users read reports.
func beside(path string) (*os.File, error) {
	dir, base := filepath.Split(path)
	for n := 0; ; n++ {
		name := filepath.Join(dir, "."+base+".tmp-"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		var wrong *fs.PathError
		switch {
		case err == nil:
			return f, nil
		case errors.Is(err, fs.ErrExist) && n < 100:
		case errors.As(err, &wrong):
			return nil, &fs.PathError{Op: "write", Path: path, Err: wrong.Err}
		default:
			return nil, err
		}
	}
}

// writeReport writes a report: all of it, or nothing.
func writeReport(f namedFile, write func(io.Writer) error) error {
	if f.path == "" {
		return nil
	}
	if err := replaceFile(f.path, write); err != nil {
		return fmt.Errorf("%s: %w", f.option, err)
	}
	return nil
}

func replaceFile(path string, write func(io.Writer) error) (err error) {
	real, special := destination(path)
	if special {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	tmp, err := beside(real)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err = write(tmp); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), real)
}

// openStream opens a file into which events are written as they happen.
func openStream(f namedFile) (*os.File, error) {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.option, err)
	}
	return file, nil
}
