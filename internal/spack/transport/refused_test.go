package transport_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"esd/internal/spack/transport"
)

func TestAServerThatIsDownIsToldOfSoon(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"HTTP": "http://127.0.0.1:1/x", "S3": "s3://bucket/x"} {
		clock := &fakeClock{}
		s := mustOpen(t, location, transport.Options{
			Clock: clock,
			S3:    transport.S3Options{Endpoint: "http://127.0.0.1:1", AccessKeyID: "id", SecretAccessKey: "secret"},
		})
		_, err := s.Stat(t.Context(), "object")
		if !errors.Is(err, transport.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused (tried 3 times)") || strings.Contains(err.Error(), "RequestID") {
			t.Errorf("%s: %v", name, err)
		}
		if slept := time.Duration(clock.slept.Load()); slept > time.Second {
			t.Errorf("%s: slept %s", name, slept)
		}
	}
}

func TestErrorsOfFilesDoNotPass(t *testing.T) {
	t.Parallel()
	for _, cause := range []syscall.Errno{syscall.EACCES, syscall.EPERM, syscall.ENOSPC, syscall.EROFS, syscall.EMFILE} {
		if err := error(&fs.PathError{Op: "open", Path: "/x", Err: cause}); transport.IsTransient(err) {
			t.Errorf("%v is said to pass", err)
		}
	}
}

func TestWhatMayNotBeReadIsAnErrorAtOnce(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := os.MkdirAll(filepath.Join(closed, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	clock := &fakeClock{}
	s := mustOpen(t, dir, transport.Options{Clock: clock})
	for name, op := range map[string]func() error{
		"file": func() error {
			_, err := s.Get(t.Context(), "file", transport.GetOptions{})
			return err
		},
		"closed/file": func() error {
			_, err := s.Stat(t.Context(), "closed/file")
			return err
		},
		"closed/new": func() error { return s.Put(t.Context(), "closed/new", transport.Bytes(nil)) },
		"closed/": func() error {
			return s.List(t.Context(), "closed/", func(string, transport.Info) error { return nil })
		},
	} {
		err := op()
		if !errors.Is(err, fs.ErrPermission) || errors.Is(err, transport.ErrDenied) || errors.Is(err, transport.ErrNotFound) ||
			!strings.Contains(err.Error(), filepath.Join(dir, name)) || !strings.Contains(err.Error(), "let this user") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if clock.slept.Load() != 0 {
		t.Errorf("waited %s", time.Duration(clock.slept.Load()))
	}
}
