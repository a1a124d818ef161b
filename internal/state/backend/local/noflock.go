package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// takeWithoutFlock gets the lock where the file system has no flock: whoever
// makes the lock file has it. There is no guard then, so a moment remains
// between the look at the lock and the rename of a state in which a
// force-unlock goes unnoticed.
func (h *held) takeWithoutFlock() error {
	h.notices = append(h.notices, state.Notice{
		Kind:    NoticeNoLocks,
		Summary: "The file system of " + h.b.path + " has no file locks",
		Detail: "The existence of " + h.b.lockPath() + " is the lock instead. If a run is killed on another host, " +
			"the lock stays until `esd force-unlock`.",
	})
	for range 2 {
		err := h.makeLock()
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
		holder, err := readLock(h.b.lockPath())
		if err != nil || holder.ID == "" || !holder.Dead() {
			return &backend.LockedError{Location: h.b.path, Holder: holder}
		}
		if err := h.discard(holder); err != nil {
			return err
		}
		h.notices = append(h.notices, takenOver(holder))
	}
	holder, _ := readLock(h.b.lockPath())
	return &backend.LockedError{Location: h.b.path, Holder: holder}
}

// makeLock makes the lock file with its content in one step, or fails with
// fs.ErrExist.
func (h *held) makeLock() error {
	data, err := json.Marshal(h.info)
	if err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	own := h.ownPath()
	defer os.Remove(own)
	if err := os.WriteFile(own, append(data, '\n'), 0o666); err != nil {
		return fmt.Errorf("lock state: %w", err)
	}
	err = os.Link(own, h.b.lockPath())
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// No hard links either. A reader may see the file empty for a moment.
	f, err := os.OpenFile(h.b.lockPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	return errors.Join(err, f.Close())
}

// discard removes the lock of a dead holder, unless somebody else was faster:
// what was taken aside is looked at, and put back when it is another one's.
func (h *held) discard(dead backend.LockInfo) error {
	aside := h.ownPath()
	if err := os.Rename(h.b.lockPath(), aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("take over the lock: %w", err)
	}
	defer os.Remove(aside)
	taken, err := readLock(aside)
	if err == nil && taken.ID == dead.ID {
		return nil
	}
	if err := os.Link(aside, h.b.lockPath()); err != nil {
		return fmt.Errorf("put back the lock of %s: %w", taken.Who, err)
	}
	return &backend.LockedError{Location: h.b.path, Holder: taken}
}

// ownPath is not one of the names that removeLeftovers removes: those who want
// the lock must not lose theirs to the one who has it.
func (h *held) ownPath() string { return h.b.path + ".claim." + h.info.ID }
