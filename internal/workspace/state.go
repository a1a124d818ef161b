package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"esd/internal/config"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/journal"
)

// OpenState opens a configuration for what concerns its state only. A
// configuration with errors serves as well, as long as it can be told where
// the state is: whoever has to repair something must be able to look. The
// diagnostics have errors only where it cannot.
func OpenState(opts Options) (*Workspace, hcl.Diagnostics) {
	w, diags := Open(opts)
	if !diags.HasErrors() || w.Backend != nil {
		return w, nil
	}
	if !stateKnown(w.Config) || w.WorkDir != "" { // it was looked for already
		return w, diags
	}
	if err := w.locate(); err != nil {
		return w, append(diags, failure("Cannot find the state", err))
	}
	return w, nil
}

// stateKnown tells of a configuration with errors whether what it says of its
// state was understood all the same.
func stateKnown(c *config.Config) bool {
	if len(c.Files()) == 0 {
		return false
	}
	said := 0
	for name, file := range c.Files() {
		if strings.HasPrefix(name, "<") { // a value from the command line
			continue
		}
		parsed, diags := hclsyntax.ParseConfig(file.Bytes, name, hcl.InitialPos)
		if diags.HasErrors() {
			return false
		}
		for _, block := range parsed.Body.(*hclsyntax.Body).Blocks {
			for _, inner := range block.Body.Blocks {
				if block.Type == "esd" && inner.Type == "state" {
					said += 1 + len(inner.Body.Attributes)
				}
			}
		}
	}
	if c.State == nil {
		return said == 0
	}
	return said == 1+len(c.State.Config.Type().AttributeTypes())
}

// Recorded reads the state, with the journals of dead runs in it; nil where
// nothing was ever recorded. It takes no lock and writes nothing.
func (w *Workspace) Recorded(ctx context.Context) (*state.State, []state.Notice, error) {
	recorded, _, err := w.Backend.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	journals, err := journal.ReadDir(w.journalDir())
	if err != nil {
		return nil, nil, err
	}
	folded := journal.Fold(recorded, journals)
	return folded.State, slices.DeleteFunc(folded.Notices, func(n state.Notice) bool { return forWriters(n, recorded) }), nil
}

// forWriters tells notices that change nothing of what is read, and stay until
// something is written or removed: a command that only reads would repeat them
// each time.
func forWriters(n state.Notice, recorded *state.State) bool {
	return n.Kind == journal.NoticeSuperseded || n.Kind == journal.NoticeForeign && recorded != nil
}

// LockOptions says how the lock of a state is taken.
type LockOptions struct {
	// Operation is what holders are told: "state mv".
	Operation string
	Timeout   time.Duration
	// Waiting is told who holds the lock.
	Waiting func(*backend.LockedError)
	// Job is the address of the CI job that runs this.
	Job string
	// Notice is told what the user should know.
	Notice func(state.Notice)
}

func (o LockOptions) apply() ApplyOptions {
	return ApplyOptions{LockTimeout: o.Timeout, Waiting: o.Waiting, Job: o.Job, Notice: o.Notice}
}

// ErrNoState tells that nothing was ever recorded.
var ErrNoState = errors.New("there is no state yet: nothing was applied")

// EditState changes the state under its lock. The version before is kept as
// backup. edit gets a copy; where it changes nothing, nothing is written.
func (w *Workspace) EditState(ctx context.Context, opts LockOptions, edit func(*state.State) error) error {
	s, err := w.begin(ctx, opts.Operation, opts.apply())
	if err != nil {
		return err
	}
	return errors.Join(s.edit(ctx, edit), s.end())
}

func (s *session) edit(ctx context.Context, edit func(*state.State) error) error {
	if s.state == nil {
		return ErrNoState
	}
	next := s.state.Clone()
	if err := edit(next); err != nil {
		return err
	}
	if next.SameContent(s.state) {
		return nil
	}
	return s.write(ctx, next)
}

// Push replaces the state by another one. Without force it must be of the same
// lineage and newer; with force, what is recorded need not even be readable.
// It returns what is recorded now.
func (w *Workspace) Push(ctx context.Context, opts LockOptions, pushed *state.State, force bool) (*state.State, error) {
	s, err := w.locked(ctx, opts.Operation, opts.apply())
	if err != nil {
		return nil, err
	}
	next, err := s.push(ctx, pushed, force)
	return next, errors.Join(err, s.end())
}

func (s *session) push(ctx context.Context, pushed *state.State, force bool) (*state.State, error) {
	recorded, _, err := s.w.Backend.Read(ctx)
	if err != nil && !force {
		return nil, fmt.Errorf("%w\n\n--force replaces it all the same", err)
	}
	journals, err := journal.ReadDir(s.w.journalDir())
	if err != nil && !force {
		return nil, err
	}
	if len(journals) > 0 && !force {
		return nil, fmt.Errorf("a run has ended without recording what it did: %s. Any apply, or `esd state` command that writes, takes it over; do that first, or give --force",
			journals[0].Path)
	}
	if force {
		next, err := s.forced(ctx, pushed)
		if err != nil {
			return nil, err
		}
		return next, s.lock.Overwrite(ctx, next)
	}
	next, err := state.PreparePush(recorded, pushed, force)
	if err != nil {
		return nil, err
	}
	return next, s.lock.Write(ctx, next)
}

// forced is a state with a serial above all that is recorded, and above all that
// was seen here of its lineage, so that nobody takes it for an older one.
func (s *session) forced(ctx context.Context, pushed *state.State) (*state.State, error) {
	b := s.w.Backend
	r, remembers := b.(*remembering)
	if remembers {
		b = r.Backend
	}
	recorded, _, err := b.Read(ctx)
	var unreachable *backend.UnreachableError
	if errors.As(err, &unreachable) || ctx.Err() != nil {
		return nil, err
	}
	next, err := state.PreparePush(recorded, pushed, true)
	if err != nil || !remembers {
		return next, err
	}
	memory, _ := readSeen(r.file) // what cannot be read is replaced
	if newest := memory.newest(next.Lineage); newest != nil && newest.Serial >= next.Serial {
		next = next.Clone()
		next.Serial = newest.Serial + 1
	}
	return next, nil
}
