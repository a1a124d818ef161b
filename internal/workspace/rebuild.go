package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/journal"
)

// RebuildOptions say how a state is rebuilt.
type RebuildOptions struct {
	LockOptions
	// DryRun only says what there would be: it takes no lock.
	DryRun bool
	// Agree is asked before the state is replaced; nil agrees.
	Agree func(*Rebuilt) (bool, error)
}

// Rebuilt is a state that was made anew.
type Rebuilt struct {
	// Location is where the state is.
	Location string
	// Old is what is recorded; its lineage is empty where that is nothing, or
	// cannot be used.
	Old state.Header
	// Problem is why what is recorded cannot be used; nil where it can, and
	// where there is none.
	Problem error
	// State is the new one.
	State *state.State
	// Found says of each object that is there why that is known.
	Found []plan.Change
	// Lost are the addresses of what was recorded and is not configured any
	// more, so that nothing says how to find it. They are sorted.
	Lost []string
	// Next is what an apply would do then.
	Next *plan.Plan
	// Durations tells that what steps took is known from what was recorded.
	Durations bool
	// Unchanged tells that the new state says what the old one says; it is not
	// written then.
	Unchanged bool
	// Declined tells that the state was not to be replaced.
	Declined bool
}

// Rebuild throws away what is recorded and finds out again what exists: the
// configuration and its locks say what there should be, and by its content key
// everything is found in caches and registries. It works when the state is lost,
// cannot be read, or is another one. Of a state that can be read it keeps how
// long steps took, what is tainted, and when things were made.
func (w *Workspace) Rebuild(ctx context.Context, opts RebuildOptions) (*Rebuilt, error) {
	if opts.DryRun {
		r, _, err := w.rebuilt(ctx)
		return r, err
	}
	s, err := w.locked(ctx, opts.Operation, opts.apply())
	if err != nil {
		return nil, err
	}
	r, err := s.rebuild(ctx, opts)
	return r, errors.Join(err, s.end())
}

func (s *session) rebuild(ctx context.Context, opts RebuildOptions) (*Rebuilt, error) {
	r, recorded, err := s.w.rebuilt(ctx)
	if err != nil {
		return nil, err
	}
	if r.Unchanged {
		s.w.remember(s.lock, r.Old)
		return r, nil
	}
	if opts.Agree != nil {
		if agreed, err := opts.Agree(r); err != nil || !agreed {
			r.Declined = true
			return r, err
		}
	}
	for _, n := range recorded.notices {
		s.tell(n)
	}
	write := s.lock.Overwrite
	if recorded.whole && recorded.problem == nil {
		write = s.lock.Write
	}
	if err := write(ctx, r.State); err != nil {
		return r, fmt.Errorf("recording the state: %w", err)
	}
	return r, journal.Remove(recorded.done)
}

// recording is what is known of the state that is to be replaced.
type recording struct {
	// state holds what was recorded, with the journals of dead runs; it may be
	// made of those alone, or of nothing.
	state *state.State
	// whole tells that the document itself could be read, and was expected.
	whole   bool
	header  state.Header
	problem error
	serial  int64 // the highest that anybody may have seen
	done    []*journal.Journal
	notices []state.Notice
}

// rebuilt makes the new state.
func (w *Workspace) rebuilt(ctx context.Context) (*Rebuilt, *recording, error) {
	old, err := w.recording(ctx)
	if err != nil {
		return nil, nil, err
	}
	r := &Rebuilt{Location: w.location(), Old: old.header, Problem: old.problem, Durations: len(old.state.Durations) > 0}
	resolved, existing, err := w.existing(ctx, old.state)
	if err != nil {
		return nil, nil, err
	}
	r.Found = existing.Changes
	next := state.New(old.state.Lineage, w.opts.Version)
	if old.whole {
		next = old.state.Clone()
		clear(next.Objects)
		clear(next.Outputs)
	}
	next.Durations = old.state.Durations
	// The record of each is made by who makes it in every apply.
	_, err = apply.Run(ctx, apply.Options{Plan: existing, Provider: w.Kinds.Provider, State: next, Now: w.opts.Now})
	if err != nil {
		return nil, nil, err
	}
	keepKnown(next, old.state)
	r.Lost = unfindable(old.state, next, resolved)
	if err := w.evaluateOutputs(ctx, next, func(string) bool { return false }); err != nil {
		return nil, nil, err
	}
	next.Serial, next.ESDVersion = old.serial+1, w.opts.Version
	r.State = next
	r.Unchanged = old.whole && old.problem == nil && len(old.done) == 0 && next.SameContent(old.state)
	planned, err := w.planFrom(ctx, next, nil, PlanOptions{})
	if err != nil {
		return nil, nil, err
	}
	r.Next = planned.Plan
	return r, old, nil
}

// existing finds everything that is configured and exists.
func (w *Workspace) existing(ctx context.Context, before *state.State) (*Resolved, *plan.Plan, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	request, err := w.request(resolved, nil)
	if err != nil {
		return nil, nil, err
	}
	request.State = before
	existing, err := plan.Existing(ctx, request)
	return resolved, existing, err
}

// recording reads what there is, whatever state it is in.
func (w *Workspace) recording(ctx context.Context) (*recording, error) {
	b, memory := w.Backend, seen{}
	r, remembers := b.(*remembering)
	if remembers {
		b = r.Backend
		memory, _ = readSeen(r.file) // what cannot be read is replaced
	}
	out := &recording{}
	st, meta, err := b.Read(ctx)
	var format *state.FormatError
	var newer *state.NewerFormatError
	var untrusted *backend.UntrustedError
	switch {
	case errors.As(err, &format), errors.As(err, &newer), errors.As(err, &untrusted):
		out.problem = err
	case err != nil:
		return nil, err
	case remembers:
		out.problem = r.compare(ctx, memory, st, meta)
	}
	if remembers {
		if known := memory.at(r.at, r.location(meta.Location)); known != nil && known.Serial > 0 {
			out.header.Lineage, out.serial = known.Lineage, memory.newest(known.Lineage).Serial
		}
	}
	if st != nil {
		out.serial = max(out.serial, st.Serial)
		if out.problem == nil || out.header.Lineage == st.Lineage {
			// An older version of what was seen says something, too.
			out.state, out.whole, out.header = st, true, st.Header()
		}
	}
	return out, w.foldInto(out)
}

// foldInto adds what dead runs have recorded.
func (w *Workspace) foldInto(out *recording) error {
	journals, err := journal.ReadDir(w.journalDir())
	if err != nil {
		return err
	}
	lineage := out.header.Lineage
	for i := len(journals) - 1; i >= 0 && lineage == ""; i-- {
		if !journals[i].Live {
			lineage = journals[i].Header.Lineage
		}
	}
	if out.state == nil {
		if lineage == "" {
			lineage = state.NewID()
		}
		out.state = state.New(lineage, w.opts.Version) // at serial 0, so that journals are newer
		out.header = state.Header{}
	}
	folded := journal.Fold(out.state, journals)
	out.state, out.done = folded.State, folded.Done
	for _, n := range folded.Notices {
		if n.Kind == journal.NoticeFolded || n.Kind == journal.NoticeForeign || n.Kind == journal.NoticeLive || n.Kind == journal.NoticeTorn {
			out.notices = append(out.notices, n)
		}
	}
	return nil
}

// keepKnown keeps what only a record knows of objects that are the same as
// before: that one is tainted, and when it was made.
func keepKnown(next, old *state.State) {
	for address, o := range next.Objects {
		before := old.Get(address)
		if before == nil || before.Key != o.Key || before.Kind != o.Kind {
			continue
		}
		known := *o
		known.Tainted, known.When = before.Tainted, before.When
		if before.Equal(&known) {
			next.Put(before)
		} else {
			next.Put(&known)
		}
	}
}

// unfindable lists what was recorded and stands in no configuration any more, neither
// at its address nor, as the same product, at another one.
func unfindable(old, next *state.State, resolved *Resolved) []string {
	configured, found := map[string]bool{}, map[string]bool{}
	for _, o := range resolved.Objects {
		configured[o.Address.String()] = true
	}
	for _, o := range next.Objects {
		found[o.Kind+" "+o.Key] = true
	}
	var list []string
	for address, o := range old.Objects {
		if !configured[address] && !found[o.Kind+" "+o.Key] {
			list = append(list, address)
		}
	}
	slices.Sort(list)
	return list
}
