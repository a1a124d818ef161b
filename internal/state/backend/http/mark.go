package httpstate

import (
	"fmt"
	"strconv"
	"time"

	"esd/internal/state"
)

// A lock ID is all that every server tells of a holder. So an ID says itself
// that its holder has a lease and how long that is: it is a UUID of version 8,
// whose content is free (RFC 9562, section 5.8), with "e5d" behind the version
// and the seconds of the lease in its last four digits. The document of the
// lease follows the lock a moment later. If the holder dies in that moment, the
// lock is known all the same to be one that ends.
const (
	mark       = "8e5d"
	markAt     = 14 // of the third group in the text of a UUID
	secondsAt  = 32
	maxSeconds = 1<<16 - 1
)

// marked is the ID of a lock with a lease. The same ID gives the same result,
// so that a request can be repeated.
func marked(id string, lease time.Duration) string {
	if !state.IsID(id) {
		return id
	}
	seconds := min((lease+time.Second-1)/time.Second, maxSeconds)
	return id[:markAt] + mark + id[markAt+len(mark):secondsAt] + fmt.Sprintf("%04x", int(seconds))
}

// leaseOf returns the lease of a lock by its ID, false where it has none.
func leaseOf(id string) (time.Duration, bool) {
	if !state.IsID(id) || id[markAt:markAt+len(mark)] != mark {
		return 0, false
	}
	seconds, err := strconv.ParseUint(id[secondsAt:], 16, 16)
	if err != nil || seconds == 0 {
		return 0, false
	}
	return time.Duration(seconds) * time.Second, true
}
