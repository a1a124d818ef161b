package apply

import (
	"slices"
	"time"

	"esd/internal/plan"
	"esd/internal/state"
)

// move gives moved objects their new addresses, all at once, so that one can
// take the place that another one leaves, and renames them where others depend
// on them. It returns the entries for the journal in an order in which none
// removes what one before it has put there.
func (r *runner) move() []Entry {
	renamed := map[string]string{}
	for _, change := range r.opts.Plan.Changes {
		if change.From != "" && r.opts.State.Objects[change.From] != nil {
			renamed[change.From] = change.Address
		}
	}
	if len(renamed) == 0 {
		return nil
	}
	when := r.opts.Now().UTC().Format(time.RFC3339)
	next := map[string]*state.Object{}
	for _, address := range r.opts.State.Addresses() {
		before := r.opts.State.Objects[address]
		o := *before
		if to := renamed[address]; to != "" {
			o.Address = to
		}
		o.Dependencies = renameAll(before.Dependencies, renamed)
		if o.Address != address || !slices.Equal(o.Dependencies, before.Dependencies) {
			o.When = when
			next[address] = &o
		}
	}
	for from := range renamed {
		delete(r.opts.State.Objects, from)
	}
	for _, o := range next {
		r.opts.State.Put(o)
	}
	return moveEntries(r.opts.Plan.Changes, next)
}

func renameAll(list []string, renamed map[string]string) []string {
	out := slices.Clone(list)
	for i, address := range out {
		if to := renamed[address]; to != "" {
			out[i] = to
		}
	}
	slices.Sort(out)
	return out
}

// moveEntries makes the journal's entries of objects that changed, given by
// the addresses that they had: an object comes after the one whose place it
// takes.
func moveEntries(changes []plan.Change, changed map[string]*state.Object) []Entry {
	var entries []Entry
	done := map[string]bool{}
	var enter func(from string)
	enter = func(from string) {
		o := changed[from]
		if o == nil || done[from] {
			return
		}
		done[from] = true
		entry := Entry{Step: o.Address + "#move", Object: o}
		if o.Address != from {
			entry.Removed = from
			enter(o.Address)
		}
		entries = append(entries, entry)
	}
	for _, change := range changes {
		enter(change.From)
	}
	for _, from := range sortedKeys(changed) {
		enter(from)
	}
	return entries
}

func sortedKeys(m map[string]*state.Object) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
