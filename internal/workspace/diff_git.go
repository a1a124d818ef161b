package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// errNoRevision tells that something is not REVISION:PATH.
var errNoRevision = errors.New("it names no revision of a git repository")

// revision reads a file as it was at a revision of the git repository that the
// working directory is in: REVISION:PATH, as `git show` has it. A path that
// begins with ./ or ../ is relative to the working directory, others to the
// root of the repository.
func revision(ctx context.Context, written string) (source, error) {
	rev, name, found := strings.Cut(written, ":")
	if !found || rev == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(written, "\x00\n") {
		return source{}, errNoRevision
	}
	if _, err := gitOutput(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}"); err != nil {
		return source{}, errNoRevision
	}
	name = strings.TrimSuffix(name, "/")
	if isConfigFile(name) {
		return source{}, configAtRevision(ctx, written)
	}
	blob := func(name string) ([]byte, error) { return gitBlob(ctx, rev+":"+name) }
	data, err := blob(name)
	if errors.Is(err, errIsTree) {
		for _, file := range []string{"esd.lock.hcl", "spack.lock"} {
			inside := strings.TrimPrefix(name+"/"+file, "/")
			if data, err = blob(inside); err == nil {
				name = inside
				break
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return source{}, fmt.Errorf("%s: git has no such file at that revision; paths are relative to the root of the repository, or begin with ./", written)
	}
	dir := name[:strings.LastIndexByte(name, '/')+1] // as it is: that it begins with ./ has a meaning to git
	return source{data: data, name: name, beside: func(file string) ([]byte, error) { return blob(dir + file) }}, err
}

// configAtRevision says what can be compared instead of a configuration at a
// revision: its lock file, if it had one.
func configAtRevision(ctx context.Context, written string) error {
	instead := "and no lock file beside it at that revision has its name; plans that were saved (esd plan --out) and states (esd state pull) can be compared"
	dir := written[:strings.LastIndexAny(written, "/:")+1]
	for _, lock := range []string{strings.TrimSuffix(written, ".hcl") + ".lock.hcl", dir + "esd.lock.hcl"} {
		if _, err := gitOutput(ctx, "cat-file", "-e", "--end-of-options", lock); err == nil {
			instead = "name its lock file: " + lock
			break
		}
	}
	return &DiffUsageError{fmt.Errorf("%s is a configuration, and what is recorded for it has no revisions; %s", written, instead)}
}

// noRevision says that git does not know a revision, where something is written
// like REVISION:PATH; nil where it is not, or where there is no repository.
func noRevision(ctx context.Context, written string) error {
	rev, name, found := strings.Cut(written, ":")
	if !found || rev == "" || name == "" || strings.HasPrefix(rev, "-") || strings.ContainsAny(rev, "\x00\n ") {
		return nil
	}
	if _, err := gitOutput(ctx, "rev-parse", "--git-dir"); err != nil {
		return nil
	}
	return fmt.Errorf("%s: there is no such file, and git has no revision %s here", written, rev)
}

// errIsTree tells that a path names a directory.
var errIsTree = errors.New("it is a directory")

// gitBlob reads a file at a revision. [fs.ErrNotExist] where there is none.
func gitBlob(ctx context.Context, object string) ([]byte, error) {
	kind, err := gitOutput(ctx, "cat-file", "-t", "--end-of-options", object)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	switch strings.TrimSpace(kind) {
	case "tree":
		return nil, errIsTree
	case "blob":
	default:
		return nil, fs.ErrNotExist
	}
	cmd := gitCommand(ctx, "cat-file", "blob", "--end-of-options", object)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	data, err := readLimited(out, object)
	if err != nil {
		_ = cmd.Process.Kill()
	}
	return data, errors.Join(err, cmd.Wait())
}

func gitOutput(ctx context.Context, args ...string) (string, error) {
	cmd := gitCommand(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	err := cmd.Run()
	return out.String(), err
}

// gitCommand runs git in the working directory so that it never asks, and
// fetches nothing that a partial clone lacks.
func gitCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_NO_LAZY_FETCH=1", "LC_ALL=C")
	return cmd
}
