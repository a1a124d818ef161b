package command

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"esd/internal/spack"
)

// The names of what is kept of a build.
const (
	outputName   = "spack-output.txt" // all that Spack printed
	buildLogName = "spack-build-out.txt"
	stageName    = "stage"
)

// stageOf finds the directory in which Spack built a package:
// spack-stage-NAME-VERSION-HASH, below a directory with the user's name.
func (i *Instance) stageOf(h spack.Hash) string {
	for _, pattern := range []string{"spack-stage-*", "*/spack-stage-*"} {
		names, _ := filepath.Glob(filepath.Join(i.settings.Stage, pattern+"-"+string(h)))
		for _, name := range names {
			if isDir(name) {
				return name
			}
		}
	}
	return ""
}

// keepFailed moves the stage of a failed build to the directory of what is
// kept, and copies the logs beside it.
func keepFailed(stage, dir string, moveStage bool) (buildLog, kept string, err error) {
	if stage == "" {
		return "", "", nil
	}
	if dir == "" {
		return existing(filepath.Join(stage, buildLogName)), stage, nil
	}
	logs, _ := filepath.Glob(filepath.Join(stage, "spack-*.txt"))
	var errs []error
	for _, name := range logs {
		errs = append(errs, copyFile(name, filepath.Join(dir, filepath.Base(name))))
	}
	kept = stage
	if moveStage {
		to := filepath.Join(dir, stageName)
		if err := os.RemoveAll(to); err != nil {
			errs = append(errs, err)
		} else if err := os.Rename(stage, to); err == nil {
			kept = to
		} // another file system: it stays where it is
	}
	return existing(filepath.Join(dir, buildLogName)), kept, errors.Join(errs...)
}

// keepDone unpacks the build log that Spack put into the prefix.
func keepDone(prefix, dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	in, err := os.Open(filepath.Join(prefix, ".spack", buildLogName+".gz"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // an external, or somebody cleaned up
	}
	if err != nil {
		return "", err
	}
	defer in.Close()
	unzip, err := gzip.NewReader(in)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, buildLogName)
	return name, writeStream(name, unzip)
}

func existing(name string) string {
	if _, err := os.Stat(name); err != nil {
		return ""
	}
	return name
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeStream(to, in)
}

func writeStream(name string, r io.Reader) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, r); err != nil {
		_ = out.Close()
		return err
	}
	return out.Close()
}

// installedPrefix asks the store's database for the prefix of a package: "" when
// it is not installed. What Spack prints has padding cut out.
func (i *Instance) installedPrefix(h spack.Hash) (string, error) {
	name, data, err := i.database()
	if err != nil {
		return "", err
	}
	var doc struct {
		Database struct {
			Installs map[string]json.RawMessage `json:"installs"`
		} `json:"database"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", fmt.Errorf("reading %s: %w", name, err)
	}
	raw, ok := doc.Database.Installs[string(h)]
	if !ok {
		return "", nil
	}
	var record struct {
		Path      string `json:"path"`
		Installed bool   `json:"installed"`
	}
	if err := json.Unmarshal(raw, &record); err != nil {
		return "", fmt.Errorf("reading %s: %s: %w", name, h, err)
	}
	if !record.Installed {
		return "", nil
	}
	return record.Path, nil
}

// database is the index of the store.
func (i *Instance) database() (name string, data []byte, err error) {
	name = filepath.Join(PaddedRoot(i.settings.Store), ".spack-db", "index.json")
	data, err = os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, []byte("{}"), nil // nothing was ever installed
	}
	return name, data, err
}

// PaddedRoot is the directory in which prefixes of a store lie: the root, which
// Spack extends to PaddedLength characters (spack/util/path.py: add_padding).
func PaddedRoot(s Store) string {
	const name = "__spack_path_placeholder__/"
	missing := s.PaddedLength - len(s.Root) - len("/")
	if missing <= 0 {
		return s.Root
	}
	padding := strings.Repeat(name, missing/len(name)+1)[:missing]
	if cut, ok := strings.CutSuffix(padding, "/"); ok {
		padding = cut + "_" // a slash at the end would not count
	}
	return s.Root + "/" + padding
}

// clearFailures removes the marks of earlier failures of packages: Spack refuses
// to build on a package that has one, even where it is installed since.
func (i *Instance) clearFailures(nodes map[string]lockNode) error {
	dir := filepath.Join(PaddedRoot(i.settings.Store), ".spack-db", "failures")
	marks, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, mark := range marks {
		name, hash, ok := cutLast(mark.Name(), "-")
		if n, ours := nodes[hash]; !ok || !ours || n.Name != name {
			continue
		}
		if err := os.Remove(filepath.Join(dir, mark.Name())); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func cutLast(s, separator string) (before, after string, ok bool) {
	at := strings.LastIndex(s, separator)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(separator):], true
}

// logWriter writes to a file in dir, if there is one, and to more.
func logWriter(dir string, more ...io.Writer) (out io.Writer, name string, closeLog func() error, err error) {
	if dir == "" {
		return io.MultiWriter(more...), "", func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", nil, err
	}
	name = filepath.Join(dir, outputName)
	f, err := os.Create(name)
	if err != nil {
		return nil, "", nil, err
	}
	return io.MultiWriter(append([]io.Writer{f}, more...)...), name, f.Close, nil
}
