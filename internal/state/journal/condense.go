package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"esd/internal/state"
)

// absent is the fingerprint of an object that is not recorded.
const absent = "none"

// Fingerprint tells two records of an object apart; o may be nil.
func Fingerprint(o *state.Object) string {
	if o == nil {
		return absent
	}
	data, err := o.MarshalJSON()
	if err != nil {
		return "" // no record that a state has: nothing can be said of it
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// change is what a run did to one address, from its beginning to its end.
type change struct {
	address string
	object  *state.Object // the record at the end; nil for none
	when    string
	prior   string // fingerprint of the record at the beginning; "" if unknown
}

// condense gives one change for each address, in the order in which they were
// first touched.
func condense(entries []Entry) []*change {
	var list []*change
	at := map[string]*change{}
	touch := func(address string, o *state.Object, e *Entry) {
		c := at[address]
		if c == nil {
			c = &change{address: address, prior: e.Prior[address]}
			at[address], list = c, append(list, c)
		}
		c.object, c.when = o, e.When
		if o != nil && o.When != "" {
			c.when = o.When
		}
	}
	for i := range entries {
		e := &entries[i]
		if e.Removed != "" && (e.Object == nil || e.Object.Address != e.Removed) {
			touch(e.Removed, nil, e)
		}
		if e.Object != nil {
			touch(e.Object.Address, e.Object, e)
		}
	}
	return list
}

// belongs reports whether a change is to be taken over into a state, given the
// one that was recorded before any journal; or that the state has it already.
// current says that the state has not moved on since the run began.
func (c *change) belongs(now, given *state.State, current bool) (take, known bool) {
	recorded := now.Get(c.address)
	switch {
	case recorded.Equal(c.object):
		return false, true
	case current:
		// The state is the one from which the run started, or an older one.
		return true, false
	case c.prior != "":
		before := recorded
		if given != nil {
			before = given.Get(c.address)
		}
		return c.prior == Fingerprint(recorded) || c.prior == Fingerprint(before), false
	}
	// A journal of an older version, which kept times only.
	return recorded == nil && c.object != nil || recorded != nil && !later(recorded.When, c.when), false
}

// later reports whether a is surely after b.
func later(a, b string) bool {
	ta, errA := time.Parse(time.RFC3339, a)
	tb, errB := time.Parse(time.RFC3339, b)
	return errA == nil && errB == nil && ta.After(tb)
}
