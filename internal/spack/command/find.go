package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Location says where Spack is: at a path, in a git repository, or, when all is
// empty, on the PATH.
type Location struct {
	// Path is the root of a Spack, or its bin/spack.
	Path string
	// Git is the URL of a repository, Commit the whole name of a commit of it.
	Git, Commit string
	// Clones is the directory in which clones are kept; needed with Git.
	Clones string
}

// Spack is a Spack that was found.
type Spack struct {
	Root    string // absolute
	Version Version
	// Commit is what is checked out, "" for a Spack that is no git repository.
	Commit string
	// SiteConfig are files of configuration inside Root that apply to all that this
	// Spack does, whoever runs it. A pinned clone has none.
	SiteConfig []string
}

// Find finds a Spack, or clones it, and makes sure that it is new enough. It
// does not start it.
func Find(ctx context.Context, where Location) (*Spack, error) {
	root, err := where.root(ctx)
	if err != nil {
		return nil, err
	}
	version, err := readVersion(root)
	if err != nil {
		return nil, err
	}
	if version.Before(Oldest()) {
		return nil, fmt.Errorf("%w: %s is version %s, and %s is the oldest that works; name a newer one, or a commit of one to be cloned",
			ErrTooOld, root, version, Oldest())
	}
	s := &Spack{Root: root, Version: version, Commit: where.Commit, SiteConfig: siteConfig(root)}
	if where.Git == "" {
		s.Commit = headCommit(root)
	}
	return s, nil
}

func (l Location) root(ctx context.Context) (string, error) {
	switch {
	case l.Git != "" && l.Path != "":
		return "", errors.New("give a path of Spack or a git repository of it, not both")
	case l.Git != "":
		return Clone(ctx, l.Git, l.Commit, l.Clones)
	case l.Path != "":
		return rootOf(l.Path)
	}
	found, err := exec.LookPath("spack")
	if err != nil {
		return "", fmt.Errorf("%w: there is no spack on the PATH; name its directory, or a git repository and commit to clone", ErrNotFound)
	}
	return rootOf(found)
}

// rootOf finds the root of the Spack that path is or belongs to.
func rootOf(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	real, err = filepath.Abs(real)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(real); err == nil && !info.IsDir() {
		real = filepath.Dir(filepath.Dir(real)) // ROOT/bin/spack
	}
	if _, err := os.Stat(filepath.Join(real, "bin", "spack")); err != nil {
		return "", fmt.Errorf("%w: %s has no bin/spack (%s)", ErrNotFound, real, path)
	}
	return real, nil
}

// Program is the file to run.
func (s *Spack) Program() string { return filepath.Join(s.Root, "bin", "spack") }

// siteConfig lists configuration that somebody put into a Spack: scope "site"
// of spack/config.py, which 1.x moved to a directory of its own.
func siteConfig(root string) []string {
	var found []string
	for _, pattern := range []string{"etc/spack/*.yaml", "etc/spack/*/*.yaml"} {
		names, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is right
		for _, name := range names {
			below, _ := filepath.Rel(filepath.Join(root, "etc", "spack"), name)
			// include.yaml names the scopes themselves and comes with Spack.
			if below != "include.yaml" && !strings.HasPrefix(below, "defaults/") {
				found = append(found, name)
			}
		}
	}
	return found
}

// headCommit is the commit that is checked out in root, read without git; ""
// when that cannot be told.
func headCommit(root string) string {
	dir := filepath.Join(root, ".git")
	if link, err := readBounded(dir, 4096); err == nil { // a work tree beside its repository
		dir = strings.TrimSpace(strings.TrimPrefix(string(link), "gitdir:"))
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
	}
	head, err := readBounded(filepath.Join(dir, "HEAD"), 4096)
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(string(head))
	ref, symbolic := strings.CutPrefix(text, "ref: ")
	if !symbolic {
		return commitOrNothing(text)
	}
	if common, err := readBounded(filepath.Join(dir, "commondir"), 4096); err == nil {
		if dir = filepath.Join(dir, strings.TrimSpace(string(common))); filepath.IsAbs(strings.TrimSpace(string(common))) {
			dir = strings.TrimSpace(string(common))
		}
	}
	if !filepath.IsLocal(ref) {
		return ""
	}
	if text, err := readBounded(filepath.Join(dir, ref), 4096); err == nil {
		return commitOrNothing(strings.TrimSpace(string(text)))
	}
	packed, _ := readBounded(filepath.Join(dir, "packed-refs"), 64<<20)
	for line := range strings.Lines(string(packed)) {
		if commit, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return commitOrNothing(commit)
		}
	}
	return ""
}

// isCommit reports whether text is the whole name of a git commit.
func isCommit(text string) bool {
	return len(text) == 40 && strings.Trim(text, "0123456789abcdef") == ""
}

func commitOrNothing(text string) string {
	if isCommit(text) {
		return text
	}
	return ""
}
