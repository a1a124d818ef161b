package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"esd/internal/state/backend"
)

// withoutFlock is a backend on a file system that has no locks.
func withoutFlock(path string) *Backend {
	b := New(path)
	b.flock = func(*os.File) error { return errNoLocks }
	return b
}

func info() backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{Operation: "apply", Version: "0.1.0", Now: time.Unix(0, 0)})
}

func TestWithoutFlockTheLockFileIsTheLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.json")
	first, err := withoutFlock(path).Lock(t.Context(), info())
	if err != nil {
		t.Fatal(err)
	}
	if n := first.Notices(); len(n) != 1 || n[0].Kind != NoticeNoLocks {
		t.Errorf("notices: %+v", n)
	}
	var locked *backend.LockedError
	if _, err := withoutFlock(path).Lock(t.Context(), info()); !errors.As(err, &locked) || locked.Holder.ID != first.Info().ID {
		t.Errorf("second lock: %v", err)
	}
	if err := withoutFlock(path).ForceUnlock(t.Context(), first.Info().ID); err != nil {
		t.Fatal(err)
	}
	if err := first.Check(t.Context()); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("check after force-unlock: %v", err)
	}
	second, err := withoutFlock(path).Lock(t.Context(), info())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWithoutFlockADeadHolderIsKnownByItsProcess(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*backend.LockInfo)
		free   bool
	}{
		"a process that is gone":                      {func(i *backend.LockInfo) { i.Info = `{"pid":4194305}` }, true},
		"a later process with the number":             {func(i *backend.LockInfo) { i.Info = `{"pid":1,"start":"boot/0"}` }, backend.ProcessStart(1) != ""},
		"a process that runs":                         {func(*backend.LockInfo) {}, false},
		"a process of another host":                   {func(i *backend.LockInfo) { i.Who, i.Info = "ops@elsewhere.invalid", `{"pid":4194305}` }, false},
		"a holder that does not name its process":     {func(i *backend.LockInfo) { i.Info = "" }, false},
		"a holder with nonsense instead of a process": {func(i *backend.LockInfo) { i.Info = `{"pid":-1}` }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "s.json")
			holder := info()
			tc.change(&holder)
			if _, err := withoutFlock(path).Lock(t.Context(), holder); err != nil {
				t.Fatal(err)
			}
			next, err := withoutFlock(path).Lock(t.Context(), info())
			var locked *backend.LockedError
			if !tc.free {
				if !errors.As(err, &locked) || locked.Holder.ID != holder.ID {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := next.Notices(); len(n) != 2 || n[1].Kind != NoticeTakenOver {
				t.Errorf("notices: %+v", n)
			}
			if err := next.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
