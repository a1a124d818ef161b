package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"esd/internal/spack"
)

// TestRealBuildsInParallelInOneStore builds leaves side by side, each of them
// twice at once, three times over.
func TestRealBuildsInParallelInOneStore(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		stores := t.TempDir()
		for round := range 3 {
			l.settings.Store = Store{Root: filepath.Join(stores, string(rune('a'+round))), PaddedLength: 128}
			l.renew(t)
			leaves := []string{"toy-leaf0", "toy-leaf1", "toy-leaf2", "toy-leaf3"}
			needed := l.needs(t, "toy-leaf0")
			l.build(t, needed[:len(needed)-1]...)
			var all sync.WaitGroup
			results := make([]BuildResult, 2*len(leaves))
			for i := range results {
				all.Go(func() {
					var err error
					results[i], err = l.Build(t.Context(), BuildRequest{Lock: l.lock, Hash: spack.Hash(l.hashes[leaves[i/2]]), Jobs: 1, Timeout: 3 * time.Minute})
					if err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			all.Wait()
			for i := 0; i < len(results); i += 2 {
				if results[i].Present == results[i+1].Present || results[i].Prefix != results[i+1].Prefix {
					t.Errorf("round %d: of two builds of %s, not exactly one built: %+v %+v", round, leaves[i/2], results[i], results[i+1])
				}
				checkInstalled(t, results[i].Prefix)
			}
			checkDatabase(t, l, leaves)
		}
	})
}

func checkInstalled(t *testing.T, prefix string) {
	t.Helper()
	libs, _ := filepath.Glob(filepath.Join(prefix, "lib", "libleaf*.so"))
	if len(libs) != 1 {
		t.Errorf("%s has %d libraries", prefix, len(libs))
	}
}

// checkDatabase asks the file, not Spack: all that was built must be recorded.
func checkDatabase(t *testing.T, l *lab, names []string) {
	t.Helper()
	_, data, err := l.database()
	if err != nil || !json.Valid(data) {
		t.Fatalf("the database is no JSON (%v)", err)
	}
	for _, name := range names {
		if prefix, err := l.installedPrefix(spack.Hash(l.hashes[name])); err != nil || prefix == "" {
			t.Errorf("%s is not in the database (%v)", name, err)
		}
	}
}

func TestRealBuildsEndWithTheirContext(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		h := spack.Hash(l.hashes["toy-slow"])
		needed := l.needs(t, "toy-slow")
		l.build(t, needed[:len(needed)-1]...)
		enough := errors.New("enough")
		for name, test := range map[string]struct {
			change func(*BuildRequest)
			want   error
		}{
			"a time limit":          {func(r *BuildRequest) { r.Timeout = 4 * time.Second }, ErrTimeout},
			"silence for too long":  {func(r *BuildRequest) { r.Silence = 3 * time.Second }, ErrSilent},
			"the caller's own wish": {nil, enough},
		} {
			t.Run(name, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				r := BuildRequest{Lock: l.lock, Hash: h, Keep: t.TempDir(), Grace: 5 * time.Second}
				if test.change == nil {
					time.AfterFunc(4*time.Second, func() { cancel(enough) })
				} else {
					test.change(&r)
				}
				started := time.Now()
				_, err := l.Build(ctx, r)
				if !errors.Is(err, test.want) || time.Since(started) > 30*time.Second {
					t.Errorf("after %v: %v", time.Since(started), err)
				}
				if left := processesIn(t, l.Instance.settings.Stage); len(left) > 0 {
					t.Errorf("still running: %v", left)
				}
			})
		}
	})
}

// processesIn lists the processes that work in a directory.
func processesIn(t *testing.T, dir string) []string {
	t.Helper()
	if !filepath.IsAbs(dir) {
		t.Fatalf("%q is no directory to look for", dir)
	}
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, dir+"/") {
			found = append(found, link+" "+to)
		}
	}
	return found
}

// TestRealStoreIsUsableAfterAKill kills a build the hard way, and builds again.
func TestRealStoreIsUsableAfterAKill(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		needed := l.needs(t, "toy-beta")
		l.build(t, needed[:len(needed)-1]...)
		r := BuildRequest{Lock: l.lock, Hash: spack.Hash(l.hashes["toy-beta"])}
		l.Instance.settings.Run = killedAt("Executing phase")
		if _, err := l.Build(t.Context(), r); !errors.Is(err, ErrOutOfMemory) { // who else kills so
			t.Errorf("killed: %v", err)
		}
		l.Instance.settings.Run = Exec
		if result, err := l.Build(t.Context(), r); err != nil || result.Present {
			t.Errorf("after that: %+v, %v", result, err)
		}
	})
}

// killedAt runs a command in a process group of its own, which it kills when
// the command prints a text.
func killedAt(text string) Runner {
	return func(_ context.Context, c Command) (Exit, error) {
		cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
		cmd.Env, cmd.Dir, cmd.SysProcAttr = c.Env, c.Dir, &syscall.SysProcAttr{Setsid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return Exit{}, err
		}
		if err := cmd.Start(); err != nil {
			return Exit{}, err
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), text) {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			}
		}
		_ = cmd.Wait()
		return exitOf(cmd), nil
	}
}

func TestRealFailureMarksDoNotLast(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		needed := l.needs(t, "toy-leaf0")
		l.build(t, needed[:len(needed)-1]...)
		// As an earlier run would have left it, for a dependency that came from a cache since.
		marks := filepath.Join(PaddedRoot(l.settings.Store), ".spack-db", "failures")
		if err := os.MkdirAll(marks, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"toy-alpha", "toy-leaf0"} {
			if err := os.WriteFile(filepath.Join(marks, name+"-"+l.hashes[name]), []byte("{}"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		l.build(t, needed[len(needed)-1])
	})
}

// TestRealLocksDoNotDependOnTheRun concretizes what the shared lock has once
// more: not only the packages are the same, but each byte.
func TestRealLocksDoNotDependOnTheRun(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		again, err := l.Concretize(t.Context(), ConcretizeRequest{Specs: l.repo.Packages})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.lock, again) {
			t.Errorf("two locks of the same:\n%s\n%s", l.lock, again)
		}
	})
}

func TestRealSpecsThatCannotBeHadAreToldApart(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		for spec, want := range map[string]error{"toy-alpha@9": ErrNotConcretized, "toy-nothing": ErrUnknownPackage} {
			if _, err := l.Concretize(t.Context(), ConcretizeRequest{Specs: []string{spec}}); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", spec, err, want)
			}
		}
	})
}
