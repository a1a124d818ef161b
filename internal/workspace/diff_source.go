package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"esd/internal/compare"
	"esd/internal/compare/inventory"
	configlock "esd/internal/config/lockfile"
	"esd/internal/oci"
	"esd/internal/plan"
	spacklock "esd/internal/spack/lockfile"
	"esd/internal/state"
)

// maxCompared bounds a document that is read for a comparison, in bytes.
const maxCompared = 1 << 30

// source is what an argument names.
type source struct {
	image  *oci.Ref // an image, or
	config bool     // a configuration, or
	data   []byte   // a document
	name   string   // of its file, to tell kinds apart
	// beside reads files relative to the directory of the document.
	beside inventory.ReadFile
}

// find finds out what an argument names: a file or directory that is there, a
// file at a revision of git, or an image.
func (o DiffOptions) find(ctx context.Context, written string) (source, error) {
	if written == "-" {
		if o.Stdin == nil {
			return source{}, errors.New("there is no standard input")
		}
		data, err := o.Stdin(maxCompared)
		return source{data: data, name: "-", beside: nothingBeside}, err
	}
	info, err := os.Stat(written)
	switch {
	case err == nil && info.IsDir():
		return directory(written)
	case err == nil && isConfigFile(written):
		return source{config: true}, nil
	case err == nil:
		return openSource(written)
	case strings.HasPrefix(written, "oci:"):
		return imageSource(written)
	}
	src, gitErr := revision(ctx, written)
	if gitErr == nil || !errors.Is(gitErr, errNoRevision) {
		return src, gitErr
	}
	if looksLikeImage(written) {
		return imageSource(written)
	}
	if err := noRevision(ctx, written); err != nil {
		return source{}, &DiffUsageError{err}
	}
	return source{}, &DiffUsageError{fmt.Errorf("%s: there is no such file or directory, and it is neither REVISION:PATH of a git repository "+
		"nor the reference of an image (registry/repository:tag or oci:directory:tag)", written)}
}

// isConfigFile tells configurations from lock files.
func isConfigFile(name string) bool {
	return strings.HasSuffix(name, ".hcl") && !isLockFile(name)
}

func isLockFile(name string) bool { return strings.HasSuffix(name, ".lock.hcl") }

// directory is a configuration, or a Spack environment.
func directory(dir string) (source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return source{}, err
	}
	for _, e := range entries {
		if isConfigFile(e.Name()) {
			return source{config: true}, nil
		}
	}
	file := filepath.Join(dir, "spack.lock")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return source{}, &DiffUsageError{fmt.Errorf("%s is neither a configuration nor a Spack environment: it has no .hcl file and no spack.lock", dir)}
	}
	return openSource(file)
}

func openSource(file string) (source, error) {
	data, err := readCompared(file)
	dir := filepath.Dir(file)
	return source{data: data, name: filepath.ToSlash(file), beside: func(name string) ([]byte, error) {
		return readCompared(filepath.Join(dir, filepath.FromSlash(name)))
	}}, err
}

func readCompared(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("%s is not a file", file)
	}
	return readLimited(f, file)
}

func readLimited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxCompared+1))
	if err == nil && len(data) > maxCompared {
		err = fmt.Errorf("%s is larger than %d MiB", name, maxCompared>>20)
	}
	return data, err
}

// looksLikeImage tells references of images from names of files that are not
// there: they have a tag or digest, or begin with a host.
func looksLikeImage(written string) bool {
	if strings.HasPrefix(written, ".") || strings.HasPrefix(written, "/") {
		return false
	}
	for _, ending := range []string{".hcl", ".json", ".lock"} {
		if strings.HasSuffix(written, ending) {
			return false
		}
	}
	host, _, found := strings.Cut(written, "/")
	named := found && (strings.ContainsAny(host, ".:") || host == "localhost")
	tagged := strings.Contains(path.Base(written), ":") || strings.Contains(written, "@")
	_, err := oci.ParseRef(written)
	return err == nil && (named || tagged)
}

func imageSource(written string) (source, error) {
	ref, err := oci.ParseRef(written)
	if err != nil {
		return source{}, &DiffUsageError{err}
	}
	return source{image: &ref}, nil
}

func nothingBeside(name string) ([]byte, error) { return nil, fs.ErrNotExist }

// read reads a document by what it says of itself.
func (s source) read(written string) (*compare.Inventory, error) {
	if isLockFile(s.name) {
		lock, diags := configlock.Parse(s.data, written)
		if diags.HasErrors() {
			return nil, diags
		}
		return inventory.Lock(written, lock, s.beside)
	}
	switch documentKind(s.data) {
	case compare.Plan:
		return s.plan(written)
	case compare.SpackLock:
		lock, err := spacklock.Parse(s.data)
		if err != nil {
			return nil, fmt.Errorf("%s was taken for the lock of a Spack environment: %w", written, err)
		}
		g := inventory.Environment(inventory.AddressOfSpackLock(s.name), lock)
		return &compare.Inventory{Kind: compare.SpackLock, Name: written, Groups: []*compare.Group{g}}, nil
	case compare.State:
		st, err := state.Decode(s.data, written)
		if err != nil {
			return nil, err
		}
		inv := inventory.State(written, st)
		s.enrich(inv)
		return inv, nil
	case compare.Lock, compare.Image:
	}
	return nil, &DiffUsageError{fmt.Errorf("%s is none of what can be compared: a saved plan, a lock file (NAME.lock.hcl), a spack.lock, a state", written)}
}

func (s source) plan(written string) (*compare.Inventory, error) {
	p, problem := plan.Parse(s.data)
	if problem != "" {
		return nil, &plan.FileError{Path: written, Problem: problem}
	}
	inv, refs := inventory.Plan(written, p)
	for _, ref := range refs {
		data, err := readCompared(ref.Path)
		if err != nil || inventory.Digest(data) != ref.SHA256 {
			continue // made on another machine, or the lock has moved on
		}
		if lock, err := spacklock.Parse(data); err == nil {
			enrich(inv, inventory.Environment(ref.Address, lock))
		}
	}
	return inv, nil
}

// documentKind tells what a JSON document is by its first members; empty if it
// is none that is known.
func documentKind(data []byte) compare.Kind {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return ""
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return ""
		}
		switch name {
		case "_meta", "concrete_specs":
			return compare.SpackLock
		case "format":
			return compare.Plan
		case "format_version", "lineage", "serial", "terraform_version":
			return compare.State
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return ""
		}
	}
	return ""
}

// enrich adds what the locks say that stand where a configuration has them, as
// far as they are about the same packages.
func (s source) enrich(inv *compare.Inventory) {
	for _, g := range inv.Groups {
		name, ok := inventory.SpackLockOf(g)
		if !ok {
			continue
		}
		for _, dir := range []string{"", ".."} { // of a state in .esd
			data, err := s.beside(path.Join(dir, "locks", name))
			if err != nil {
				continue
			}
			if lock, err := spacklock.Parse(data); err == nil {
				enrich(inv, inventory.Environment(g.Address, lock))
			}
		}
	}
}

func enrich(inv *compare.Inventory, full *compare.Group) {
	for _, g := range inv.Groups {
		if g.Kind == compare.Environment && g.Address == full.Address {
			inventory.Enrich(g, full)
		}
	}
}

// recorded reads the state of a configuration.
func (o DiffOptions) recorded(ctx context.Context, written string) (side, error) {
	opts := o.State
	opts.Path = written
	w, diags := OpenState(opts)
	if diags.HasErrors() {
		return side{}, diags
	}
	st, _, err := w.Recorded(ctx)
	if err != nil {
		return side{}, err
	}
	if st == nil {
		return side{}, &DiffUsageError{fmt.Errorf("%s was taken for a configuration, whose recorded state is compared, and nothing is recorded for it yet; "+
			"name its lock file to compare that (%s)", written, w.LockPath())}
	}
	inv := inventory.State(written, st)
	source{beside: func(name string) ([]byte, error) {
		return readCompared(filepath.Join(w.Config.Dir, filepath.FromSlash(name)))
	}}.enrich(inv)
	header := st.Header()
	return side{inventory: inv, header: &header}, nil
}
