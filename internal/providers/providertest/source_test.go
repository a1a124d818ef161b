package providertest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// member is one entry of an archive in the making.
type member struct {
	name, content, link string
	kind                byte
}

func tarball(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Linkname: m.link, Typeflag: m.kind}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// downloaded is a configuration whose source is downloaded.
func downloaded(url, sha256 string) map[string]string {
	return recipe("cp -rP . $prefix/", fmt.Sprintf("source {\n  url = %q\n  sha256 = %q\n}", url, sha256))
}

func TestDownloadedSources(t *testing.T) {
	needSandbox(t)
	good := tarball(t, member{name: "greet-1.0/hello.txt", content: "hello"})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	html := []byte("<html>please log in</html>")
	for name, test := range map[string]struct {
		data   []byte
		sha256 string
		serve  func(n int64, w http.ResponseWriter, data []byte) bool // whether it has answered
		words  []string                                               // of the error; none for success
		asked  int64
	}{
		"are unpacked without their top directory": {data: good, asked: 1},
		"with another checksum are refused": {
			data: good, sha256: strings.Repeat("0", 64), asked: 1,
			words: []string{"has sha256 " + sum(good), "but " + strings.Repeat("0", 64) + " is configured", "find out which before you change either"},
		},
		"that are a page in truth are refused":      {data: html, sha256: sum(good), asked: 1, words: []string{"has sha256 " + sum(html)}},
		"that are a page as configured are refused": {data: html, asked: 1, words: []string{"archive"}},
		"that are not there are not asked for twice": {
			data: good, asked: 1, words: []string{"the server answers 404"},
			serve: func(_ int64, w http.ResponseWriter, _ []byte) bool { w.WriteHeader(http.StatusNotFound); return true },
		},
		"are asked for again after an error of the server": {
			data: good, asked: 3,
			serve: func(n int64, w http.ResponseWriter, _ []byte) bool {
				if n > 2 {
					return false
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			},
		},
		"are asked for again when the connection was cut": {
			data: good, asked: 2,
			serve: func(n int64, w http.ResponseWriter, data []byte) bool {
				if n > 1 {
					return false
				}
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:len(data)/2])
				return true
			},
		},
		"that leave their directory are refused": {
			data: tarball(t, member{name: "x/a"}, member{name: "x/../../../../../../../../" + secret, content: "after"}), asked: 1, words: []string{".."},
		},
		"that leave it through a link are refused or kept inside": {
			data: tarball(t, member{name: "x/up", link: filepath.Dir(secret), kind: tar.TypeSymlink}, member{name: "x/up/secret", content: "after"}), asked: 1, words: []string{"up"},
		},
		"with devices are refused": {
			data: tarball(t, member{name: "x/a"}, member{name: "x/null", kind: tar.TypeChar}), asked: 1, words: []string{"null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := asked.Add(1)
				if test.serve == nil || !test.serve(n, w, test.data) {
					_, _ = w.Write(test.data)
				}
			}))
			defer srv.Close()
			want := test.sha256
			if want == "" {
				want = sum(test.data)
			}
			p := newPlace(t, downloaded(srv.URL+"/x.tar.gz", want))
			if test.words == nil {
				p.apply()
				if got := p.file("recipe.a", "hello.txt"); got != "hello" {
					t.Error(got)
				}
				p.nothingToDo()
			} else {
				_, err := p.failure()
				wantError(t, err, test.words...)
			}
			if asked.Load() != test.asked {
				t.Errorf("the server was asked %d times", asked.Load())
			}
			left, _ := filepath.Glob(filepath.Join(p.workDir(), "sources", "*.part-*"))
			if len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Cleanup(func() { // after the parallel tests
		if data, _ := os.ReadFile(secret); string(data) != "before" {
			t.Error("an archive has written outside of its directory")
		}
	})
}

func TestADownloadServesAllRecipesThatNameIt(t *testing.T) {
	needSandbox(t)
	good := tarball(t, member{name: "x/hello.txt", content: "hello"})
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(good)
	}))
	defer srv.Close()
	f := downloaded(srv.URL+"/x.tar.gz", sum(good))
	p := newPlace(t, map[string]string{"main.hcl": f["main.hcl"] + strings.Replace(f["main.hcl"], `recipe "a"`, `recipe "b"`, 1)})
	p.apply()
	if asked.Load() != 1 {
		t.Errorf("it was downloaded %d times", asked.Load())
	}
}

// repository makes a git repository with two commits and gives their names.
func repository(t testing.TB) (dir string, commits [2]string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir = t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "--quiet", "-b", "main")
	for i := range commits {
		if err := os.WriteFile(filepath.Join(dir, "file.txt"), fmt.Appendf(nil, "version %d", i), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", ".")
		git("commit", "--quiet", "-m", "x")
		commits[i] = git("rev-parse", "HEAD")
	}
	git("tag", "-a", "-m", "x", "v1", commits[0])
	return dir, commits
}

func TestSourcesFromGit(t *testing.T) {
	needSandbox(t)
	repo, commits := repository(t)
	config := func(what string) map[string]string {
		return recipe("cp -r . $prefix/", fmt.Sprintf("source {\n  git = \"file://%s\"\n  %s\n}", repo, what))
	}
	t.Run("a commit", func(t *testing.T) {
		p := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0])))
		p.apply()
		if got := p.file("recipe.a", "file.txt"); got != "version 0" {
			t.Error(got)
		}
		p.nothingToDo()
	})
	t.Run("a ref, as it is pinned and not as it is now", func(t *testing.T) {
		p := newPlace(t, config(`ref = "main"`))
		if _, _, err := p.plan(); err == nil || !strings.Contains(err.Error(), "esd lock") {
			t.Errorf("without a pin: %v", err)
		}
		p.commits = map[string]string{"main": commits[0]}
		p.apply()
		if got := p.file("recipe.a", "file.txt"); got != "version 0" {
			t.Error(got)
		}
	})
	t.Run("a commit and a ref that is pinned to it are the same", func(t *testing.T) {
		one, two := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0]))), newPlace(t, config(`ref = "main"`))
		two.commits = map[string]string{"main": commits[0]}
		if one.key("recipe.a") != two.key("recipe.a") {
			t.Error("their keys differ")
		}
	})
	t.Run("a commit that is not there", func(t *testing.T) {
		_, err := newPlace(t, config(fmt.Sprintf("commit = %q", strings.Repeat("ab", 20)))).failure()
		wantError(t, err, "fetching commit "+strings.Repeat("ab", 20), "the repository does not have it")
	})
	t.Run("what surrounds esd makes no difference", func(t *testing.T) {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte("[tar]\n\tumask = 0077\n[core]\n\tautocrlf = true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		one := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0])))
		one.apply()
		t.Setenv("HOME", home)
		t.Setenv("GIT_DIR", "/nonexistent") // as in a hook
		t.Setenv("GIT_INDEX_FILE", "/nonexistent")
		two := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0])))
		two.apply()
		if one.digest("recipe.a") != two.digest("recipe.a") {
			t.Error("the products differ")
		}
	})
	t.Run("recipes that share a commit are built side by side", func(t *testing.T) {
		f := config(fmt.Sprintf("commit = %q", commits[1]))
		all := ""
		for i := range 6 {
			all += strings.Replace(f["main.hcl"], `recipe "a"`, fmt.Sprintf("recipe \"r%d\"", i), 1)
		}
		p := newPlace(t, map[string]string{"main.hcl": all})
		p.apply()
		p.nothingToDo()
	})
	t.Run("a fetch that was killed is begun anew", func(t *testing.T) {
		p := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0])))
		p.write(".esd/sources/git-"+commits[0]+"/HEAD", "half")
		p.apply()
	})
	t.Run("an interrupt ends it", func(t *testing.T) {
		p := newPlace(t, config(fmt.Sprintf("commit = %q", commits[0])))
		made, c, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if r := p.carryOut(ctx, made, c); r.OK() {
			t.Error("it was done all the same")
		}
		p.apply()
	})
}
