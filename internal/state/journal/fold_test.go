package journal_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
	"esd/internal/state/journal"
)

const (
	at1 = "2026-11-21T10:00:01Z"
	at2 = "2026-11-21T10:00:02Z"
	at3 = "2026-11-21T10:00:03Z"
)

// recorded is a state at a serial with objects recorded at at2.
func recorded(serial int64, names ...string) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	for _, name := range names {
		s.Put(entry(name, at2).Object)
		s.Durations[name] = *entry(name, at2).Duration
	}
	return s
}

func removal(name, when string) journal.Entry {
	return journal.Entry{Step: "remove", Result: "done", Removed: "recipe." + name, When: when}
}

func TestFold(t *testing.T) {
	t.Parallel()
	other := header(0)
	other.Lineage = "00000000-0000-4000-8000-000000000000"
	for name, tc := range map[string]struct {
		state    *state.State
		header   journal.Header
		entries  []journal.Entry
		want     map[string]string // address to when
		kinds    []string
		leftOver bool
	}{
		"finished steps come into the state": {
			state: recorded(3, "a"), header: header(3), entries: []journal.Entry{entry("b", at3), removal("a", at3)},
			want: map[string]string{"recipe.b": at3}, kinds: []string{journal.NoticeFolded}},
		"a failed step changes nothing": {
			state: recorded(3, "a"), header: header(3), entries: []journal.Entry{{Step: "x", Result: "failed", When: at3}},
			want: map[string]string{"recipe.a": at2}},
		"an object that was changed later stays": {
			state: recorded(9, "a"), header: header(3), entries: []journal.Entry{entry("a", at1), removal("a", at1)},
			want: map[string]string{"recipe.a": at2}, kinds: []string{journal.NoticeSuperseded}},
		"an object that was changed earlier gives way": {
			state: recorded(9, "a"), header: header(3), entries: []journal.Entry{entry("a", at3)},
			want: map[string]string{"recipe.a": at3}, kinds: []string{journal.NoticeFolded}},
		"what one run did twice ends as it ended": {
			state: recorded(3), header: header(3), entries: []journal.Entry{entry("a", at1), removal("a", at1), entry("a", at3)},
			want: map[string]string{"recipe.a": at3}, kinds: []string{journal.NoticeFolded}},
		"a run that started from nothing makes the state": {
			header: header(0), entries: []journal.Entry{entry("a", at1)},
			want: map[string]string{"recipe.a": at1}, kinds: []string{journal.NoticeFolded}},
		"a run that started from nothing and did nothing": {header: header(0)},
		"a state that went away is reported": {
			header: header(4), entries: []journal.Entry{entry("a", at1)}, kinds: []string{journal.NoticeForeign}, leftOver: true},
		"a state that went back is reported, the work is kept": {
			state: recorded(2), header: header(4), entries: []journal.Entry{entry("a", at1)},
			want: map[string]string{"recipe.a": at1}, kinds: []string{journal.NoticeStateOlder, journal.NoticeFolded}},
		"a journal of another state is left alone": {
			state: recorded(3, "a"), header: other, entries: []journal.Entry{entry("b", at3)},
			want: map[string]string{"recipe.a": at2}, kinds: []string{journal.NoticeForeign}, leftOver: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := written(t, tc.header, tc.entries...)
			var before *state.State
			if tc.state != nil {
				before = tc.state.Clone()
			}
			got := journal.Fold(tc.state, []*journal.Journal{j})
			if diff := cmp.Diff(tc.want, when(got.State)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tc.kinds, kinds(got.Notices)); diff != "" {
				t.Errorf("notices -want +got:\n%s", diff)
			}
			if tc.leftOver != (len(got.Done) == 0) {
				t.Errorf("done: %v", got.Done)
			}
			if !tc.state.Equal(before) {
				t.Error("the given state was changed")
			}
			if same := tc.state == got.State; same != tc.state.Equal(got.State) {
				t.Errorf("the very state given came back: %v", same)
			}
			again := journal.Fold(got.State, []*journal.Journal{j})
			if !again.State.Equal(got.State) {
				t.Error("folding twice is not folding once")
			}
			if got.State != nil {
				got.State.Serial++
			}
			if after := journal.Fold(got.State, []*journal.Journal{j}); !after.State.Equal(got.State) {
				t.Error("folding again after the state was written changes it")
			}
		})
	}
}

// TestFoldWhereOthersHaveWritten is about a run on this machine that began at
// serial 5 and died, and a state that another machine has brought to serial 9.
// The clocks of the two are wrong by a day, either way.
func TestFoldWhereOthersHaveWritten(t *testing.T) {
	t.Parallel()
	object := func(name, what, when string) *state.Object {
		o := entry(name, when).Object
		o.Attributes = state.Attributes{"what": what}
		return o
	}
	const now, yesterday, tomorrow = "2026-11-21T10:00:00Z", "2026-11-20T10:00:00Z", "2026-11-22T10:00:00Z"
	at5 := object("a", "serial 5", now)
	for name, tc := range map[string]struct {
		at5, at9 *state.Object // what was recorded of a
		did      *state.Object // what the run made of it; nil for a removal
		want     string
		skipped  bool
	}{
		"nobody has touched it: the work of the run is taken": {at5, at5, object("a", "run", now), "run", false},
		"nobody has touched it, and the run's clock was slow": {at5, at5, object("a", "run", yesterday), "run", false},
		"nobody has made it besides":                          {nil, nil, object("a", "run", now), "run", false},
		"nobody has touched it: a removal is taken":           {at5, at5, nil, "", false},
		"somebody has changed it":                             {at5, object("a", "serial 9", now), object("a", "run", now), "serial 9", true},
		"somebody whose clock was slow has changed it":        {at5, object("a", "serial 9", yesterday), object("a", "run", tomorrow), "serial 9", true},
		"somebody has made it":                                {nil, object("a", "serial 9", now), object("a", "run", now), "serial 9", true},
		"somebody has removed it":                             {at5, nil, object("a", "run", tomorrow), "", true},
		"somebody has changed what the run removed":           {at5, object("a", "serial 9", now), nil, "serial 9", true},
		"somebody has removed it as well":                     {at5, nil, nil, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := recorded(9, "other")
			if tc.at9 != nil {
				st.Put(tc.at9)
			}
			e := journal.Entry{Step: "s", Result: "done", When: now, Object: tc.did, Prior: map[string]string{"recipe.a": journal.Fingerprint(tc.at5)}}
			if tc.did == nil {
				e.Removed = "recipe.a"
			}
			got := journal.Fold(st, []*journal.Journal{written(t, header(5), e)})
			what := ""
			if o := got.State.Get("recipe.a"); o != nil {
				what, _ = o.Attributes["what"].(string)
			}
			if what != tc.want || got.State.Get("recipe.other") == nil {
				t.Errorf("a is from %q, want %q", what, tc.want)
			}
			if skipped := slices.Contains(kinds(got.Notices), journal.NoticeSuperseded); skipped != tc.skipped {
				t.Errorf("notices: %+v", got.Notices)
			}
			if len(got.Done) != 1 {
				t.Error("the journal stays")
			}
		})
	}
}

func TestTwoDeadRunsAreFoldedOneAfterTheOtherAlsoWhereOthersHaveWritten(t *testing.T) {
	t.Parallel()
	none := map[string]string{"recipe.a": journal.Fingerprint(nil), "recipe.b": journal.Fingerprint(nil)}
	one, two := entry("a", at1), entry("a", at2)
	one.Prior, two.Prior = none, none
	three := removal("b", at2)
	three.Prior = none
	got := journal.Fold(recorded(9), []*journal.Journal{written(t, header(3), one), written(t, header(3), two, three)})
	if diff := cmp.Diff(map[string]string{"recipe.a": at2}, when(got.State)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAJournalOfARunThatGoesOnIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := create(t, t.TempDir(), header(0))
	appendAll(t, w, entry("a", at1))
	got := journal.Fold(nil, []*journal.Journal{read(t, w.Path())})
	if got.State != nil || len(got.Done) > 0 || cmp.Diff([]string{journal.NoticeLive}, kinds(got.Notices)) != "" {
		t.Errorf("%+v", got)
	}
}

func TestJournalsAreFoldedInOrder(t *testing.T) {
	t.Parallel()
	first := written(t, header(3), entry("a", at1), entry("b", at1))
	second := written(t, header(3), entry("a", at2), removal("b", at2))
	got := journal.Fold(recorded(3), []*journal.Journal{first, second})
	if diff := cmp.Diff(map[string]string{"recipe.a": at2}, when(got.State)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(got.Done) != 2 {
		t.Errorf("done: %v", got.Done)
	}
}

func TestMeasuredDurationsAreTakenOnceAndNotOverNewerOnes(t *testing.T) {
	t.Parallel()
	j := written(t, header(3), entry("a", at1))
	for name, tc := range map[string]struct {
		serial int64
		want   float64
	}{
		"the state stands where the run began": {3, 1.5},
		"the state has moved on":               {4, 60},
	} {
		s := recorded(tc.serial, "a")
		s.Durations["a"] = state.Duration{Seconds: 60}
		if got := journal.Fold(s, []*journal.Journal{j}).State.Durations["a"].Seconds; got != tc.want {
			t.Errorf("%s: %v s", name, got)
		}
	}
}

func when(s *state.State) map[string]string {
	if s == nil {
		return nil
	}
	m := map[string]string{}
	for address, o := range s.Objects {
		m[address] = o.When
	}
	return m
}

func kinds(notices []state.Notice) []string {
	var list []string
	for _, n := range notices {
		list = append(list, n.Kind)
	}
	return list
}
