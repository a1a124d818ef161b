package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"esd/internal/addr"
	"esd/internal/providers"
)

// NoSuchObjectError refuses an option that names nothing.
type NoSuchObjectError struct {
	Option string
	Target addr.Target
	Known  []string
}

func (e *NoSuchObjectError) Error() string {
	msg := fmt.Sprintf("%s %s names nothing in the configuration or the state", e.Option, e.Target)
	if s := Suggest(e.Target.String(), e.Known); s != "" {
		return msg + "; did you mean " + s + "?"
	}
	return msg + "; `esd state list` and `esd graph` show the addresses"
}

// Suggest finds the name that was probably meant; empty if none is near.
func Suggest(written string, known []string) string {
	best, score := "", 0.0
	for _, k := range known {
		if s := levenshtein.Match(written, k, nil); s > score {
			best, score = k, s
		}
	}
	if score < 0.75 {
		return ""
	}
	return best
}

// UnpinnedError says that something mutable is not pinned by the lock file.
type UnpinnedError struct {
	Address addr.Address
	Pins    []providers.Pin
}

func (e *UnpinnedError) Error() string {
	var what []string
	for _, pin := range e.Pins {
		if pin.Image != "" {
			what = append(what, fmt.Sprintf("base image %q", pin.Image))
			continue
		}
		what = append(what, fmt.Sprintf("ref %q of %s", pin.Ref, pin.Repository))
	}
	slices.Sort(what)
	return fmt.Sprintf("%s names the %s, which the lock file does not pin: run `esd lock` and commit what it writes",
		e.Address, strings.Join(what, " and the "))
}

// UnlockedError says that an environment has no lock that fits its inputs.
type UnlockedError struct {
	Address addr.Address
	Why     string
}

func (e *UnlockedError) Error() string {
	return fmt.Sprintf("%s is not locked: %s; run `esd lock` and commit what it writes", e.Address, e.Why)
}

// PreventedError refuses a plan that would destroy what is protected.
type PreventedError struct{ Addresses []string }

func (e *PreventedError) Error() string {
	return fmt.Sprintf("%s would be destroyed, but prevent_destroy protects it: set prevent_destroy = false and apply that first, "+
		"or use a `removed` block with `lifecycle { destroy = false }` to only forget it", strings.Join(e.Addresses, ", "))
}

// MoveCycleError refuses moved blocks that lead back to where they began.
type MoveCycleError struct {
	// Path is the circle: its first address is its last one too.
	Path []string
}

func (e *MoveCycleError) Error() string {
	return fmt.Sprintf("the moved blocks run in a circle (%s), so that every plan would move the same objects again: remove one of them, "+
		"or use `esd state mv` to exchange addresses once", strings.Join(e.Path, " → "))
}

// ConflictError says that two objects claim a place that only one can have.
type ConflictError struct {
	Place         string
	First, Second addr.Address
}

func (e *ConflictError) Error() string {
	if e.First == e.Second {
		return fmt.Sprintf("%s names %s twice: remove one of them", e.First, e.Place)
	}
	return fmt.Sprintf("both %s and %s go to %s, so that each apply would overwrite one with the other: give one of them another place",
		e.First, e.Second, e.Place)
}

// ObserveError says that it could not be found out what exists.
type ObserveError struct {
	Kind string
	Err  error
}

func (e *ObserveError) Error() string {
	return fmt.Sprintf("cannot find out what exists (%s): %v", e.Kind, e.Err)
}
func (e *ObserveError) Unwrap() error { return e.Err }
