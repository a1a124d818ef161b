package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"esd/internal/spack"
)

// Spack locks with POSIX record locks (llnl/util/lock.py). They belong to a
// process: they vanish when it closes any descriptor of the file, and do not
// keep its own threads apart. We take locks of the open file description
// instead, which exclude POSIX locks and each other, and belong to our
// descriptor alone. Where the file system has none, POSIX locks are taken.

type lockMode int

const (
	unlocked lockMode = iota
	shared
	exclusive
)

// lockRange is a part of a lock file; length 0 is to its end, wherever that is.
type lockRange struct{ start, length int64 }

var wholeFile = lockRange{0, 0}

// prefixRange is the byte of prefix_lock that stands for a package: the first
// 63 bits of its hash (SpecLocker in Spack's database.py, on 64-bit systems).
func prefixRange(h spack.Hash) (lockRange, error) {
	if !h.Valid() {
		return lockRange{}, fmt.Errorf("%q is no hash", h)
	}
	var bits uint64
	for i := range 12 { // 60 bits
		bits = bits<<5 | base32Value(h[i])
	}
	return lockRange{int64(bits<<3 | base32Value(h[12])>>2), 1}, nil
}

// base32Value is the value of a digit in RFC 4648's alphabet.
func base32Value(c byte) uint64 {
	if c >= 'a' {
		return uint64(c - 'a')
	}
	return uint64(c-'2') + 26
}

// lockFile is one lock file, opened once. It keeps our own goroutines apart
// too, since they share the descriptor.
type lockFile struct {
	path string

	mu    sync.Mutex
	file  *os.File
	posix bool // the file system knows POSIX locks only
	held  map[lockRange]*heldLock
}

type heldLock struct {
	mode  lockMode
	users int // more than one of shared locks only
}

func newLockFile(path string) *lockFile {
	return &lockFile{path: path, held: make(map[lockRange]*heldLock)}
}

// open creates the file if need be, with the mode that Spack gives it.
func (l *lockFile) open() error {
	if l.file != nil {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o755)
	if errors.Is(err, fs.ErrPermission) || isReadOnlyFS(err) {
		return fmt.Errorf("%w by this user: %w", ErrReadOnly, err)
	}
	l.file = f
	return err
}

// try takes a lock unless somebody has it. Taking a second shared lock of a
// range is counted; a lock must be given back as often as it was taken.
func (l *lockFile) try(r lockRange, mode lockMode) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(); err != nil {
		return false, err
	}
	if have := l.held[r]; have != nil {
		if have.mode == shared && mode == shared {
			have.users++
			return true, nil
		}
		return false, nil
	}
	ok, err := l.set(r, mode)
	if ok {
		l.held[r] = &heldLock{mode, 1}
	}
	return ok, err
}

// downgrade turns an exclusive lock into a shared one, without a gap.
func (l *lockFile) downgrade(r lockRange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.held[r]
	if have == nil || have.mode != exclusive {
		return fmt.Errorf("%s: there is no exclusive lock", l.path)
	}
	_, err := l.set(r, shared)
	if err == nil {
		have.mode = shared
	}
	return err
}

// release gives a lock back.
func (l *lockFile) release(r lockRange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := l.held[r]
	if have == nil {
		return nil
	}
	if have.users--; have.users > 0 {
		return nil
	}
	delete(l.held, r)
	_, err := l.set(r, unlocked)
	return err
}

func (l *lockFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	// Closing alone would leave the locks to a process that is being started in
	// this moment and has its copy of the open file still.
	for r := range l.held {
		_, _ = l.set(r, unlocked)
	}
	f := l.file
	l.file = nil
	clear(l.held)
	return f.Close()
}

// The times between two attempts: Spack asks ten times a second, so it is
// pointless to be much slower.
const (
	firstPoll = 2 * time.Millisecond
	lastPoll  = 50 * time.Millisecond
)

// poll calls attempt until it says true, an error comes, the context ends or
// the time is over; limit 0 is no limit. What names the lock in messages.
func (l *lockFile) poll(ctx context.Context, r lockRange, what string, limit time.Duration, attempt func() (bool, error)) error {
	start, pause := time.Now(), firstPoll
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		ok, err := attempt()
		if ok || err != nil {
			return err
		}
		waited := time.Since(start)
		if limit > 0 && waited >= limit {
			return l.lockError(r, what, waited)
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", l.lockError(r, what, waited), context.Cause(ctx))
		case <-timer.C:
		}
		pause = min(2*pause, lastPoll)
	}
}

// lock waits for a lock.
func (l *lockFile) lock(ctx context.Context, r lockRange, mode lockMode, what string, limit time.Duration) error {
	return l.poll(ctx, r, what, limit, func() (bool, error) { return l.try(r, mode) })
}

func (l *lockFile) lockError(r lockRange, what string, waited time.Duration) error {
	e := &LockError{What: what, Path: l.path, Waited: waited}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[r] != nil {
		e.PID = os.Getpid()
	} else if l.file != nil {
		e.PID = l.holder(r)
	}
	if e.PID > 0 {
		comm, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(e.PID), "comm"))
		e.Process = strings.TrimSpace(string(comm))
	}
	return e
}
