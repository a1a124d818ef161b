package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// drainTime bounds the wait for the end of the output after the supervisor is gone. Only a process that escaped
// can still hold the pipe then.
const drainTime = 2 * time.Second

// insideID is the user and group that a command has in a namespace sandbox.
const insideID = 1000

func (s Sandbox) run(ctx context.Context, spec Spec) (Result, error) { return s.job(spec).run(ctx) }

func (s Sandbox) job(spec Spec) *job {
	spec.Memory = clampMemory(spec.Memory)
	cfg := &stageConfig{
		Argv: spec.Argv, Env: spec.Env, Dir: spec.Dir, Memory: spec.Memory, MaxFile: spec.DiskLimit,
	}
	if cfg.Dir == "" {
		cfg.Dir = spec.Root
	}
	j := &job{spec: spec, config: cfg}
	if s.kind == Namespace {
		cfg.Tree = hostTree(spec)
		s.report.isolate(j, spec.Network)
		cfg.UID, cfg.GID = insideID, insideID
	}
	return j
}

func clampMemory(limit int64) int64 {
	if limit > 0 {
		return max(limit, minMemory)
	}
	return 0
}

// isolate chooses the namespaces of a job from what works here.
func (r Report) isolate(j *job, network bool) {
	j.flags = syscall.CLONE_NEWNS
	if !r.MountNS.Works {
		j.flags |= syscall.CLONE_NEWUSER
	}
	if r.PIDNS.Works {
		j.flags |= syscall.CLONE_NEWPID
	}
	if r.extra {
		j.flags |= syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS
		j.config.OwnUTS = true
	}
	if r.NetNS.Works && !network {
		j.flags |= syscall.CLONE_NEWNET
		j.config.OwnNet = true
	}
	j.config.MapUser = r.UserNS.Works
}

// hostTree is the file system of the machine with what spec changes.
func hostTree(spec Spec) *treeConfig {
	home := envValue(spec.Env, "HOME")
	t := &treeConfig{
		Base: "/", Skip: []string{"proc", "dev", "tmp", "run"}, Accounts: true, Home: home,
		Binds: append([]Bind{{Source: spec.RootDir, Target: spec.Root}}, spec.Binds...),
		Private: []privateDir{
			{"/tmp", 0o1777, spec.DiskLimit}, {"/var/tmp", 0o1777, spec.DiskLimit}, {"/run", 0o755, 1 << 20},
		},
	}
	// A socket is writable in a read-only directory, so daemons in /run would answer. What of it is no socket
	// but part of the system stays.
	keep := []string{"/run/current-system", "/run/opengl-driver"}
	if spec.Network {
		keep = append(keep, "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager")
	}
	for _, dir := range keep {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			t.Binds = append(t.Binds, Bind{Source: dir, Target: dir, ReadOnly: true})
		}
	}
	for _, h := range spec.Hide {
		t.Private = append(t.Private, privateDir{h, 0o755, 1 << 20})
	}
	if cleanPath("", home) == nil && home != "/" {
		t.Private = append(t.Private, privateDir{home, 0o700, spec.DiskLimit})
	}
	return t
}

// job is one command with its supervisor.
type job struct {
	spec   Spec // what is watched: time, output, disk
	config *stageConfig
	flags  uintptr // namespaces of the supervisor

	control *os.File
	pid     int // of the supervisor; also the number of its session
}

// outcome is what the supervisor said.
type outcome struct {
	exit *exitReport
	err  error
}

// run starts the supervisor, watches, and collects.
func (j *job) run(ctx context.Context) (Result, error) {
	res := Result{ExitCode: -1}
	if err := ctx.Err(); err != nil {
		return res, fmt.Errorf("%w: %w", ErrCanceled, context.Cause(ctx))
	}
	out := newOutput(j.spec.Stdout, j.spec.LogLimit)
	oomBefore := countOOMKills()
	start := time.Now()
	cmd, pipe, err := j.start()
	if err != nil {
		return res, err
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		// The error is that of a closed pipe: writing to out never fails.
		_, _ = io.CopyBuffer(struct{ io.Writer }{out}, pipe, make([]byte, 64<<10))
	}()
	heard := make(chan outcome, 1)
	go func() { heard <- j.listen() }()
	got, cause := j.watch(ctx, heard)
	j.endSession(got)
	_ = cmd.Wait()
	_ = j.control.Close()
	awaitDrain(drained, pipe)
	res.Duration = time.Since(start)
	res.LogBytes, res.LogTruncated = out.total, out.close()
	res.LogError = out.err
	return j.conclude(res, got, cause, countOOMKills() > oomBefore)
}

// awaitDrain waits for the end of the output, but not for ever.
func awaitDrain(drained <-chan struct{}, pipe *os.File) {
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	}
	_ = pipe.Close() // makes a pending read return
	<-drained
}

// start starts the supervisor and hands it the config.
func (j *job) start() (*exec.Cmd, *os.File, error) {
	cmd, control, err := newStage(j.flags)
	if err != nil {
		return nil, nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		_ = control.Close()
		closeTheirs(cmd)
		return nil, nil, &SetupError{"make a pipe", err}
	}
	cmd.Stdout, cmd.Stderr = w, w
	cmd.ExtraFiles = append(cmd.ExtraFiles, j.spec.Hold...)
	err = cmd.Start()
	_ = w.Close()
	closeTheirs(cmd)
	if err != nil {
		_, _ = control.Close(), r.Close()
		return nil, nil, &SetupError{"start the supervisor", err}
	}
	j.control, j.pid = control, cmd.Process.Pid
	// If the supervisor is dead already, listening says so.
	_ = j.tell(request{Config: j.config})
	return cmd, r, nil
}

// newStage prepares a supervisor in new namespaces, and our end of its control socket.
func newStage(flags uintptr) (*exec.Cmd, *os.File, error) {
	if !hooked.Load() {
		return nil, nil, fmt.Errorf("sandbox: %w: main (or TestMain) must call sandbox.Init first", ErrUnavailable)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &SetupError{"make a socket", err}
	}
	// Non-blocking, so that closing our end wakes a reader.
	_ = unix.SetNonblock(fds[0], true)
	ours, theirs := os.NewFile(uintptr(fds[0]), "control"), os.NewFile(uintptr(fds[1]), "control")
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{stageName}
	// Two threads and no garbage collection are enough for a process that lives to wait.
	cmd.Env = []string{stageVariable + "=1", "GOMAXPROCS=2", "GOGC=off"}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true}
	if flags&syscall.CLONE_NEWUSER != 0 {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd, ours, nil
}

// closeTheirs closes the supervisor's end of the control socket in this process.
func closeTheirs(cmd *exec.Cmd) { _ = cmd.ExtraFiles[0].Close() }

func (j *job) tell(r request) error {
	return json.NewEncoder(j.control).Encode(r)
}

// listen reads what the supervisor says until it says how it ended, or is gone.
func (j *job) listen() outcome {
	dec := json.NewDecoder(j.control)
	for {
		var r stageReport
		if err := dec.Decode(&r); err != nil {
			return outcome{err: ErrLost}
		}
		switch {
		case r.Failure != nil:
			return outcome{err: r.Failure.err()}
		case r.Exit != nil:
			return outcome{exit: r.Exit}
		}
	}
}

// watch waits for the command, and ends it when there is a cause to: SIGTERM to its process group, after the
// grace SIGKILL to everything, after another one SIGKILL to the supervisor.
func (j *job) watch(ctx context.Context, heard <-chan outcome) (outcome, error) {
	var timeout <-chan time.Time
	if j.spec.Timeout > 0 {
		t := time.NewTimer(j.spec.Timeout)
		defer t.Stop()
		timeout = t.C
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	var cause error
	select {
	case got := <-heard:
		return got, nil
	case <-timeout:
		cause = fmt.Errorf("%w (%s)", ErrTimeout, j.spec.Timeout)
	case <-ctx.Done():
		cause = fmt.Errorf("%w: %w", ErrCanceled, context.Cause(ctx))
	case used := <-watchDisk(watching, j.spec):
		cause = fmt.Errorf("%w (%d of %d bytes)", ErrDiskLimit, used, j.spec.DiskLimit)
	}
	grace := j.spec.Grace
	if grace <= 0 {
		grace = defaultGrace
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = j.tell(request{Signal: signal})
		timer := time.NewTimer(grace)
		select {
		case got := <-heard:
			timer.Stop()
			return got, cause
		case <-timer.C:
		}
	}
	_ = syscall.Kill(j.pid, syscall.SIGKILL)
	return <-heard, cause
}

// endSession kills what is left of a command whose supervisor was killed: all of the supervisor's session, but for
// daemons that have left it. With a process namespace the kernel has done that already, and without exception.
// The supervisor has not been waited for yet, so its number cannot belong to anybody else.
func (j *job) endSession(got outcome) {
	if errors.Is(got.err, ErrLost) && j.flags&syscall.CLONE_NEWPID == 0 {
		killSession(j.pid)
	}
}

// conclude makes the result and the error from everything that is known.
func (j *job) conclude(res Result, got outcome, cause error, oomKill bool) (Result, error) {
	if e := got.exit; e != nil {
		res.ExitCode, res.Signal = e.Code, syscall.Signal(e.Signal)
		res.MaxRSS, res.UserTime, res.SystemTime = e.MaxRSS, time.Duration(e.User), time.Duration(e.System)
	}
	res.TimedOut = errors.Is(cause, ErrTimeout)
	failed := got.err != nil || res.ExitCode != 0
	// A request that would go over the limit fails, so the limit itself is never seen; half of it is, when memory is
	// asked for by doubling.
	full := j.spec.Memory > 0 && res.MaxRSS >= j.spec.Memory/2
	res.OOM = failed && cause == nil && (oomKill || full)
	switch {
	case cause != nil:
		return res, cause
	case got.err != nil:
		return res, got.err
	case res.ExitCode != 0:
		return res, &ExitError{Command: j.config.Argv[0], Code: res.ExitCode, Signal: res.Signal}
	}
	return res, nil
}
