//go:build unix && !linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Init does nothing here: only on Linux a command has a supervisor.
func Init() {}

func probe(context.Context) Report {
	level := func(name string) Level { return Level{Name: name, Reason: "only Linux has it"} }
	return Report{
		Kernel: runtime.GOOS, UserNS: level("userns"), MountNS: level("mountns"), PIDNS: level("pidns"),
		NetNS: level("netns"), Chroot: level("chroot"),
	}
}

func (s RootSpec) run(context.Context, int, int) (Result, error) {
	return Result{ExitCode: -1}, fmt.Errorf("running a command of an image is %w: it needs Linux", ErrUnavailable)
}

// run runs the command in a process group of its own, which is killed at the end. Memory limits, and an end with
// the program that started it, are not to be had here.
func (s Sandbox) run(ctx context.Context, spec Spec) (Result, error) {
	watching, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if spec.Timeout > 0 {
		t := time.AfterFunc(spec.Timeout, func() { stop(fmt.Errorf("%w (%s)", ErrTimeout, spec.Timeout)) })
		defer t.Stop()
	}
	go func() {
		select {
		case used := <-watchDisk(watching, spec):
			stop(fmt.Errorf("%w (%d of %d bytes)", ErrDiskLimit, used, spec.DiskLimit))
		case <-watching.Done():
		}
	}()
	out := newOutput(spec.Stdout, spec.LogLimit)
	cmd := exec.CommandContext(watching, spec.Argv[0], spec.Argv[1:]...)
	cmd.Dir, cmd.Env = spec.Dir, append([]string{}, spec.Env...)
	if cmd.Dir == "" {
		cmd.Dir = spec.Root
	}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = spec.Grace
	if cmd.WaitDelay <= 0 {
		cmd.WaitDelay = defaultGrace
	}
	start := time.Now()
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	res := Result{ExitCode: -1, Duration: time.Since(start), LogBytes: out.total, LogTruncated: out.close(), LogError: out.err}
	return concludePlain(res, cmd, err, watching, ctx)
}

func concludePlain(res Result, cmd *exec.Cmd, err error, watching, ctx context.Context) (Result, error) {
	if p := cmd.ProcessState; p != nil {
		res.UserTime, res.SystemTime, res.ExitCode = p.UserTime(), p.SystemTime(), p.ExitCode()
		if usage, ok := p.SysUsage().(*syscall.Rusage); ok {
			res.MaxRSS = int64(usage.Maxrss)
		}
		if status, ok := p.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			res.Signal, res.ExitCode = status.Signal(), 128+int(status.Signal())
		}
	}
	var failed *exec.ExitError
	switch cause := context.Cause(watching); {
	case ctx.Err() != nil:
		return res, fmt.Errorf("%w: %w", ErrCanceled, context.Cause(ctx))
	case cause != nil:
		res.TimedOut = errors.Is(cause, ErrTimeout)
		return res, cause
	case errors.As(err, &failed):
		return res, &ExitError{Command: cmd.Args[0], Code: res.ExitCode, Signal: res.Signal}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return res, &SetupError{"start the command", err}
	}
	return res, nil
}
