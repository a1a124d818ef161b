package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// upstream is a git repository with a Spack and package repositories in it; it
// returns its URL and its two commits.
func upstream(t *testing.T) (url string, commits []string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := fakeSpack(t, "0.23.1", "exit 0")
	for _, version := range []string{"0.23.1", "1.2.0"} {
		for name, text := range map[string]string{
			"lib/spack/spack/__init__.py":           "__version__ = \"" + version + "\"\n",
			"repos/spack_repo/builtin/repo.yaml":    "repo:\n  namespace: builtin\n  api: v2.0\n",
			"repos/spack_repo/site/repo.yaml":       "repo:\n  namespace: 'site' # ours\n",
			".git-hooks-are-not-run-and-this-stays": version,
		} {
			if err := writeFile(filepath.Join(dir, name), []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", version}, {"rev-parse", "HEAD"}} {
			out, err := git(t.Context(), dir, args...)
			if err != nil {
				t.Fatal(err)
			}
			if args[0] == "rev-parse" {
				commits = append(commits, strings.TrimSpace(out))
			}
		}
	}
	return "file://" + dir, commits
}

func TestPinnedCommitsAreClonedOnce(t *testing.T) {
	t.Parallel()
	url, commits := upstream(t)
	clones := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := Find(t.Context(), Location{Git: url, Commit: commits[0], Clones: clones})
			if err != nil {
				t.Error(err)
				return
			}
			if s.Version.Text != "0.23.1" || s.Commit != commits[0] || headCommit(s.Root) != commits[0] || len(s.SiteConfig) != 0 {
				t.Errorf("%+v, head %s", s, headCommit(s.Root))
			}
		})
	}
	all.Wait()
	if names, _ := filepath.Glob(filepath.Join(clones, "*.part")); len(names) != 0 {
		t.Errorf("left: %v", names)
	}
	if err := os.RemoveAll(strings.TrimPrefix(url, "file://")); err != nil {
		t.Fatal(err)
	}
	if _, err := Find(t.Context(), Location{Git: url, Commit: commits[0], Clones: clones}); err != nil {
		t.Errorf("without the server: %v", err)
	}
	if _, err := Find(t.Context(), Location{Git: url, Commit: commits[1], Clones: clones}); err == nil || isDir(filepath.Join(clones, commits[1])) {
		t.Errorf("a commit that cannot be had: %v", err)
	}
}

func TestClonesWithoutACommitOrWithAPasswordAreRefused(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]Location{
		"a branch":     {Git: "https://git.example.org/spack.git", Commit: "develop", Clones: "/tmp"},
		"a password":   {Git: "https://me:geheim@git.example.org/spack.git", Commit: strings.Repeat("a", 40), Clones: "/tmp"},
		"no directory": {Git: "https://git.example.org/spack.git", Commit: strings.Repeat("a", 40)},
		"both":         {Git: "https://git.example.org/spack.git", Path: "/opt/spack"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Find(t.Context(), where); err == nil || strings.Contains(err.Error(), "geheim") {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestPackageRepositoriesAreFoundByNamespace(t *testing.T) {
	t.Parallel()
	url, commits := upstream(t)
	clone, err := Clone(t.Context(), url, commits[1], t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for namespace, want := range map[string]string{"builtin": "repos/spack_repo/builtin", "site": "repos/spack_repo/site"} {
		if got, err := FindRepository(clone, namespace); err != nil || got != filepath.Join(clone, want) {
			t.Errorf("%s: %s, %v", namespace, got, err)
		}
	}
	if _, err := FindRepository(clone, "other"); err == nil || !strings.Contains(err.Error(), "builtin") {
		t.Errorf("error is %v", err)
	}
}
