package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"esd/internal/state"
)

// temporary stands between the path of the state and the ID of the lock in the
// names of files that are being made.
const temporary = ".tmp."

// Write implements backend.Lock.
func (h *held) Write(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func() error {
		recorded, err := h.b.recorded(ctx)
		if err != nil {
			return fmt.Errorf("the recorded state cannot be read, so it was not replaced: %w", err)
		}
		return state.CheckSuccession(recorded, next.Header())
	})
}

// Overwrite implements backend.Lock. A recorded state that cannot be read is
// kept as PATH.unreadable, so that it does not push out a good backup.
func (h *held) Overwrite(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func() error {
		_, err := h.b.recorded(ctx)
		var format *state.FormatError
		if errors.As(err, &format) || errors.Is(err, state.ErrNewerFormat) {
			return os.Rename(h.b.path, h.b.path+".unreadable")
		}
		return err
	})
}

// write makes the new file on the side, which may take its time, and puts it in
// place in a critical section in which the lock is known to be ours and check
// has agreed.
func (h *held) write(ctx context.Context, next *state.State, check func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := state.Encode(next)
	if err != nil {
		return err
	}
	target, mode, err := h.b.target()
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	aside := target + temporary + h.info.ID
	defer os.Remove(aside)
	info, err := writeSynced(aside, data, mode)
	if err != nil {
		return unwritten(h.b.path, err)
	}
	return h.b.guarded(ctx, false, func(bool) error {
		if err := h.mine(); err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		if err := h.b.keepBackup(target, h.info.ID); err != nil {
			return unwritten(h.b.path, err)
		}
		if err := os.Rename(aside, target); err != nil {
			return unwritten(h.b.path, err)
		}
		h.b.remember(info, next.Header())
		return syncDirectory(filepath.Dir(target))
	})
}

// target returns the file to replace and its mode bits. A symbolic link stays
// one: the file it points to is replaced.
func (b *Backend) target() (string, fs.FileMode, error) {
	real, err := filepath.EvalSymlinks(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b.path, 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return "", 0, err
	}
	return real, info.Mode().Perm(), nil
}

// unwritten explains a write that failed before it took effect.
func unwritten(path string, err error) error {
	hint := "the recorded state is as it was"
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		hint += "; free some space and run the command again"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		hint += "; make the directory writable for this user"
	}
	return fmt.Errorf("write state %s: %w (%s)", path, err, hint)
}

// writeSynced makes a file that is on the disk when it returns. Mode 0 leaves
// the mode to the umask.
func writeSynced(path string, data []byte, mode fs.FileMode) (fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(data)
	if err == nil && mode != 0 {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	return info, errors.Join(err, f.Close())
}

// keepBackup makes PATH.backup the version that is about to be replaced.
func (b *Backend) keepBackup(target, id string) error {
	aside := b.backupPath() + temporary + id
	// Renaming one of two names of a file to the other does nothing, so the name
	// may still be there afterwards.
	defer os.Remove(aside)
	err := os.Link(target, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		if err = copyFile(target, aside); err != nil {
			return err
		}
	}
	return os.Rename(aside, b.backupPath())
}

// copyFile serves where there are no hard links.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	_, err = writeSynced(to, data, 0)
	return err
}

// syncDirectory makes a rename durable. Some file systems cannot, and say so.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
