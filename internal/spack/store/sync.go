package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// syncer brings what was installed to the disk before it is recorded: all that
// is recorded together at once, because a call for the whole file system costs
// the same for one package as for many.
type syncer struct {
	root   *os.File // opened before anything is written, so that it is told of all errors
	device uint64
}

func newSyncer(root string) (*syncer, error) {
	f, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	device, err := deviceOf(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &syncer{root: f, device: device}, nil
}

func deviceOf(f *os.File) (uint64, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return uint64(st.Dev), os.NewSyscallError("fstat", err)
}

func syncFileSystem(f *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}

// sync is done when the prefixes, and their names, are on the disk.
func (s *syncer) sync(prefixes []string) error {
	if len(prefixes) == 0 {
		return nil
	}
	done := map[uint64]bool{s.device: true}
	for _, prefix := range prefixes { // a part of the tree may be mounted from elsewhere
		dir, err := os.Open(filepath.Dir(prefix))
		if err != nil {
			return err
		}
		device, err := deviceOf(dir)
		if err == nil && !done[device] {
			done[device] = true
			err = syncFileSystem(dir)
		}
		if err = errors.Join(err, dir.Close()); err != nil {
			return err
		}
	}
	return syncFileSystem(s.root)
}

func (s *syncer) close() { _ = s.root.Close() } // it was opened for reading
