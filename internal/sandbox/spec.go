package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// defaultGrace is the time between SIGTERM and SIGKILL when a command has to end.
const defaultGrace = 5 * time.Second

// minMemory is the smallest memory limit: the command is started under it by a process of several MiB.
const minMemory = 64 << 20

// Spec says what to run and what of the machine it may change.
type Spec struct {
	// Root is the prefix root as the command sees it: [Root.Path].
	Root string
	// RootDir is the directory of the machine behind Root: [Root.Dir]. The command may write there.
	RootDir string
	// Binds are further directories or files. Missing mount points are made, inside RootDir too.
	// A bind on /tmp or on $HOME takes the place of the private directory there.
	Binds []Bind
	// Hide are directories of the machine that shall be empty for the command. Binds inside them stay visible.
	Hide []string
	// Dir is the working directory, as the command sees it; empty means Root.
	Dir string
	// Argv is the program and its arguments. A program without a slash is searched in the PATH of Env.
	Argv []string
	// Env is the whole environment, NAME=VALUE; nothing is inherited.
	Env []string
	// Network leaves the command the network of the machine.
	Network bool
	// Timeout ends the command after this time; 0 means never.
	Timeout time.Duration
	// Grace is the time between SIGTERM and SIGKILL; 0 means five seconds.
	Grace time.Duration
	// Stdout gets standard output and standard error as they come; nil drops them. It is written to by one
	// goroutine, and not after Run has returned.
	Stdout io.Writer
	// LogLimit is the largest number of bytes that Stdout gets, but for one line that says what was dropped:
	// the beginning as it comes and, at the end, the last lines. 0 means no limit.
	LogLimit int64
	// Memory limits the private memory of each process, in bytes (RLIMIT_DATA, which counts what a process can
	// write and not what it only reserves). 0 means no limit; less than 64 MiB counts as 64 MiB.
	Memory int64
	// DiskLimit limits, in bytes, each file (RLIMIT_FSIZE), each private temporary file system and, looked at
	// from time to time, all of RootDir that this command adds. 0 means no limit.
	DiskLimit int64
	// Hold are files that stay open until nothing of the command is left, even when this program is killed before:
	// a lock (flock(2)) on one keeps the next program away for as long. The command does not see them. Only Linux
	// has that.
	Hold []*os.File
}

// Bind shows a file or directory of the machine to the command.
type Bind struct {
	Source   string // on the machine
	Target   string // as the command sees it
	ReadOnly bool
}

// Result says how a command ended and what it took.
type Result struct {
	ExitCode     int            // as in [ExitError]; -1 if the command never ended by itself or was never started
	Signal       syscall.Signal // the signal that ended it, or 0
	TimedOut     bool
	Duration     time.Duration
	MaxRSS       int64 // bytes; of the largest process. The supervisor's own few MiB are the least that is ever seen
	UserTime     time.Duration
	SystemTime   time.Duration
	LogBytes     int64 // bytes the command printed
	LogTruncated bool  // LogLimit cut some of it
	LogError     error // Stdout refused bytes; the command went on
	OOM          bool  // it failed, and the kernel killed for memory meanwhile or it used over half its memory limit
}

// validate finds what is wrong before anything starts.
func (s Spec) validate() error {
	var errs []error
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		errs = append(errs, errors.New("no command given"))
	}
	errs = append(errs, cleanPath("prefix root", s.Root), cleanPath("directory of the prefix root", s.RootDir))
	if s.Root == "/" {
		errs = append(errs, errors.New("the prefix root must not be /"))
	}
	if s.Dir != "" {
		errs = append(errs, cleanPath("working directory", s.Dir))
	}
	for _, b := range s.Binds {
		errs = append(errs, cleanPath("source of a bind", b.Source), cleanPath("target of a bind", b.Target))
		if b.Target == "/" {
			errs = append(errs, errors.New("a bind must not cover /"))
		}
	}
	for _, h := range s.Hide {
		errs = append(errs, cleanPath("hidden directory", h))
		if h == "/" {
			errs = append(errs, errors.New("/ cannot be hidden"))
		}
	}
	errs = append(errs, validEnv(s.Env))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return nil
}

// cleanPath wants an absolute path in its shortest form: the comparison of paths below relies on it.
func cleanPath(what, path string) error {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsRune(path, 0) {
		return fmt.Errorf("%s %q is not a clean absolute path", what, path)
	}
	return nil
}

func validEnv(env []string) error {
	for _, e := range env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsRune(e, 0) {
			return fmt.Errorf("%q is not NAME=VALUE", e)
		}
	}
	return nil
}

// envValue yields the last value of a name, which is the one that shells take.
func envValue(env []string, name string) string {
	value := ""
	for _, e := range env {
		if n, v, _ := strings.Cut(e, "="); n == name {
			value = v
		}
	}
	return value
}
