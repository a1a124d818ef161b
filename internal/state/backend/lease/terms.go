// Package lease is what the leases of all locks have in common: their terms,
// the heartbeat of a holder, and the watch that others keep over it.
//
// No clock is compared with another one. A holder changes something that others
// can see (its sign) at each heartbeat; others take it for dead when they have
// looked at the same sign for the whole lease by their own clock. So a clock
// that is wrong by a day costs nobody a lock, and frees none.
//
// A lease alone does not make writing safe: a holder that sleeps through its end
// does not know. Each backend therefore fences its writes besides.
package lease

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
)

// Terms are the terms of a lease. The zero value is the default.
type Terms struct {
	// Duration is how long a silent holder keeps its lock.
	Duration time.Duration
	// Beat is the time between two heartbeats.
	Beat time.Duration
}

// The default terms. A heartbeat may fail three times in a row before the lock
// is lost.
const (
	DefaultDuration = time.Minute
	beats           = 4
)

// OrDefault completes the terms.
func (t Terms) OrDefault() Terms {
	if t.Duration <= 0 {
		t.Duration = DefaultDuration
	}
	if t.Beat <= 0 {
		t.Beat = t.Duration / beats
	}
	return t
}

// AttributeName is the attribute of state blocks that sets the duration.
const AttributeName = "lease"

// shortest is the shortest lease that can be set: less would be lost to the
// scheduler of a busy machine.
const shortest = 2 * time.Second

// Attribute is that attribute, for the blocks of all kinds whose locks have
// leases. otherwise is the duration where none is set.
func Attribute(otherwise time.Duration) backend.Attribute {
	return backend.Attribute{
		Attribute: schema.Attribute{
			Name: AttributeName, Type: cty.String,
			Doc: fmt.Sprintf("How long the lock of a run that has died stays: after that the next run takes it over. "+
				"A run renews its lease four times in this while. At least `%s`; default `%s`.", shortest, otherwise),
			Check: check,
		},
		Variables: []string{"ESD_STATE_LEASE"},
	}
}

func check(v cty.Value) error {
	d, err := schema.ParseDuration(v.AsString())
	if err == nil && d < shortest {
		err = fmt.Errorf("a lease lasts %s at least", shortest)
	}
	return err
}

// TermsOf reads the terms from the settings of a state block.
func TermsOf(s backend.Settings, otherwise time.Duration) Terms {
	d, err := schema.ParseDuration(s.String(AttributeName))
	if err != nil {
		d = otherwise
	}
	return Terms{Duration: d}.OrDefault()
}
