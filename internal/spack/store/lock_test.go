package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"esd/internal/spack"
)

// The expectations are what dag_hash_bit_prefix(63) of Spack gives.
func TestPrefixesAreLockedAtTheByteOfTheirHash(t *testing.T) {
	t.Parallel()
	for hash, want := range map[spack.Hash]int64{
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa": 0,
		"77777777777777777777777777777777": 1<<63 - 1,
		"aaaaaaaaaaaaeaaaaaaaaaaaaaaaaaaa": 1,
		"nskzxfyar3gjylt2j22fy6y3gnalymoc": 3912165500238915150,
	} {
		got, err := prefixRange(hash)
		if err != nil || got != (lockRange{want, 1}) {
			t.Errorf("%s: got %v, %v, want %d", hash, got, err, want)
		}
	}
	if _, err := prefixRange("short"); err == nil {
		t.Error("a short hash has a byte")
	}
}

func TestLocksExclude(t *testing.T) {
	t.Parallel()
	r := lockRange{1<<63 - 1, 1}
	for name, c := range map[string]struct {
		first, second lockMode
		r             lockRange
		want          bool
	}{
		"two that read":              {shared, shared, r, true},
		"one that reads, one writes": {shared, exclusive, r, false},
		"one that writes, one reads": {exclusive, shared, r, false},
		"two that write":             {exclusive, exclusive, r, false},
		"other bytes":                {exclusive, exclusive, lockRange{7, 1}, true},
		"the whole file":             {exclusive, exclusive, wholeFile, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "lock")
			modes := map[lockMode]string{shared: "shared", exclusive: "exclusive"}
			// Spack has it first, then we ask.
			if line, _, end := otherProcess(t, "lock", path, fmt.Sprint(r.start), fmt.Sprint(r.length), modes[c.first]); line != "locked" {
				t.Fatal(line)
			} else {
				ours := newLockFile(path)
				ok, err := ours.try(c.r, c.second)
				if ok != c.want || err != nil {
					t.Errorf("when Spack has it: got %v, %v", ok, err)
				}
				end()
				_ = ours.close()
			}
			// We have it first, then Spack asks, and another one of us.
			ours, others := newLockFile(path), newLockFile(path)
			defer ours.close()
			if ok, err := ours.try(r, c.first); !ok || err != nil {
				t.Fatal(ok, err)
			}
			ok, err := others.try(c.r, c.second)
			if ok != c.want || err != nil {
				t.Errorf("when another of us has it: got %v, %v", ok, err)
			}
			_ = others.close() // which must not take ours away
			line, _, _ := otherProcess(t, "lock", path, fmt.Sprint(c.r.start), fmt.Sprint(c.r.length), modes[c.second])
			if (line == "locked") != c.want {
				t.Errorf("when we have it, Spack gets %q", line)
			}
		})
	}
}

func TestLocksOfOneFileAreCounted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	ours, others := newLockFile(path), newLockFile(path)
	defer ours.close()
	defer others.close()
	r := lockRange{5, 1}
	take := func(l *lockFile, mode lockMode, want bool) {
		t.Helper()
		if ok, err := l.try(r, mode); ok != want || err != nil {
			t.Errorf("got %v, %v", ok, err)
		}
	}
	take(ours, exclusive, true)
	take(ours, shared, false)
	if err := ours.downgrade(r); err != nil {
		t.Fatal(err)
	}
	take(ours, shared, true)
	take(others, shared, true)
	_ = others.release(r)
	_ = ours.release(r)
	take(others, exclusive, false)
	_ = ours.release(r)
	take(others, exclusive, true)
}

func TestALockThatIsHeldNamesItsHolder(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), Options{LockTimeout: 50 * time.Millisecond, PrefixTimeout: 50 * time.Millisecond})
	d := stack(t)
	if err := s.makeTree(); err != nil {
		t.Fatal(err)
	}
	_, cmd, end := otherProcess(t, "lock", s.dbPath("lock"), "0", "0", "exclusive")
	_, err := s.Install(t.Context(), d.packages("lib"), d.options())
	var locked *LockError
	if !errors.Is(err, ErrLocked) || !errors.As(err, &locked) || locked.PID != cmd.Process.Pid {
		t.Errorf("got %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Records(t.Context()); err != nil {
		t.Errorf("readers wait for nobody, and got %v", err)
	}
	end()
	r, _ := prefixRange(d.byName["lib"].Hash)
	_, _, end = otherProcess(t, "lock", s.dbPath("prefix_lock"), fmt.Sprint(r.start), "1", "exclusive")
	if _, err := s.Install(t.Context(), d.packages("lib"), d.options()); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
	end()
	mustInstall(t, s, d.packages("lib"), d.options())
}

func TestWaitingForALockEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := openStore(t, t.TempDir(), Options{LockTimeout: -1})
	if err := s.makeTree(); err != nil {
		t.Fatal(err)
	}
	otherProcess(t, "lock", s.dbPath("lock"), "0", "0", "exclusive")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := s.update(ctx, func(*Records) (bool, error) { return true, nil })
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}
