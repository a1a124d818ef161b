package workspace

import (
	"strings"
	"testing"

	"esd/internal/state"
	"esd/internal/state/journal"
)

func TestJournalsThatChangeNothingAreToldToWritersOnly(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		foreign bool
		said    string
		stays   bool
	}{
		"of another state":                        {true, "belongs to another state", true},
		"of what somebody else has changed since": {false, "Left out 1 object", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, at := t.TempDir(), somewheres["local"](t)
			recorded := wrote(t, openAt(t, dir, at), "a")
			w := openAt(t, dir, at)
			h := journal.Header{Run: "run", Lineage: recorded.Lineage, Serial: 3, Operation: "apply", Who: "u@h", When: "2026-11-20T10:00:00Z", ESDVersion: "0.1.0"}
			if tc.foreign {
				h.Lineage = state.NewID()
			}
			j, err := journal.Create(w.journalDir(), h)
			if err != nil {
				t.Fatal(err)
			}
			older := *recorded.Get("recipe.a")
			older.Key, older.When = strings.Repeat("cd", 32), "2026-11-20T10:00:00Z"
			if err := j.Append(journal.Entry{Step: "build", Result: "done", Object: &older, When: older.When}); err != nil {
				t.Fatal(err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if _, notices, err := w.Recorded(t.Context()); err != nil || len(notices) > 0 {
				t.Errorf("who reads is told %+v (%v)", notices, err)
			}
			write := func() (told []state.Notice) {
				opts := LockOptions{Operation: "state rm", Notice: func(n state.Notice) { told = append(told, n) }}
				if err := openAt(t, dir, at).EditState(t.Context(), opts, func(*state.State) error { return nil }); err != nil {
					t.Fatal(err)
				}
				return told
			}
			told := write()
			if len(told) != 1 || !strings.Contains(told[0].Summary, tc.said) || tc.stays && !strings.Contains(told[0].Detail, "`rm "+j.Path()+"`") {
				t.Errorf("who writes is told %+v", told)
			}
			if again := write(); (len(again) > 0) != tc.stays {
				t.Errorf("and again %+v", again)
			}
		})
	}
}
