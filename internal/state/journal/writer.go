package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Writer appends to the journal of a run. Its methods may be called from several
// goroutines.
type Writer struct {
	path string

	// commit is held by the goroutine that writes; the others queue for it and
	// find, when they get it, that their entry was written along.
	commit sync.Mutex
	file   *os.File
	size   int64 // what is safely on the disk
	n      int64 // number of the last line
	broken error // why nothing can be written any more

	mu      sync.Mutex
	pending *batch
}

// batch is a group of entries that share one write and one fsync.
type batch struct {
	entries [][]byte
	done    bool
	err     error
}

// Create makes the journal of a run in a directory, which is made when it is
// missing. The header is on the disk when it returns.
func Create(dir string, header Header) (*Writer, error) {
	header.FormatVersion = FormatVersion
	if header.Run == "" || header.Run != filepath.Base(header.Run) || header.Lineage == "" {
		return nil, fmt.Errorf("create journal: run %q or lineage %q cannot be", header.Run, header.Lineage)
	}
	data, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	path := filepath.Join(dir, header.Run+Extension)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("create journal: %w", err)
	}
	w := &Writer{path: path, file: file}
	markLive(file)
	if err = w.write("header", [][]byte{data}); err == nil {
		err = syncDirectory(dir)
	}
	if err != nil {
		file.Close()
		os.Remove(path)
		return nil, fmt.Errorf("create journal: %w", err)
	}
	return w, nil
}

// Path is the path of the file.
func (w *Writer) Path() string { return w.path }

// Append records a finished step. When it returns without an error, the record
// is on the disk. When it returns with one, the record is not in the journal;
// after an error such as a full disk it may be tried again.
func (w *Writer) Append(e Entry) error {
	data, err := json.Marshal(e)
	if d := e.Duration; err == nil && d != nil && !d.Valid() {
		err = fmt.Errorf("the duration %+v is out of range", *d)
	}
	if err != nil {
		return fmt.Errorf("journal step %s: %w", e.Step, err)
	}
	if len(data) > maxLine/2 {
		return fmt.Errorf("journal step %s: a record of %d bytes is too large", e.Step, len(data))
	}
	w.mu.Lock()
	if w.pending == nil {
		w.pending = &batch{}
	}
	mine := w.pending
	mine.entries = append(mine.entries, data)
	w.mu.Unlock()

	w.commit.Lock()
	defer w.commit.Unlock()
	if !mine.done {
		// Nobody wrote it while we queued, so it is still the pending one.
		w.mu.Lock()
		w.pending = nil
		w.mu.Unlock()
		mine.err = w.write("entry", mine.entries)
		mine.done = true
	}
	if mine.err != nil {
		return fmt.Errorf("journal step %s: %w", e.Step, mine.err)
	}
	return nil
}

// write appends lines and syncs them. A write that fails is taken back.
func (w *Writer) write(field string, values [][]byte) error {
	if w.broken != nil {
		return w.broken
	}
	var buf []byte
	for i, value := range values {
		buf = appendLine(buf, w.n+1+int64(i), w.size, field, value)
	}
	if _, err := w.file.WriteAt(buf, w.size); err != nil {
		if undo := w.file.Truncate(w.size); undo != nil {
			w.broken = errors.Join(err, undo)
		}
		return err
	}
	if err := w.file.Sync(); err != nil {
		// The kernel may have dropped the pages, and a second fsync would say
		// that all is well. Nothing can be known of this file any more.
		w.broken = err
		return err
	}
	w.size += int64(len(buf))
	w.n += int64(len(values))
	return nil
}

// Close ends the journal and leaves the file. A second call does nothing.
func (w *Writer) Close() error {
	w.commit.Lock()
	defer w.commit.Unlock()
	if errors.Is(w.broken, ErrClosed) {
		return nil
	}
	w.broken = ErrClosed
	markDead(w.file)
	return w.file.Close()
}

// Remove ends the journal and removes the file: its entries are in the state.
func (w *Writer) Remove() error {
	return errors.Join(w.Close(), Remove([]*Journal{{Path: w.path}}))
}
