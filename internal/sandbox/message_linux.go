package sandbox

import (
	"errors"
	"syscall"
)

// request is what the program tells the supervisor: first a config or a probe, then signals. JSON, one after
// the other; the end of the stream means that the program is gone.
type request struct {
	Config *stageConfig   `json:",omitempty"`
	Probe  bool           `json:",omitempty"`
	Signal syscall.Signal `json:",omitempty"` // to the process group; SIGKILL: to all
}

// stageConfig is all that the supervisor needs to know.
type stageConfig struct {
	Tree    *treeConfig // nil: the file system of the machine as it is
	Chroot  string      // directory to enter instead of a Tree
	Argv    []string
	Env     []string
	Dir     string
	UID     int
	GID     int
	MapUser bool // start the command in a user namespace in which the supervisor's user is UID
	SetUser bool // otherwise: become UID and GID
	OwnNet  bool
	OwnUTS  bool
	Memory  int64
	MaxFile int64
}

// treeConfig describes the file system that a command sees.
type treeConfig struct {
	Base     string   // directory whose entries are shown at /
	Writable bool     // entries of Base may be changed
	Skip     []string // entries of Base that are not shown
	Binds    []Bind
	Private  []privateDir
	Accounts bool   // show an /etc/passwd and /etc/group with only the users that exist inside
	Home     string // for these accounts
	// Old avoids mount_setattr(2) and Move avoids pivot_root(2), as on old kernels and in an initial ramdisk.
	// Tests set them; otherwise the kernel's refusal decides.
	Old, Move bool
}

// privateDir is a fresh, empty, writable directory.
type privateDir struct {
	Path string
	Mode uint32
	Size int64 // bytes; 0: what the kernel gives, half the memory
}

// stageReport is what the supervisor answers.
type stageReport struct {
	Exit    *exitReport  `json:",omitempty"`
	Failure *failure     `json:",omitempty"`
	Probe   *probeReport `json:",omitempty"`
}

// exitReport says how the command ended. Times are nanoseconds, memory bytes.
type exitReport struct {
	Code, Signal         int
	MaxRSS, User, System int64
}

// failure carries a setup error between processes; the number keeps errors.Is working.
type failure struct {
	Step  string
	Text  string
	Errno syscall.Errno
}

// probeReport has for each thing that was tried what the kernel answered, empty if it worked.
type probeReport struct {
	Mount, Proc, Net, Nested string
	MountErrno               syscall.Errno
}

func newFailure(err error) *failure {
	f := &failure{Step: "start the command", Text: err.Error()}
	var setup *SetupError
	if errors.As(err, &setup) {
		f.Step, f.Text = setup.Step, setup.Err.Error()
	}
	errors.As(err, &f.Errno)
	return f
}

func (f *failure) err() error {
	if f.Errno != 0 && f.Text == f.Errno.Error() {
		return &SetupError{Step: f.Step, Err: f.Errno}
	}
	if f.Errno != 0 {
		return &SetupError{Step: f.Step, Err: &remoteError{f.Text, f.Errno}}
	}
	return &SetupError{Step: f.Step, Err: errors.New(f.Text)}
}

// remoteError has the text of an error of the supervisor and unwraps to its number.
type remoteError struct {
	text  string
	errno syscall.Errno
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.errno }
