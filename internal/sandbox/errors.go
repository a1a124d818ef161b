package sandbox

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrTimeout means that the command ran longer than Spec.Timeout and was ended.
	ErrTimeout = errors.New("the command ran out of time")
	// ErrCanceled means that the context ended and the command was ended with it.
	ErrCanceled = errors.New("the command was interrupted")
	// ErrDiskLimit means that the command wrote more than Spec.DiskLimit and was ended.
	ErrDiskLimit = errors.New("the command wrote more than its disk limit")
	// ErrUnavailable means that this machine cannot do what was asked; the text around it says why.
	ErrUnavailable = errors.New("not available on this machine")
	// ErrLost means that the supervisor of the command died without saying how the command ended. Without a
	// process namespace a command can kill its supervisor.
	ErrLost = errors.New("the supervisor of the command was killed")
)

// ExitError says how a command failed that was started and ended by itself.
type ExitError struct {
	Command string         // the program, Argv[0]
	Code    int            // exit status; 128+signal when a signal ended it, as a shell counts
	Signal  syscall.Signal // the signal that ended it, or 0
}

// Error says the program, and its exit status or the signal that ended it.
func (e *ExitError) Error() string {
	if e.Signal != 0 {
		return fmt.Sprintf("%s was ended by signal %d (%s)", e.Command, int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("%s failed with exit status %d", e.Command, e.Code)
}

// SetupError says which step of preparing the sandbox failed. The command was not started.
type SetupError struct {
	Step string // what was tried, in words
	Err  error  // the kernel's answer
}

// Error says the step and the answer of the kernel.
func (e *SetupError) Error() string { return fmt.Sprintf("sandbox: cannot %s: %v", e.Step, e.Err) }

// Unwrap yields the answer of the kernel.
func (e *SetupError) Unwrap() error { return e.Err }

// RootLengthError says that a prefix root is so short that no writable directory has a name of that length.
type RootLengthError struct {
	Prefix string   // the configured prefix root
	Need   int      // the shortest length in bytes that works here, or 0 if nothing is writable at all
	Tried  []string // the directories that were looked at, each with what was wrong
}

// Error says what is too short, why length matters, and which length would do.
func (e *RootLengthError) Error() string {
	msg := fmt.Sprintf("the prefix root %q has %d bytes; without mount namespaces a build happens in a real directory "+
		"whose name is exactly as long, and there is none", e.Prefix, len(e.Prefix))
	if e.Need > len(e.Prefix) {
		msg += fmt.Sprintf(": the prefix root is too short, configure one of at least %d bytes", e.Need)
	}
	for i, t := range e.Tried {
		if i == 0 {
			msg += " (tried "
		} else {
			msg += "; "
		}
		msg += t
	}
	if len(e.Tried) > 0 {
		msg += ")"
	}
	return msg
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *RootLengthError) Is(target error) bool { return target == ErrUnavailable }
