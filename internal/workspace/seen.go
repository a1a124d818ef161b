package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/kinds"
)

// seenVersion is the format of the file that remembers what was seen.
const seenVersion = 1

// maxPlaces is how many places of a state are remembered, and maxSeen how many
// bytes the file that does so may have.
const (
	maxPlaces = 16
	maxSeen   = 1 << 20
)

// sighting is the last version of a state that this machine has seen at one
// place. A serial of 0 says that there was none, and that this is right.
type sighting struct {
	place
	Location string `json:"location,omitempty"`
	Lineage  string `json:"lineage,omitempty"`
	Serial   int64  `json:"serial"`
}

// is reports whether this is a place, given with its location if that is known.
// A place is the same one when its location is; or when it says the same, unless
// a secret says where it is and leads elsewhere.
func (s *sighting) is(p place, location string) bool {
	known := location != "" && s.Location != ""
	if known && s.Kind == p.Kind && s.Location == location {
		return true
	}
	return s.says(p) && (!known || !p.Hidden && !s.Hidden)
}

// name is how people are told of the place.
func (s sighting) name() string {
	if s.Location != "" {
		return s.Location
	}
	return s.String()
}

// seen is what this machine remembers of a state: its places, the present one
// first. It lies beside the configuration (`.esd/seen/NAME.json`) and is written
// only while the lock is held, so that a plan writes nothing.
type seen struct {
	FormatVersion int        `json:"format_version"`
	Places        []sighting `json:"places"`
}

func (w *Workspace) seenPath() string {
	return filepath.Join(w.WorkDir, "seen", w.Config.Name+".json")
}

// readSeen reads what is remembered; no file is no memory.
func readSeen(path string) (seen, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, fmt.Errorf("what was seen of the state: %w", err)
	}
	defer f.Close()
	var s seen
	data, err := io.ReadAll(io.LimitReader(f, maxSeen))
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.FormatVersion > seenVersion {
		err = errors.New("it was written by a newer esd")
	}
	if err != nil {
		return seen{}, fmt.Errorf("what was seen of the state cannot be read from %s: %w; use a newer esd, or remove it: only the memory of older states is lost", path, err)
	}
	return s, nil
}

// at finds what was seen at a place; nil for nothing.
func (s *seen) at(p place, location string) *sighting {
	for i := range s.Places {
		if s.Places[i].is(p, location) {
			return &s.Places[i]
		}
	}
	return nil
}

// newest finds the highest serial that was seen of a lineage, wherever.
func (s *seen) newest(lineage string) *sighting {
	var best *sighting
	for i := range s.Places {
		if q := &s.Places[i]; q.Lineage == lineage && (best == nil || q.Serial > best.Serial) {
			best = q
		}
	}
	return best
}

// with is the memory after a state was seen, or written.
func (s seen) with(now sighting) seen {
	places := []sighting{now}
	for _, q := range s.Places {
		if !q.is(now.place, now.Location) && len(places) < maxPlaces {
			places = append(places, q)
		}
	}
	return seen{FormatVersion: seenVersion, Places: places}
}

// write replaces the file if it says something else.
func (s seen) write(path string) (err error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	keepOutOfGit(filepath.Dir(filepath.Dir(path)))
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// remembering is a backend that compares what it reads with what this machine
// has seen before: a state that went backward, became another one, or went away
// is refused. It remembers what is written, and what is read under the lock.
type remembering struct {
	backend.Backend
	at   place
	file string
	// before is where the state was although nobody remembers it; nil for
	// nowhere.
	before func(context.Context) *sighting

	mu      sync.Mutex
	problem error // why something could not be remembered
}

// Read implements backend.Backend. The error of a state that is refused is a
// *backend.UntrustedError; of one that
// is damaged or none, a *backend.UnreadableError.
func (r *remembering) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	// Before the state: what is remembered is never newer than the state that is
	// read after it.
	memory, err := readSeen(r.file)
	if err != nil {
		return nil, backend.Meta{}, err
	}
	st, meta, err := r.Backend.Read(ctx)
	if err != nil {
		return nil, meta, backend.Unreadable(err)
	}
	if err := r.compare(ctx, memory, st, meta); err != nil {
		return nil, meta, err
	}
	return st, meta, nil
}

func (r *remembering) compare(ctx context.Context, memory seen, st *state.State, meta backend.Meta) error {
	known := memory.at(r.at, r.location(meta.Location))
	if st == nil {
		return r.compareNone(ctx, memory, known)
	}
	if known != nil && known.Serial > 0 && known.Lineage != st.Lineage {
		return &backend.UntrustedError{
			Location: r.nameOf(meta.Location),
			Problem:  fmt.Sprintf("it is another one: its lineage is %s, and was %s", st.Lineage, known.Lineage),
			Fix:      "check where the state block leads; if it was replaced on purpose, `esd state accept` takes it as it is",
		}
	}
	newest := memory.newest(st.Lineage)
	if newest == nil || newest.Serial <= st.Serial {
		return nil
	}
	e := &backend.UntrustedError{
		Location: r.nameOf(meta.Location),
		Problem:  fmt.Sprintf("its serial went backward: it was %d and is %d", newest.Serial, st.Serial),
		Fix: "perhaps a backup was put back, or a cache or another server answers; find the newer one, or take this one as it is with " +
			"`esd state accept`: what it does not know of is then found again, or forgotten",
	}
	if known == nil || newest.Serial != known.Serial {
		e.Problem = fmt.Sprintf("it has serial %d, but serial %d of it was seen in %s, where it has gone since", st.Serial, newest.Serial, newest.name())
		e.Fix = "let the state block lead there again, or take this one as it is with `esd state accept`"
	}
	return e
}

// compareNone judges a place where there is no state.
func (r *remembering) compareNone(ctx context.Context, memory seen, known *sighting) error {
	switch {
	case known != nil && known.Serial > 0:
		return &backend.UntrustedError{
			Location: r.nameOf(known.Location),
			Problem:  fmt.Sprintf("there is none any more, although serial %d of it was seen here", known.Serial),
			Fix: "`esd state rebuild` makes it anew from the configuration, caches and registries; `esd state push --force FILE` puts a copy back; " +
				"`esd state accept` begins with nothing",
		}
	case known != nil:
		return nil
	}
	var last *sighting
	if len(memory.Places) > 0 {
		last = &memory.Places[0]
	} else if r.before != nil {
		last = r.before(ctx)
	}
	if last == nil || last.Serial == 0 {
		return nil
	}
	return &backend.UntrustedError{
		Location: r.nameOf(""),
		Problem:  fmt.Sprintf("there is none yet, and serial %d of it was seen in %s", last.Serial, last.name()),
		Fix:      "`esd state migrate` brings it over; `esd state accept` begins with nothing here",
	}
}

// location is the path or URL of the state; otherwise where the backend does not
// say it before it has read.
func (r *remembering) location(otherwise string) string {
	switch b := r.Backend.(type) {
	case interface{ Location() string }:
		return b.Location()
	case interface{ Path() string }:
		return b.Path()
	}
	return otherwise
}

// nameOf names the place for people.
func (r *remembering) nameOf(location string) string {
	if location = r.location(location); location != "" {
		return location
	}
	return r.at.String()
}

// unremembered finds a state in the file where it is kept when nothing is said:
// there it was if a state block was added since, by an esd that remembered
// nothing.
func (w *Workspace) unremembered(ctx context.Context) *sighting {
	at, b, err := w.backendOf(kinds.All()[0].Name, cty.NilVal)
	if err != nil {
		return nil
	}
	st, meta, err := b.Read(ctx)
	if err != nil || st == nil || len(st.Objects) == 0 {
		return nil
	}
	return &sighting{place: at, Location: meta.Location, Lineage: st.Lineage, Serial: st.Serial}
}

// remember takes note of a state that was read or written under the lock. What
// was done is not undone where that fails: the next notice tells.
func (r *remembering) remember(location string, h state.Header) {
	memory, err := readSeen(r.file)
	if err == nil {
		err = memory.with(sighting{r.at, r.location(location), h.Lineage, h.Serial}).write(r.file)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problem = err
}

// notices tell, once, why something could not be remembered.
func (r *remembering) notices() []state.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.problem
	if err == nil {
		return nil
	}
	r.problem = nil
	return []state.Notice{{
		Kind: "not-remembered", Summary: "What was seen of the state could not be remembered",
		Detail: err.Error() + ". Nothing is lost by that; but a state that goes backward would not be noticed here.",
	}}
}

// Lock implements backend.Backend.
func (r *remembering) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	l, err := r.Backend.Lock(ctx, info)
	if err != nil {
		return nil, err
	}
	return &rememberingLock{l, r}, nil
}

// rememberingLock remembers what is written.
type rememberingLock struct {
	backend.Lock
	r *remembering
}

// Doubt implements backend.Doubter.
func (l *rememberingLock) Doubt() error {
	if d, ok := l.Lock.(backend.Doubter); ok {
		return d.Doubt()
	}
	return nil
}

// Write implements backend.Lock.
func (l *rememberingLock) Write(ctx context.Context, next *state.State) error {
	err := l.Lock.Write(ctx, next)
	var conflict *state.ConflictError
	switch {
	case err == nil:
		l.r.remember(l.Info().Path, next.Header())
	case errors.As(err, &conflict) && conflict.Lineage() && next.Serial == 1:
		return fmt.Errorf("%s: %w", l.r.nameOf(l.Info().Path), backend.ErrBegun)
	}
	return err
}

// Overwrite implements backend.Lock.
func (l *rememberingLock) Overwrite(ctx context.Context, next *state.State) error {
	err := l.Lock.Overwrite(ctx, next)
	if err == nil {
		l.r.remember(l.Info().Path, next.Header())
	}
	return err
}

// accept forgets what contradicts the state that is there (nil for none), and
// remembers that.
func (r *remembering) accept(location string, st *state.State) error {
	memory, _ := readSeen(r.file) // one that cannot be read is replaced
	now := sighting{place: r.at, Location: r.location(location)}
	if st != nil {
		now.Lineage, now.Serial = st.Lineage, st.Serial
		memory.Places = slices.DeleteFunc(memory.Places, func(q sighting) bool { return q.Lineage == st.Lineage && q.Serial > st.Serial })
	}
	return memory.with(now).write(r.file)
}
