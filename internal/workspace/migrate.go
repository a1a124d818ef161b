package workspace

import (
	"context"
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/config"
	"esd/internal/providers/registry"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/kinds"
	"esd/internal/state/journal"
)

// MigrateOptions say how a state is brought to the place that the configuration
// names.
type MigrateOptions struct {
	LockOptions
	// From is a configuration, such as an older version of this one, whose state
	// block says where the state was; empty is where this machine has seen it
	// last.
	From string
	// DryRun only says what would be done: it takes no lock.
	DryRun bool
	// Agree is asked where the new place has an older version of the state that
	// would be replaced; nil does not agree.
	Agree func(Migration) (bool, error)
}

// Migration is what a migration does, or has done.
type Migration struct {
	// From and To name the places.
	From, To string
	// Old is the state at the old place, New the one at the new place before;
	// its lineage is empty where there is none.
	Old, New state.Header
	// Written is the serial that is written at the new place.
	Written int64
	// Objects is how many the state has.
	Objects int
	// Done tells that the new place had it all already.
	Done bool
}

// ErrNothingToMigrate tells that the state is where the configuration says.
var ErrNothingToMigrate = errors.New("there is nothing to migrate")

// Migrate copies the state from the place where it was to the one that the
// configuration names. Both are locked meanwhile. What dead runs have recorded
// comes along. The state at the old place stays as it is: so a migration that
// was interrupted has lost nothing, and can be repeated.
func (w *Workspace) Migrate(ctx context.Context, opts MigrateOptions) (Migration, error) {
	from, err := w.migrationSource(opts.From)
	if err != nil {
		return Migration{}, err
	}
	if opts.DryRun {
		m, _, err := w.migration(ctx, from)
		return m, err
	}
	old, err := w.lockedAt(ctx, from, opts.LockOptions)
	if err != nil {
		return Migration{}, fmt.Errorf("the old place: %w", err)
	}
	migrated, err := w.migrateTo(ctx, old, from, opts)
	return migrated, errors.Join(err, old.end())
}

// migrationSource opens the place where the state was.
func (w *Workspace) migrationSource(config string) (*remembering, error) {
	here, ok := w.Backend.(*remembering)
	if !ok {
		return nil, ErrNothingToMigrate
	}
	if config != "" {
		return w.sourceIn(config, here)
	}
	memory, err := readSeen(here.file)
	if err != nil {
		return nil, err
	}
	location := here.location("")
	for i := range memory.Places {
		q := &memory.Places[i]
		if q.is(here.at, location) || q.Serial == 0 {
			if i == 0 {
				return nil, fmt.Errorf("%w: this machine has seen the state in %s, where the configuration says it is. "+
					"If it was in another place before, `--from CONFIG` names a configuration that says where", ErrNothingToMigrate, q.name())
			}
			continue
		}
		b, err := q.open(w.backendEnv())
		if err != nil {
			return nil, fmt.Errorf("the state was in %s, which cannot be opened: %w; `--from CONFIG` names a configuration that says all of it", q.name(), err)
		}
		if err := q.elsewhere(b); err != nil {
			return nil, err
		}
		return &remembering{Backend: w.patiently(b), at: q.place, file: here.file}, nil
	}
	if last := w.unremembered(context.Background()); last != nil && !last.is(here.at, location) {
		b, err := last.open(w.backendEnv())
		return &remembering{Backend: b, at: last.place, file: here.file}, err
	}
	return nil, fmt.Errorf("%w: this machine has not seen the state in another place; `--from CONFIG` names a configuration that says where it was", ErrNothingToMigrate)
}

// sourceIn opens the place that the state block of another configuration names,
// read as if it stood in this one.
func (w *Workspace) sourceIn(path string, here *remembering) (*remembering, error) {
	cfg, diags := config.Load(config.Options{
		Path: path, Schemas: registry.New(registry.Options{}).Schemas(), Vars: w.opts.Vars, VarFiles: w.opts.VarFiles,
		Environ: w.opts.Environ, EnvironAll: w.opts.EnvironAll,
	})
	if cfg == nil || diags.HasErrors() && !stateKnown(cfg) {
		return nil, fmt.Errorf("--from %s: %w", path, diags)
	}
	name, said := kinds.All()[0].Name, cty.NilVal
	if cfg.State != nil {
		name, said = cfg.State.Kind, cfg.State.Config
	}
	at, b, err := w.backendOf(name, said)
	if err != nil {
		return nil, fmt.Errorf("--from %s: %w", path, err)
	}
	from := &remembering{Backend: b, at: at, file: here.file}
	if there := (&sighting{place: at, Location: from.location("")}); there.is(here.at, here.location("")) {
		return nil, fmt.Errorf("%w: the state block of %s leads where that of this configuration leads", ErrNothingToMigrate, path)
	}
	return from, nil
}

// lockedAt locks the state at a place.
func (w *Workspace) lockedAt(ctx context.Context, at *remembering, opts LockOptions) (*session, error) {
	there := *w
	there.Backend = at.Backend // what is written there is not remembered: it is the old place
	return there.locked(ctx, opts.Operation, opts.apply())
}

// migrateTo locks the new place too, copies, and reads back.
func (w *Workspace) migrateTo(ctx context.Context, old *session, from *remembering, opts MigrateOptions) (Migration, error) {
	s, err := w.locked(ctx, opts.Operation, opts.apply())
	var locked *backend.LockedError
	if errors.As(err, &locked) && locked.Holder.ID == old.lock.Info().ID {
		return Migration{}, fmt.Errorf("%w: %s and the place of this configuration are one and the same", ErrNothingToMigrate, from.nameOf(""))
	}
	if err != nil {
		return Migration{}, fmt.Errorf("the new place: %w", err)
	}
	m, err := s.migrate(ctx, from, opts)
	return m, errors.Join(err, s.end())
}

func (s *session) migrate(ctx context.Context, from *remembering, opts MigrateOptions) (Migration, error) {
	m, folded, err := s.w.migration(ctx, from)
	if err != nil {
		return m, err
	}
	if m.Done {
		s.w.remember(s.lock, m.New)
		return m, journal.Remove(folded.Done)
	}
	if m.New.Lineage != "" {
		if opts.Agree == nil {
			return m, errors.New("the new place has an older version of the state, which would be replaced")
		}
		if agreed, err := opts.Agree(m); err != nil || !agreed {
			return m, err
		}
	}
	for _, n := range folded.Notices {
		s.tell(n)
	}
	next := folded.State.Clone()
	next.Serial, next.ESDVersion = m.Written, s.w.opts.Version
	if err := s.lock.Write(ctx, next); err != nil {
		return m, fmt.Errorf("recording the state at the new place: %w", err)
	}
	if err := s.verify(ctx, next); err != nil {
		return m, fmt.Errorf("%w; the state in %s is as it was", err, m.From)
	}
	return m, journal.Remove(folded.Done)
}

// verify reads back what was written.
func (s *session) verify(ctx context.Context, want *state.State) error {
	got, _, err := s.w.Backend.Read(ctx)
	if err == nil && !got.Equal(want) {
		err = &backend.UntrustedError{Location: s.lock.Info().Path, Problem: "what was written does not come back"}
	}
	if err != nil {
		return fmt.Errorf("reading back what was written: %w", err)
	}
	return nil
}

// migration reads both places and says what there is to do.
func (w *Workspace) migration(ctx context.Context, from *remembering) (Migration, journal.Folded, error) {
	here := w.Backend.(*remembering)
	m := Migration{From: from.nameOf(""), To: here.nameOf("")}
	old, _, err := from.Backend.Read(ctx)
	if err != nil {
		return m, journal.Folded{}, fmt.Errorf("the old place: %w", backend.Unreadable(err))
	}
	there, _, err := here.Backend.Read(ctx)
	if err != nil {
		return m, journal.Folded{}, fmt.Errorf("the new place: %w", backend.Unreadable(err))
	}
	if there != nil {
		m.New = there.Header()
	}
	if old == nil {
		return m, journal.Folded{}, fmt.Errorf("%w: there is no state in %s", ErrNothingToMigrate, m.From)
	}
	memory, err := readSeen(from.file)
	if err != nil {
		return m, journal.Folded{}, err
	}
	journals, err := journal.ReadDir(w.journalDir())
	if err != nil {
		return m, journal.Folded{}, err
	}
	folded := journal.Fold(old, journals)
	m.Old, m.Objects = folded.State.Header(), len(folded.State.Objects)
	m.Written = max(m.Old.Serial, m.New.Serial) + 1
	switch {
	case there != nil && there.Lineage != old.Lineage:
		return m, folded, fmt.Errorf("the new place: %w", &state.ConflictError{Recorded: m.New, Offered: m.Old})
	case there != nil && there.Serial > old.Serial:
		// It was brought over already, and perhaps has gone on since. Journals
		// of runs that have died are folded by the next run there.
		m.Done, folded.Done = true, nil
		return m, folded, nil
	case there != nil && there.Serial == old.Serial && there.SameContent(folded.State):
		m.Done, folded.Done = true, nil
		return m, folded, nil
	}
	if newest := memory.newest(old.Lineage); newest != nil && newest.Serial > old.Serial {
		return m, folded, &backend.UntrustedError{
			Location: m.From, Problem: fmt.Sprintf("it has serial %d, but serial %d of it was seen in %s", old.Serial, newest.Serial, newest.name()),
			Fix: "bring the newer one over",
		}
	}
	return m, folded, nil
}
