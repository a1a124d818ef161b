package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Clone brings one commit of a git repository into a directory below clones,
// named by the commit, and returns it. Processes share what is there; a
// directory is complete once it exists.
func Clone(ctx context.Context, repository, commit, clones string) (string, error) {
	switch {
	case !isCommit(commit):
		return "", fmt.Errorf("%q is not the whole name of a git commit (40 hexadecimal digits): esd pins it, because branches move", commit)
	case hasSecret(repository):
		return "", errors.New("the address of the git repository contains a password; let git have it from a credential helper or ~/.netrc")
	case clones == "":
		return "", errors.New("no directory for clones given")
	}
	dir, err := filepath.Abs(filepath.Join(clones, commit))
	if err != nil {
		return "", err
	}
	if isDir(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, dir+".lock", "the clone of "+commit)
	if err != nil {
		return "", err
	}
	defer unlock()
	if isDir(dir) {
		return dir, nil // another process was faster
	}
	part := dir + ".part" // the lock is ours, so it is what a killed process left
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := checkOut(ctx, repository, commit, part); err != nil {
		_ = os.RemoveAll(part)
		return "", fmt.Errorf("cloning commit %s of %s: %w", commit, repository, err)
	}
	return dir, os.Rename(part, dir)
}

// checkOut fetches the commit by its name where the server allows that, and
// else everything that the server has.
func checkOut(ctx context.Context, repository, commit, dir string) error {
	if _, err := git(ctx, "", "init", "--quiet", "--template=", "--", dir); err != nil {
		return err
	}
	if _, err := git(ctx, dir, "fetch", "--quiet", "--depth=1", "--no-tags", "--", repository, commit); err != nil {
		if ctx.Err() != nil {
			return err
		}
		if _, err := git(ctx, dir, "fetch", "--quiet", "--", repository, "+refs/*:refs/fetched/*"); err != nil {
			return err
		}
	}
	if _, err := git(ctx, dir, "cat-file", "-e", commit+"^{commit}"); err != nil {
		return errors.New("the repository does not have it (any more)")
	}
	_, err := git(ctx, dir, "checkout", "--quiet", "--detach", commit)
	return err
}

// FindRepository finds the directory of the package repository with the given
// namespace in a clone: what Spack's repos.yaml names.
func FindRepository(clone, namespace string) (string, error) {
	var seen []string
	for _, pattern := range []string{"", "*", "*/*", "*/*/*"} { // spack-packages has repos/spack_repo/builtin
		names, _ := filepath.Glob(filepath.Join(clone, pattern, "repo.yaml"))
		for _, name := range names {
			text, err := readBounded(name, 1<<16)
			if err != nil {
				return "", err
			}
			found := repoNamespace(string(text))
			if found == namespace {
				return filepath.Dir(name), nil
			}
			seen = append(seen, found)
		}
	}
	if len(seen) == 0 {
		return "", fmt.Errorf("%s has no package repository (no repo.yaml)", clone)
	}
	return "", fmt.Errorf("%s has no package repository %q, only %s", clone, namespace, strings.Join(seen, ", "))
}

// repoNamespace reads the one line of repo.yaml that matters here.
func repoNamespace(text string) string {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) == "namespace" {
			value, _, _ = strings.Cut(value, " #")
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return ""
}

// git runs git so that it never asks and runs nobody's hooks.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	fixed := []string{"-c", "core.hooksPath=" + os.DevNull, "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false",
		"-c", "http.lowSpeedLimit=100", "-c", "http.lowSpeedTime=120", "-c", "gc.auto=0"}
	if dir != "" {
		fixed = append(fixed, "-C", dir)
	}
	cmd := exec.CommandContext(ctx, "git", append(fixed, args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), aboutGit), "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "LC_ALL=C")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return "", errors.New("git is not installed on this machine")
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, lastLines(problems.String(), 5))
	}
	return out.String(), nil
}

// aboutGit reports whether a variable tells git what to work on, or asks
// questions.
func aboutGit(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_CEILING_DIRECTORIES":
		return true
	}
	return false
}

// hasSecret reports whether a URL contains a password: it would show in the
// list of processes.
func hasSecret(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User == nil {
		return false
	}
	_, set := u.User.Password()
	return set
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// lastLines are the last n lines of text that are not empty.
func lastLines(text string, n int) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
