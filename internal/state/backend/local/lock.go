package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Kinds of notices that a lock gives.
const (
	// NoticeTakenOver: the lock was that of a process which is gone.
	NoticeTakenOver = "lock-taken-over"
	// NoticeNoLocks: the file system has no locks, so the weaker way was taken.
	NoticeNoLocks = "lock-without-flock"
)

// held is a lock on a local state.
type held struct {
	b       *Backend
	info    backend.LockInfo
	file    *os.File // keeps the flock; nil where there is none
	notices []state.Notice

	mu       sync.Mutex // one write at a time
	released bool
}

// Lock implements backend.Backend.
func (b *Backend) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	info.Path = b.absolute()
	h := &held{b: b, info: info}
	for attempt := 0; ; attempt++ {
		err := b.guarded(ctx, true, func(locks bool) error {
			if locks {
				return h.take()
			}
			return h.takeWithoutFlock()
		})
		var locked *backend.LockedError
		if errors.As(err, &locked) && locked.Holder.Dead() && attempt < lingering && ctx.Err() == nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			return nil, err
		}
		b.removeLeftovers()
		return h, nil
	}
}

// lingering is how often the lock of a dead process is looked at again, 20 ms
// apart. A flock may outlive the process that was killed: a child that it had
// forked, and that had not yet started its own program, has a copy of the open
// file.
const lingering = 100

// take gets the lock under the guard.
func (h *held) take() error {
	path := h.b.lockPath()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	previous, _ := readLock(path)
	if err := h.b.flock(f); err != nil {
		f.Close()
		if errors.Is(err, errHeld) {
			return &backend.LockedError{Location: h.b.path, Holder: previous}
		}
		return fmt.Errorf("lock state: %w", err)
	}
	data, err := json.Marshal(h.info)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		os.Remove(path) // nobody holds it, and nobody can take it while we have the guard
		f.Close()
		return fmt.Errorf("lock state: %w", err)
	}
	h.file = f
	if previous.ID != "" {
		h.notices = append(h.notices, takenOver(previous))
	}
	return nil
}

func takenOver(previous backend.LockInfo) state.Notice {
	return state.Notice{
		Kind:    NoticeTakenOver,
		Summary: fmt.Sprintf("Took over the lock of %s, whose process is gone", previous.Who),
		Detail: fmt.Sprintf("It had run %q since %s (lock ID %s) and ended without giving the lock back.",
			previous.Operation, previous.Created.UTC().Format(time.RFC3339), previous.ID),
	}
}

// readLock reads who holds the lock: zero when the file does not say, fs.ErrNotExist
// when there is no file.
func readLock(path string) (backend.LockInfo, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return backend.LockInfo{}, err
	}
	var info backend.LockInfo
	if err := json.Unmarshal(data, &info); err != nil {
		return backend.LockInfo{}, nil
	}
	return info, nil
}

// removeLeftovers removes the temporary files of writers that were killed. The
// lock is held, so no other writer can still succeed.
func (b *Backend) removeLeftovers() {
	entries, err := os.ReadDir(filepath.Dir(b.path))
	if err != nil {
		return
	}
	for _, e := range entries {
		for _, path := range []string{b.path, b.backupPath()} {
			if id, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+temporary); ok && state.IsID(id) {
				os.Remove(filepath.Join(filepath.Dir(b.path), e.Name()))
			}
		}
	}
}

// Info implements backend.Lock.
func (h *held) Info() backend.LockInfo { return h.info }

// Notices implements backend.Lock.
func (h *held) Notices() []state.Notice { return h.notices }

// Lost implements backend.Lock: that the lock was taken away shows at the next
// write only.
func (h *held) Lost() <-chan struct{} { return nil }

// Check implements backend.Lock.
func (h *held) Check(ctx context.Context) error {
	return h.b.guarded(ctx, false, func(bool) error { return h.mine() })
}

// mine reports, under the guard, whether the lock is still ours.
func (h *held) mine() error {
	info, err := readLock(h.b.lockPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look at the lock: %w", err)
	}
	if h.released || info.ID != h.info.ID {
		return fmt.Errorf("state %s: %w", h.b.path, backend.ErrLockLost)
	}
	return nil
}

// Unlock implements backend.Lock.
func (h *held) Unlock(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return nil
	}
	err := h.b.guarded(ctx, false, func(bool) error {
		if err := h.mine(); err != nil {
			return err
		}
		return os.Remove(h.b.lockPath())
	})
	h.released = true
	if h.file != nil {
		h.file.Close()
	}
	return err
}

// Holder implements backend.Backend.
func (b *Backend) Holder(ctx context.Context) (*backend.LockInfo, error) {
	var holder *backend.LockInfo
	err := b.guarded(ctx, false, func(bool) error {
		info, err := readLock(b.lockPath())
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.ID == "" {
			return nil
		}
		holder = &info
		return err
	})
	if err != nil {
		return nil, err
	}
	return holder, nil
}

// ForceUnlock implements backend.Backend.
func (b *Backend) ForceUnlock(ctx context.Context, id string) error {
	return b.guarded(ctx, false, func(bool) error {
		info, err := readLock(b.lockPath())
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("state %s: %w", b.path, backend.ErrNotLocked)
		case err != nil:
			return fmt.Errorf("unlock state: %w", err)
		case info.ID == "":
			return fmt.Errorf("unlock state: %s does not say whose lock it is; if no esd runs here, remove it", b.lockPath())
		case info.ID != id:
			return &backend.LockIDError{ID: id, Holder: info}
		}
		return os.Remove(b.lockPath())
	})
}
