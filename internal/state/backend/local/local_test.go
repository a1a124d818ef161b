package local_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	"esd/internal/state/backend/local"
)

func TestMain(m *testing.M) {
	os.Exit(backendtest.Main(m, func(location string) backend.Backend { return local.New(location) }))
}

func TestLocalPassesTheSuite(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, backendtest.Options{New: newStore, Processes: 50})
}

func newStore(t *testing.T) backendtest.Store {
	path := filepath.Join(t.TempDir(), ".esd", "default.state.json")
	return backendtest.Store{
		Open:     func() backend.Backend { return local.New(path) },
		Location: path,
		Plant: func(data []byte) error {
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644))
		},
		Raw: func() ([]byte, error) {
			data, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return data, err
		},
	}
}

func newState(serial int64) *state.State {
	s := state.New("6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11", "0.1.0")
	s.Serial = serial
	return s
}

func lock(t *testing.T, b *local.Backend) backend.Lock {
	t.Helper()
	l, err := b.Lock(t.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply", Version: "0.1.0", Now: time.Unix(0, 0)}))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t *testing.T, b *local.Backend, s *state.State) {
	t.Helper()
	l := lock(t, b)
	if err := l.Write(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files below a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := local.New(filepath.Join(dir, ".esd", "default.state.json"))
	look := func() {
		t.Helper()
		if _, _, err := b.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Holder(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look()
	if files := tree(t, dir); files != nil {
		t.Errorf("an empty directory now has %v", files)
	}
	write(t, b, newState(1))
	before := tree(t, dir)
	look()
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestOnlyStateBackupAndGuardStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := local.New(filepath.Join(dir, "s.json"))
	for serial := int64(1); serial < 4; serial++ {
		write(t, b, newState(serial))
	}
	if diff := cmp.Diff([]string{"s.json", "s.json.backup", "s.json.guard"}, tree(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheBackupIsTheVersionBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.json")
	for serial := int64(1); serial < 4; serial++ {
		write(t, local.New(path), newState(serial))
		s, _, err := local.New(path + ".backup").Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if serial == 1 && s != nil || serial > 1 && s.Serial != serial-1 {
			t.Errorf("after %d the backup is %+v", serial, s)
		}
	}
}

func TestAnUnreadableStatePointsToAnIntactBackup(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s.json")
	b := local.New(path)
	write(t, b, newState(1))
	write(t, b, newState(2))
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	_, _, err := b.Read(t.Context())
	if !errors.Is(err, state.ErrTruncated) || !strings.Contains(err.Error(), "intact in "+path+".backup (serial 1") {
		t.Errorf("got %v", err)
	}
	if err := os.Truncate(path+".backup", 40); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Read(t.Context()); strings.Contains(err.Error(), "intact") {
		t.Errorf("calls a broken backup intact: %v", err)
	}
	l := lock(t, b)
	if err := l.Overwrite(t.Context(), newState(5)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + ".unreadable"); err != nil || info.Size() != 40 {
		t.Errorf("the unreadable state was not kept: %v", err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestASymbolicLinkStaysOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, real := filepath.Join(dir, "s.json"), filepath.Join(t.TempDir(), "real.json")
	write(t, local.New(real), newState(1))
	if err := os.Chmod(real, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, path); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	write(t, local.New(path), newState(2))
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode bits were not kept: %v, %v", info.Mode(), err)
	}
	if s, _, err := local.New(real).Read(t.Context()); err != nil || s.Serial != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatIsNoFileIsAnError(t *testing.T) {
	t.Parallel()
	if _, _, err := local.New(t.TempDir()).Read(context.Background()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("got %v", err)
	}
}

func TestLeftoversOfKilledWritersAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := []string{"other.json.tmp." + state.NewID(), "s.json.tmp.mine"}
	for _, name := range append(keep, "s.json.tmp."+state.NewID(), "s.json.backup.tmp."+state.NewID()) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(t, local.New(filepath.Join(dir, "s.json")), newState(1))
	if diff := cmp.Diff([]string{keep[0], "s.json", "s.json.guard", keep[1]}, tree(t, dir)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
