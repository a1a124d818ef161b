package artifact

import (
	"errors"
	"fmt"
)

// ErrNotFound says that a cache has no product of that key.
var ErrNotFound = errors.New("not in the cache")

// ErrReadOnly says that a cache may be read but not written.
var ErrReadOnly = errors.New("cache cannot be written")

// CorruptError says that what a cache keeps under a key is not what it should be:
// damaged, cut short, gone, or never right.
type CorruptError struct {
	Location string // of the cache
	Key      string
	Reason   string
	Err      error // may be nil
}

// Error implements error.
func (e *CorruptError) Error() string {
	s := fmt.Sprintf("cache %s: product %s is damaged: %s", e.Location, abbreviate(e.Key), e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// VersionError says that a record has a format this program does not know.
type VersionError struct {
	Location string // of the cache; "" when not read from one
	Found    int
	Known    int
}

// Error implements error.
func (e *VersionError) Error() string {
	where := ""
	if e.Location != "" {
		where = "cache " + e.Location + ": "
	}
	return fmt.Sprintf("%srecord has format version %d, this esd knows up to %d: use a newer esd, or another cache", where, e.Found, e.Known)
}

// abbreviate keeps error messages readable, and bounded when the text is not ours.
func abbreviate(s string) string {
	const most = 16
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
