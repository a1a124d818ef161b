// Package journal keeps the record of a run that has not reached the state yet.
//
// A state is written as a whole, which for many objects takes too long to do
// after every step. So each finished step appends a line to a journal of the
// run, and is only finished when that line is on the disk. When the run ends,
// the state is written and the journal removed. When it is killed, the next run
// finds the journal and folds it into the state: see Fold.
//
// A journal is a file of JSON lines: a header, then one line a step. Each line
// begins with the CRC-32C of the rest of it and its number, so a line that was
// cut, changed, lost or moved is noticed. Steps that finish at the same time
// share one write and one fsync. After a crash of the machine a file system may
// keep any part of what was not synced, so every line also tells how much of
// the file was on the disk before it was written: damage beyond that is the
// torn end of a run and is dropped, damage before it is corruption and an error.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/state"
)

// FormatVersion is the version of the format of a journal.
const FormatVersion = 1

// Extension is the end of the name of a journal file.
const Extension = ".jsonl"

// Header is the first line of a journal: which run it belongs to.
type Header struct {
	// FormatVersion is set by Create.
	FormatVersion int `json:"format_version"`
	// Run is the ID of the run, which is also the name of the file.
	Run string `json:"run"`
	// Lineage and Serial are those of the state the run started from. A run
	// that starts from nothing draws a lineage and has serial 0.
	Lineage string `json:"lineage"`
	Serial  int64  `json:"serial"`
	// Operation is the command: "apply", "destroy".
	Operation string `json:"operation"`
	// Who is user@host.
	Who string `json:"who,omitempty"`
	// When the run began, RFC 3339 in UTC.
	When string `json:"when"`
	// ESDVersion is that of the esd which runs.
	ESDVersion string `json:"esd_version"`
}

// Entry is the record of a finished step.
type Entry struct {
	// Step is the ID of the step in the plan.
	Step string `json:"step"`
	// Result says how it ended: "done", "failed". The words are the caller's.
	Result string `json:"result"`
	// When it ended, RFC 3339 in UTC.
	When string `json:"when"`
	// Object is the full record of the object that the step completed, if any.
	Object *state.Object `json:"object,omitempty"`
	// Removed is the address of the object that the step removed, if any.
	Removed string `json:"removed,omitempty"`
	// Prior says for Object and Removed, by address, what the run started from:
	// the [Fingerprint] of what was recorded there. Journals of older versions do
	// not say it.
	Prior map[string]string `json:"prior,omitempty"`
	// Measured is the name under which Duration is to be recorded in the state;
	// "" is not to record it.
	Measured string `json:"measured,omitempty"`
	// Duration is what the step took.
	Duration *state.Duration `json:"duration,omitempty"`
	// Error is why the step failed, in a line.
	Error string `json:"error,omitempty"`
}

// Journal is a journal that was read.
type Journal struct {
	// Path of the file.
	Path string
	// Header of the run. It is zero when the run was killed before the header
	// was on the disk.
	Header Header
	// Entries in the order of the file.
	Entries []Entry
	// Torn is the number of bytes at the end that were dropped, because the run
	// was killed while it wrote them.
	Torn int64
	// Live reports that the run still goes on.
	Live bool
}

// ReadDir reads the journals in a directory, those that began first before the
// others. A directory that does not exist has none. When some of them cannot be
// read, the others are returned beside the errors.
func ReadDir(dir string) ([]*Journal, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journals: %w", err)
	}
	var journals []*Journal
	var errs []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), Extension) {
			continue
		}
		j, err := Read(filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		if err == nil {
			journals = append(journals, j)
		}
	}
	slices.SortStableFunc(journals, func(a, b *Journal) int {
		return cmp.Or(cmp.Compare(a.Header.Serial, b.Header.Serial),
			strings.Compare(a.Header.When, b.Header.When), strings.Compare(a.Path, b.Path))
	})
	return journals, errors.Join(errs...)
}

// Remove removes the journals, which are in the state now.
func Remove(journals []*Journal) error {
	var errs []error
	for _, j := range journals {
		if err := os.Remove(j.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove journal: %w", err))
		}
	}
	return errors.Join(errs...)
}
