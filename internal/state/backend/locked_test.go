package backend_test

import (
	"strings"
	"testing"
	"time"

	"esd/internal/state/backend"
)

func TestWhatIsKnownOfALeaseInWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	before := func(d time.Duration) time.Time { return now.Add(-d) }
	for name, tc := range map[string]struct {
		lease backend.Lease
		now   time.Time
		want  string
	}{
		"a lock without lease has nothing to say": {backend.Lease{}, now, ""},
		"a holder that runs was heard of a moment ago": {
			backend.Lease{Duration: time.Minute, Renewed: before(3 * time.Second)}, now, "it runs (last heartbeat 3s ago)"},
		"a holder of which no time is known": {
			backend.Lease{Duration: time.Minute}, now, "it runs"},
		"a clock that is wrong by a day is not believed": {
			backend.Lease{Duration: time.Minute, Renewed: before(-24 * time.Hour)}, now, "it runs (last heartbeat 2026-11-22T10:00:00Z)"},
		"without a clock there is the time itself": {
			backend.Lease{Duration: time.Minute, Renewed: now}, time.Time{}, "it runs (last heartbeat 2026-11-21T10:00:00Z)"},
		"a holder that was not watched yet": {
			backend.Lease{Duration: time.Minute, Verdict: backend.Undecided, Renewed: before(20 * time.Second)}, now,
			"whether it still runs is not known yet (last heartbeat 20s ago); one that is silent for 1m0s loses its lock"},
		"a holder that is silent while it is watched": {
			backend.Lease{Duration: time.Minute, Verdict: backend.Undecided, Silent: 40 * time.Second}, now,
			"it has been silent for 40s while it was watched; if it stays so, its lock is taken over in 20s"},
		"a dead holder": {
			backend.Lease{Duration: time.Minute, Verdict: backend.Dead, Silent: time.Minute}, now,
			"it is dead: it was silent for 1m0s, which is all of its lease"},
		"one whose connection is gone before its lease": {
			backend.Lease{Duration: time.Minute, Verdict: backend.Dead, Silent: 8 * time.Second}, now, "it is dead, so that its lock can be taken over"},
		"one whose process is gone": {
			backend.Lease{Duration: time.Minute, Verdict: backend.Dead}, now, "it is dead, so that its lock can be taken over"},
	} {
		if got := tc.lease.Words(tc.now); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func TestSilenceIsMeasuredWithOneClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	elsewhere := now.Add(-24 * time.Hour) // a clock that is wrong by a day
	var seen backend.Sightings
	for i, tc := range []struct {
		id      string
		renewed time.Time
		want    time.Duration
	}{
		{"a", elsewhere, 0}, {"a", elsewhere, time.Second}, {"a", elsewhere, 2 * time.Second},
		{"a", elsewhere.Add(time.Second), 0}, {"a", elsewhere.Add(time.Second), time.Second}, {"b", elsewhere.Add(time.Second), 0},
	} {
		holder := backend.LockInfo{ID: tc.id, Lease: backend.Lease{Duration: time.Minute, Renewed: tc.renewed}}
		seen.Note(&holder, now.Add(time.Duration(i)*time.Second))
		if holder.Lease.Silent != tc.want {
			t.Errorf("%d: silent for %s, want %s", i, holder.Lease.Silent, tc.want)
		}
	}
}

func TestTheErrorOfALockedStateSaysWhatToDo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	e := &backend.LockedError{Location: "s3://b/k", Looked: now, Holder: backend.NewLockInfo(backend.LockRequest{
		Operation: "apply", Now: now, Job: "https://ci.example.org/jobs/1"})}
	e.Holder.Lease = backend.Lease{Duration: time.Minute, Renewed: now.Add(-3 * time.Second)}
	for _, want := range []string{"s3://b/k is locked by", "in https://ci.example.org/jobs/1", `for "apply" since 2026-11-21T10:00:00Z`,
		"it runs (last heartbeat 3s ago); wait for it (--lock-timeout)", "`esd force-unlock " + e.Holder.ID + "`"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("no %q in %q", want, e)
		}
	}
	if e.Holder.Created = (time.Time{}); strings.Contains(e.Error(), "since") {
		t.Errorf("it was never told since when: %q", e)
	}
}
