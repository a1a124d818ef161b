package store

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

func TestKilledInstallsAreResumed(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const count = 30
	kills := 0
	for i := range 12 {
		_, cmd, end := otherProcess(t, "install", root, fmt.Sprint(count), "3ms")
		time.Sleep(time.Duration(5+7*i%40) * time.Millisecond)
		if cmd.Process.Kill() == nil {
			kills++
		}
		end()
		// What is listed is there and complete, at any time.
		s := openStore(t, root, Options{})
		installed, err := s.Records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range installed.All() {
			if !rec.Installed || rec.Spec.External != nil {
				continue
			}
			if p := verifyPrefix(rec.Path, rec.Spec.Hash); p.Kind != "" || exists(filepath.Join(rec.Path, "half")) {
				t.Errorf("after %d kills: %v", kills, p)
			}
		}
	}
	d, s := chain(t, count), openStore(t, root, Options{})
	result := mustInstall(t, s, d.packages(d.all()...), d.options())
	t.Logf("%d were installed before", len(result.Reused))
	mustVerify(t, s)
	if left, _ := filepath.Glob(filepath.Join(s.dbPath(""), "*.temp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestManyInstallAtOnce(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	const count = 25
	var group sync.WaitGroup
	for range 2 { // two stores of this process, each used twice at once, and two other processes
		s := openStore(t, root, Options{})
		for range 2 {
			group.Go(func() {
				d := chain(t, count)
				if _, err := s.Install(t.Context(), d.packages(d.all()...), d.options()); err != nil {
					t.Error(err)
				}
			})
		}
		_, _, end := otherProcess(t, "install", root, fmt.Sprint(count), "1ms")
		group.Go(end)
	}
	group.Wait()
	s := openStore(t, root, Options{})
	mustVerify(t, s)
	if installed, err := s.Installed(t.Context()); err != nil || len(installed) != count+1 {
		t.Errorf("%d are installed, %v", len(installed), err)
	}
}

func TestAFullDiskLeavesTheDatabaseAsItWas(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	mustInstall(t, s, d.packages("lib"), d.options())
	before, err := os.ReadFile(s.dbPath("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	// A directory in the way of the temporary file stands for the full disk.
	if err := os.MkdirAll(s.dbPath("index.json.temp/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Install(t.Context(), d.packages("right"), d.options()); err == nil {
		t.Error("it was installed")
	}
	after, err := os.ReadFile(s.dbPath("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the database is another one")
	}
	if err := os.RemoveAll(s.dbPath("index.json.temp")); err != nil {
		t.Fatal(err)
	}
	mustInstall(t, s, d.packages("right"), d.options())
	mustVerify(t, s)
}
