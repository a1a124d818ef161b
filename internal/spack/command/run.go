package command

import (
	"context"
	"errors"
	"io"
	"syscall"
	"time"
)

// Command is one run of a program, ready for whoever isolates it.
type Command struct {
	Argv []string
	Env  []string // all of it
	Dir  string
	// Output gets what the program prints, standard output and standard error in
	// one stream as they come.
	Output io.Writer
	// Writes are the directories that the command must be able to write, Reads
	// those that it must see beside the system's own. All exist.
	Writes, Reads []string
	// Grace is the time between asking the command to end and killing it, when the
	// context ends.
	Grace time.Duration
}

// Exit is how a command ended, and what it took.
type Exit struct {
	Code int // -1 when a signal ended it
	// Signal is what ended it, or 0.
	Signal syscall.Signal
	// OutOfMemory: who ran it knows that memory was the reason.
	OutOfMemory bool
	Duration    time.Duration
	// UserTime, SystemTime and MaxRSS (bytes, of the largest process) are of the
	// command and all that it waited for.
	UserTime, SystemTime time.Duration
	MaxRSS               int64
}

// Runner runs a command and everything that it starts, and returns when all of
// it has ended. The command has no terminal and nothing to read. When ctx ends,
// all of it gets SIGTERM, and SIGKILL after Grace. The error is for commands
// that could not be started, and for ctx; a command that fails is no error.
type Runner func(ctx context.Context, c Command) (Exit, error)

const defaultGrace = 10 * time.Second

// errDeadline and errSilence end a context when a limit of the caller is
// reached, so that they can be told from the caller's own wish to end.
var (
	errDeadline = errors.New("time limit")
	errSilence  = errors.New("silence limit")
)

// watch ends ctx when limit has passed, or when nothing was written to the
// writer that it returns for as long as silence. Zero is no limit.
func watch(ctx context.Context, limit, silence time.Duration, out io.Writer) (context.Context, io.Writer, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	var timers []*time.Timer
	if limit > 0 {
		timers = append(timers, time.AfterFunc(limit, func() { cancel(errDeadline) }))
	}
	if silence > 0 {
		t := time.AfterFunc(silence, func() { cancel(errSilence) })
		timers = append(timers, t)
		out = &attentive{out, t, silence}
	}
	return ctx, out, func() {
		for _, t := range timers {
			t.Stop()
		}
		cancel(nil)
	}
}

// attentive puts off a timer whenever something is written.
type attentive struct {
	io.Writer
	timer   *time.Timer
	silence time.Duration
}

// Write implements io.Writer.
func (a *attentive) Write(p []byte) (int, error) {
	a.timer.Reset(a.silence)
	return a.Writer.Write(p)
}
