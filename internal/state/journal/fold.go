package journal

import (
	"fmt"
	"strings"

	"esd/internal/state"
)

// Kinds of notices that Fold gives.
const (
	// NoticeFolded: finished steps of a dead run were taken over.
	NoticeFolded = "journal-folded"
	// NoticeSuperseded: what a dead run did to an object was left out, because
	// somebody else has changed the same object since.
	NoticeSuperseded = "journal-superseded"
	// NoticeTorn: the last record of a journal was incomplete and dropped.
	NoticeTorn = "journal-torn"
	// NoticeForeign: a journal belongs to another state.
	NoticeForeign = "journal-foreign"
	// NoticeLive: the run of a journal still goes on.
	NoticeLive = "journal-live"
	// NoticeStateOlder: the state is older than a journal says; perhaps a
	// backup was put back.
	NoticeStateOlder = "journal-state-older"
)

// Folded is the result of Fold.
type Folded struct {
	// State with the entries in it. It is the one that was given when they
	// changed nothing; then there is nothing to write. Its serial is that of
	// the state given: the caller raises it before writing.
	State *state.State
	// Done are the journals that are in State. They are to be removed once it
	// is written.
	Done []*Journal
	// Notices tell the user what was found.
	Notices []state.Notice
}

// Fold puts what dead runs recorded into the state, in the order of the
// journals. st is nil when there is no state yet: then the first journal of a
// run that started from nothing gives the lineage. Journals of other lineages
// and of runs that still go on are left alone and reported.
//
// Where the state has moved on since a run began, because another machine has
// written it meanwhile, each object is looked at by itself: what the run did to
// it is taken where the record is still the one that the run started from, and
// left out, with a notice, where somebody else has changed it since. The next
// plan looks at what really is there, either way. So a journal that was left
// behind by a crash between the writing of the state and the removal of the
// journal, or that is folded twice, does no harm.
func Fold(st *state.State, journals []*Journal) Folded {
	f := Folded{State: st}
	for _, j := range journals {
		if j.Header.Run == "" && !j.Live {
			// Killed before the header was on the disk: nothing was recorded.
			f.Done = append(f.Done, j)
			continue
		}
		if f.State == nil && !j.Live && j.Header.Serial == 0 && len(j.Entries) > 0 {
			f.State = state.New(j.Header.Lineage, j.Header.ESDVersion)
		}
		if f.belongs(j) {
			f.fold(j, st)
		}
	}
	return f
}

// belongs reports whether the journal is to be folded; if not, it says why.
func (f *Folded) belongs(j *Journal) bool {
	run := describe(j)
	switch {
	case j.Live:
		f.notice(NoticeLive, run+" still goes on", "Its journal "+j.Path+" was left alone.")
		return false
	case f.State == nil && j.Header.Serial == 0:
		f.Done = append(f.Done, j) // it finished nothing
		return false
	case f.State == nil:
		f.notice(NoticeForeign, run+" started from a state that is not there",
			fmt.Sprintf("It had serial %d. Put it back; or, if you do not need what it had made: `rm %s`.", j.Header.Serial, j.Path))
		return false
	case f.State.Lineage != j.Header.Lineage:
		f.notice(NoticeForeign, run+" belongs to another state",
			fmt.Sprintf("Its lineage is %s, here it is %s. Its journal was left alone; if you do not need it: `rm %s`.", j.Header.Lineage, f.State.Lineage, j.Path))
		return false
	}
	return true
}

// fold takes over the entries of a journal. given is the state that must not be
// changed.
func (f *Folded) fold(j *Journal, given *state.State) {
	if j.Header.Serial > f.State.Serial {
		f.notice(NoticeStateOlder, "The state is older than "+describe(j)+" saw it",
			fmt.Sprintf("It had serial %d then and has %d now; perhaps a backup was put back.", j.Header.Serial, f.State.Serial))
	}
	changes, skipped, current := 0, []string(nil), j.Header.Serial >= f.State.Serial
	for _, c := range condense(j.Entries) {
		switch take, known := c.belongs(f.State, given, current); {
		case known:
			continue
		case !take:
			skipped = append(skipped, c.address)
			continue
		}
		f.own(given)
		if c.object != nil {
			f.State.Put(c.object)
		} else {
			delete(f.State.Objects, c.address)
		}
		changes++
	}
	for _, e := range j.Entries {
		if measures(f.State, e, current) {
			f.own(given)
			f.State.Durations[e.Measured] = *e.Duration
		}
	}
	if len(skipped) > 0 {
		f.notice(NoticeSuperseded, fmt.Sprintf("Left out %s that %s had recorded: somebody else has changed the same since", count(len(skipped), "object"), describe(j)),
			names(skipped)+". The next plan looks at what is there.")
	}
	if j.Torn > 0 {
		f.notice(NoticeTorn, "The end of "+j.Path+" was incomplete and was left out",
			fmt.Sprintf("%d bytes; the step that was being recorded will be looked at again.", j.Torn))
	}
	if changes > 0 {
		f.notice(NoticeFolded, fmt.Sprintf("Took over %s that %s had recorded before it ended early", count(changes, "object"), describe(j)), "")
	}
	f.Done = append(f.Done, j)
}

// own makes the state one that can be changed.
func (f *Folded) own(given *state.State) {
	if f.State == given {
		f.State = given.Clone()
	}
}

// measures reports whether what a step took is to be recorded. current says that
// the state has not moved on since the run began, so that what the run measured
// is newer than what is recorded.
func measures(s *state.State, e Entry, current bool) bool {
	if e.Measured == "" || e.Duration == nil {
		return false
	}
	known, ok := s.Durations[e.Measured]
	return !ok || current && known != *e.Duration
}

func names(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}

func (f *Folded) notice(kind, summary, detail string) {
	f.Notices = append(f.Notices, state.Notice{Kind: kind, Summary: summary, Detail: detail})
}

func describe(j *Journal) string {
	return fmt.Sprintf("the %s that %s began at %s (run %s)", j.Header.Operation, j.Header.Who, j.Header.When, j.Header.Run)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
