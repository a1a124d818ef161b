package lease

import (
	"fmt"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// NoticeTakenOver is the kind of the notice that a lock was that of somebody
// else, who is dead.
const NoticeTakenOver = "lock-taken-over"

// TakenOver tells of a lock that was taken over, in words that say how it is
// known that its holder is dead: Lease.Silent of the holder is for how long it
// was watched.
func TakenOver(holder backend.LockInfo) state.Notice {
	how, ended := "whose process is gone", "and ended without giving the lock back."
	if l := holder.Lease; l.Duration > 0 && l.Silent >= l.Duration {
		how = fmt.Sprintf("which was silent for %s", l.Silent.Round(time.Second))
		ended = fmt.Sprintf("and has not renewed its lease of %s. Should it wake up, it cannot write any more.", l.Duration)
	}
	return state.Notice{
		Kind:    NoticeTakenOver,
		Summary: fmt.Sprintf("Took over the lock of %s, %s", holder.Who, how),
		Detail: fmt.Sprintf("It had run %q since %s (lock ID %s) %s",
			holder.Operation, holder.Created.UTC().Format(time.RFC3339), holder.ID, ended),
	}
}
