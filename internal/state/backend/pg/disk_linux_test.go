package pg_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"testing"

	"esd/internal/state/backend/pg/pgtest"
)

// onSmallDisk runs a test with a server that has a tablespace "small" of 16 MB.
// It is mounted in a mount namespace of one thread, which is never used again,
// and of the server.
func onSmallDisk(t *testing.T, test func(s *pgtest.Server) error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "esd-small-disk-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	result, done := make(chan error), make(chan struct{})
	defer close(done)
	unavailable := errors.New("no mount namespaces")
	go func() {
		runtime.LockOSThread()
		err := syscall.Unshare(syscall.CLONE_NEWNS)
		if err == nil {
			err = syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
		}
		if err == nil {
			err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m")
		}
		if err != nil {
			result <- fmt.Errorf("%w: %w", unavailable, err)
			return
		}
		s, err := pgtest.New(pgtest.Options{})
		if err != nil {
			result <- err
			return
		}
		defer s.Close()
		err = s.Own(dir)
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err == nil {
			err = s.Exec("postgres", fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir))
		}
		ended := errors.New("the test ended early")
		defer func() {
			result <- ended
			<-done // this thread holds the namespace, and the server ends with it
		}()
		if err == nil {
			err = test(s)
		}
		ended = err
	}()
	if err := <-result; errors.Is(err, unavailable) || errors.Is(err, pgtest.ErrMissing) {
		t.Skip(err)
	} else if err != nil {
		t.Error(err)
	}
}

func TestAFullDiskLeavesTheStateAsItWas(t *testing.T) {
	t.Parallel()
	onSmallDisk(t, func(server *pgtest.Server) error {
		p, database := newPlace(t, server)
		exec(t, server, database, "CREATE SCHEMA esd; SET default_tablespace = small; CREATE TABLE esd.esd_documents "+
			"(state text, name text, data bytea NOT NULL, created timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (state, name))")
		b := open(p.location())
		l := lock(t, b)
		if err := l.Write(t.Context(), newState(1)); err != nil {
			return err
		}
		noise := make([]byte, 20<<20)
		if _, err := rand.Read(noise); err != nil {
			return err
		}
		mustExplain(t, newStore(t, p).Put(t.Context(), "noise", noise), "53100", "the disk of the server is full")
		if s, _, err := open(p.location()).Read(t.Context()); err != nil || s.Serial != 1 {
			t.Errorf("%v, %v", s, err)
		}
		if err := l.Write(t.Context(), newState(2)); err != nil { // a small one has room
			t.Error(err)
		}
		return l.Unlock(t.Context())
	})
}
