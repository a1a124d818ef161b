// Package testrepo writes a small repository of Spack packages, with their
// sources, into a temporary directory: what tests need to let a real Spack
// concretize, build, push and install something in seconds and without a
// network.
//
// The packages have, between them, what makes trouble when packages move:
// prefixes in the read-only data of binaries, in scripts, in configuration
// files and in .pc files, shebang lines that name another package, relative
// and absolute symbolic links, links into other packages, hard links, texts in
// UTF-8 and in Latin-1. And what makes trouble when they are built: one always
// fails, one is slow, one needs much memory, one has patches and a resource,
// one comes from git.
package testrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Namespace is the name of the repository in Spack.
const Namespace = "toys"

// API is a generation of Spack's repository format.
type API int

const (
	// V1 is for Spack 0.23 and older: build systems are part of Spack.
	V1 API = 1
	// V2 is for Spack 1.0 and later: build systems are part of the repository
	// "builtin", directories are Python packages.
	V2 API = 2
)

// Options say what is written, and where sources are to be fetched from.
type Options struct {
	API API // V2 when zero
	// BaseURL stands before the name of each source; empty means the file:// URL
	// of the directory Sources of the result.
	BaseURL string
	// Leaves is the number of packages toy-leaf0, … that depend on toy-alpha only.
	// Zero means 4.
	Leaves int
	// SlowSeconds is how long toy-slow sleeps; zero means 30.
	SlowSeconds int
	// HungryMiB is how much memory toy-hungry fills; zero means 256.
	HungryMiB int
	// Git adds toy-git, whose source is a git repository; it needs git.
	Git bool
}

// Repo says where things were written.
type Repo struct {
	// Path is the directory that Spack's repos.yaml is to name.
	Path string
	// Sources is the directory with the sources, by their file names.
	Sources string
	// SHA256 are the digests of the sources by file name.
	SHA256 map[string]string
	// GitCommit is the commit of toy-git.
	GitCommit string
	// Packages are the names of all packages, sorted.
	Packages []string
}

// Write writes the repository and its sources below dir. The same options give
// the same bytes.
func Write(dir string, opts Options) (*Repo, error) {
	opts = opts.withDefaults()
	r := &Repo{
		Path:    filepath.Join(dir, "repo", Namespace),
		Sources: filepath.Join(dir, "sources"),
		SHA256:  map[string]string{},
	}
	if opts.API == V2 {
		// Spack 1.x takes the names of these two directories for the Python package.
		r.Path = filepath.Join(dir, "repo", "spack_repo", Namespace)
	}
	if opts.BaseURL == "" {
		opts.BaseURL = "file://" + r.Sources
	}
	if err := writeFile(filepath.Join(r.Path, "repo.yaml"), repoYAML(opts.API)); err != nil {
		return nil, err
	}
	if opts.Git {
		commit, err := writeGit(filepath.Join(r.Sources, "toy-git.git"))
		if err != nil {
			return nil, err
		}
		r.GitCommit = commit
	}
	for _, t := range toys(opts) {
		if err := r.write(t, opts); err != nil {
			return nil, fmt.Errorf("package %s: %w", t.name, err)
		}
		r.Packages = append(r.Packages, t.name)
	}
	return r, nil
}

func (o Options) withDefaults() Options {
	if o.API == 0 {
		o.API = V2
	}
	if o.Leaves == 0 {
		o.Leaves = 4
	}
	if o.SlowSeconds == 0 {
		o.SlowSeconds = 30
	}
	if o.HungryMiB == 0 {
		o.HungryMiB = 256
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	return o
}

func repoYAML(api API) string {
	if api == V1 {
		return "repo:\n  namespace: " + Namespace + "\n"
	}
	return "repo:\n  namespace: " + Namespace + "\n  api: v2.0\n"
}

// write writes the recipe of one package and its sources.
func (r *Repo) write(t toy, opts Options) error {
	for _, s := range t.sources {
		data, err := s.bytes()
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(r.Sources, s.file), string(data)); err != nil {
			return err
		}
		r.SHA256[s.file] = sha256Hex(data)
	}
	dir := filepath.Join(r.Path, "packages", t.name)
	if opts.API == V2 {
		dir = filepath.Join(r.Path, "packages", strings.ReplaceAll(t.name, "-", "_"))
	}
	for name, text := range t.beside {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return writeFile(filepath.Join(dir, "package.py"), t.recipe(r, opts))
}

func writeFile(name, text string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}
