package view_test

import (
	"strings"
	"testing"
	"time"

	"esd/internal/state/backend"
	"esd/internal/view"
)

func TestTheJSONOfADeadHolderSaysWhyThatIsKnown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	here := backend.NewLockInfo(backend.LockRequest{Operation: "apply", Now: now})
	p, _ := here.Process()
	gone := here
	gone.Info = strings.Replace(here.Info, p.Start, p.Start+"0", 1)
	elsewhere := here
	elsewhere.Who, elsewhere.Info = "ci@elsewhere", `{"pid":7}`
	with := func(h backend.LockInfo, l backend.Lease) *backend.LockInfo {
		h.Lease = l
		return &h
	}
	for name, tc := range map[string]struct {
		holder *backend.LockInfo
		want   string
	}{
		"its process is gone": {with(gone, backend.Lease{Duration: time.Minute, Verdict: backend.Dead, Silent: 100 * time.Microsecond}), `"why": "process gone"`},
		"it was silent":       {with(elsewhere, backend.Lease{Duration: time.Minute, Verdict: backend.Dead, Silent: time.Minute}), `"why": "silent for its lease"`},
		"the database saw it": {with(elsewhere, backend.Lease{Duration: time.Minute, Verdict: backend.Dead, Silent: time.Second}), `"why": "connection gone"`},
		"it runs":             {with(here, backend.Lease{Duration: time.Minute}), ""},
	} {
		var b strings.Builder
		if err := view.LockJSON(&b, view.LockReport{Holder: tc.holder, Looked: now}); err != nil {
			t.Fatal(err)
		}
		if tc.want != "" && p.Start == "" && strings.Contains(tc.want, "process") {
			continue // this system does not tell processes apart
		}
		if got := b.String(); !strings.Contains(got, tc.want) || tc.want == "" && strings.Contains(got, `"why"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
