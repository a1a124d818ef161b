//go:build unix

package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Exec is the plain [Runner]: it isolates nothing. The command gets a session
// of its own, because signals to Spack alone leave its builds running.
func Exec(ctx context.Context, c Command) (Exit, error) {
	if err := ctx.Err(); err != nil {
		return Exit{Code: -1}, context.Cause(ctx)
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, c.Dir, c.Output, c.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// A process that outlives the group keeps the pipe of the output open.
	cmd.WaitDelay = 5 * time.Second
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return Exit{Code: -1}, fmt.Errorf("starting %s: %w", c.Argv[0], err)
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		endGroup(ctx, cmd.Process.Pid, c.Grace, done)
	}()
	err := cmd.Wait()
	close(done)
	<-ended
	exit := exitOf(cmd)
	exit.Duration = time.Since(started)
	if ctx.Err() != nil {
		return exit, context.Cause(ctx)
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) && !errors.Is(err, exec.ErrWaitDelay) {
		return exit, err
	}
	return exit, nil
}

// endGroup ends a process group when ctx ends, and kills what is left of it
// when its leader has ended.
func endGroup(ctx context.Context, group int, grace time.Duration, done <-chan struct{}) {
	if grace <= 0 {
		grace = defaultGrace
	}
	select {
	case <-ctx.Done():
		_ = syscall.Kill(-group, syscall.SIGTERM)
		select {
		case <-time.After(grace):
		case <-done:
		}
	case <-done:
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
}

func exitOf(cmd *exec.Cmd) Exit {
	state := cmd.ProcessState
	if state == nil {
		return Exit{Code: -1}
	}
	e := Exit{Code: state.ExitCode(), UserTime: state.UserTime(), SystemTime: state.SystemTime()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		e.MaxRSS = int64(usage.Maxrss) * 1024
		if runtime.GOOS == "darwin" { // the one that counts bytes
			e.MaxRSS = int64(usage.Maxrss)
		}
	}
	return e
}
