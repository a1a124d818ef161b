package workspace

import (
	"esd/internal/state"
	"esd/internal/state/backend"
)

// NoticeLeaseNotRenewed: the heartbeats of a run did not get through.
const NoticeLeaseNotRenewed = "lease-not-renewed"

// tellDoubt tells, before what was done is recorded, that others may have taken
// the lock for that of a dead holder: what follows may fail for that.
func (s *session) tellDoubt(notice func(state.Notice)) {
	doubter, ok := s.lock.(backend.Doubter)
	if !ok || notice == nil {
		return
	}
	if err := doubter.Doubt(); err != nil {
		notice(state.Notice{
			Kind: NoticeLeaseNotRenewed, Summary: "The lease on the lock could not be renewed",
			Detail: err.Error() + ". Another run may have taken the lock over; what was done is recorded only where none has.",
		})
	}
}
