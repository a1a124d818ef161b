package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/archive"
	"esd/internal/providers"
)

// ErrNoRef says that a repository has no such branch or tag.
var ErrNoRef = errors.New("no such branch or tag")

// ResolveRef asks a git repository which commit a branch or a tag names; of an
// annotated tag, the commit that it points to.
func ResolveRef(ctx context.Context, repository, ref string) (string, error) {
	out, err := git(ctx, "", "ls-remote", "--", repository, ref, ref+"^{}")
	if err != nil {
		return "", err
	}
	commits := map[string]string{}
	for line := range strings.Lines(out) {
		if commit, name, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			commits[name] = commit
		}
	}
	for _, name := range []string{"refs/tags/" + ref + "^{}", "refs/tags/" + ref, "refs/heads/" + ref, ref + "^{}", ref} {
		if commit := commits[name]; isCommit(commit) {
			return commit, nil
		}
	}
	return "", fmt.Errorf("%w: %s in %s", ErrNoRef, ref, repository)
}

// checkout brings the tree of one commit into dir, without its history. What
// `git archive` gives for a commit is the same everywhere. Submodules are left
// out.
func (j *job) checkout(ctx context.Context, s source, dir string) error {
	repo := filepath.Join(j.provider.opts.WorkDir, "sources", "git-"+s.Commit)
	if err := os.MkdirAll(filepath.Dir(repo), 0o755); err != nil {
		return err
	}
	lock, err := lockFile(ctx, repo+".lock", "commit "+s.Commit) // recipes can share a source
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, err := git(ctx, repo, "cat-file", "-e", s.Commit+"^{tree}"); err != nil {
		fmt.Fprintf(j.run.Log, "esd: fetching commit %s of %s\n", s.Commit, s.Git)
		if err := fetchCommit(ctx, repo, s); err != nil {
			return fmt.Errorf("fetching commit %s of %s: %w", s.Commit, s.Git, err)
		}
	}
	cmd := gitCommand(ctx, repo, "archive", "--format=tar", s.Commit)
	// The settings of users, their attributes and line endings, must not show in
	// the source; what the tree itself says is part of the commit.
	cmd.Env = append(cmd.Env, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_CONFIG_COUNT=0", "GIT_ATTR_NOSYSTEM=1")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = archive.Unpack(ctx, out, archive.UnpackOptions{Dest: dir})
	if waitErr := cmd.Wait(); waitErr != nil && err == nil {
		err = fmt.Errorf("git archive: %w: %s", waitErr, essence(problems.String()))
	}
	return err
}

// fetchCommit makes a repository with the one commit: by its name where the
// server allows that, else with everything the server has.
func fetchCommit(ctx context.Context, repo string, s source) error {
	if err := os.RemoveAll(repo); err != nil {
		return err
	}
	if _, err := git(ctx, "", "init", "--quiet", "--bare", "--", repo); err != nil {
		return err
	}
	if _, err := git(ctx, repo, "fetch", "--quiet", "--depth=1", "--", s.Git, s.Commit); err == nil {
		return nil
	}
	if _, err := git(ctx, repo, "fetch", "--quiet", "--", s.Git, "+refs/*:refs/esd/*"); err != nil {
		var failed *gitError
		if errors.As(err, &failed) && failed.mayGoAway() {
			return &providers.RetryError{Err: err}
		}
		return err
	}
	if _, err := git(ctx, repo, "cat-file", "-e", s.Commit+"^{tree}"); err != nil {
		return errors.New("the repository does not have it (any more)")
	}
	return nil
}

func git(ctx context.Context, repo string, args ...string) (string, error) {
	cmd := gitCommand(ctx, repo, args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		switch {
		case errors.Is(err, exec.ErrNotFound):
			return "", errors.New("git is not installed on this machine")
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		}
		return "", &gitError{command: args[0], said: problems.String(), err: err}
	}
	return out.String(), nil
}

// gitCommand runs git so that it never asks: esd has nobody to ask.
func gitCommand(ctx context.Context, repo string, args ...string) *exec.Cmd {
	if repo != "" {
		args = append([]string{"--git-dir", repo}, args...)
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), aboutRepository), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_ASKPASS=true")
	return cmd
}

// aboutRepository reports whether a variable says which repository git is to
// work on: where esd is started by a hook of git, these are about another one.
func aboutRepository(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
		"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_CEILING_DIRECTORIES":
		return true
	}
	return false
}
