package plan

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrStale is wrapped by the error that refuses a saved plan because the
// world moved on.
var ErrStale = errors.New("the saved plan is stale")

// StaleError says what a saved plan rested on and has moved since.
type StaleError struct {
	// Then is the version of the state that the plan was made against, Now the
	// one that there is.
	Then, Now StateID
	// Shifts are the objects that have moved, those first that moved by
	// themselves. None where the state as a whole is another one.
	Shifts []Shift
	// Problem says what is wrong with the state as a whole.
	Problem string
}

// Shift is one thing that a plan rested on and that is another one now.
type Shift struct {
	// Address is of the object, or "output NAME".
	Address string
	// What says in words what moved.
	What string
	// derived tells that it moved because another object did.
	derived bool
}

func (e *StaleError) Error() string {
	if e.Problem != "" {
		return fmt.Sprintf("%v: %s; plan again", ErrStale, e.Problem)
	}
	lines := make([]string, 0, len(e.Shifts))
	for _, s := range e.Shifts {
		lines = append(lines, s.Address+": "+s.What)
	}
	if more := len(lines) - maxShifts; more > 1 {
		lines = append(lines[:maxShifts], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%v: what it rests on has moved since it was made%s:\n  %s\nplan again",
		ErrStale, e.serials(), strings.Join(lines, "\n  "))
}

// maxShifts is how many objects the message names.
const maxShifts = 8

// Unwrap lets errors.Is find [ErrStale].
func (e *StaleError) Unwrap() error { return ErrStale }

func (e *StaleError) serials() string {
	if e.Then == e.Now {
		return ""
	}
	return fmt.Sprintf(" (serial %d → %d)", e.Then.Serial, e.Now.Serial)
}

func (id StateID) String() string {
	if id.Lineage == "" {
		return "no state"
	}
	return fmt.Sprintf("serial %d of state %s", id.Serial, id.Lineage[:min(len(id.Lineage), 8)])
}

// checkSuccession refuses to do a plan on a state that does not come after the
// one that it was made against. Where there was none, whatever has come into
// being since is compared object by object.
func checkSuccession(then, now StateID) error {
	problem := ""
	switch {
	case then.Lineage == "":
	case now.Lineage == "":
		problem = fmt.Sprintf("it was made against %s, and there is no state now", then)
	case now.Lineage != then.Lineage:
		problem = fmt.Sprintf("it was made against %s, and there is %s now, which is another state altogether", then, now)
	case now.Serial < then.Serial:
		problem = fmt.Sprintf("it was made against %s, but the state went backward to serial %d: perhaps a backup was put back", then, now.Serial)
	}
	if problem == "" {
		return nil
	}
	return &StaleError{Then: then, Now: now, Problem: problem}
}

// sortShifts puts those first that moved by themselves.
func sortShifts(shifts []Shift) {
	slices.SortFunc(shifts, func(a, b Shift) int {
		if a.derived != b.derived {
			if b.derived {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.What, b.What))
	})
}
