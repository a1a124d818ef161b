package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// stageName is the name under which the supervisor appears in a list of processes.
	stageName = "esd-sandbox"
	// stageVariable marks, together with the name, a process that was started to be a supervisor.
	stageVariable = "ESD_SANDBOX_STAGE"
	// controlFD is the file descriptor of the socket between program and supervisor.
	controlFD = 3
)

// hooked remembers that Init was called. Without it a supervisor would be a second copy of the whole program.
var hooked atomic.Bool

// Init turns this process into the supervisor of a command if it was started to be one, and then does not
// return. Otherwise it does nothing. It is the first statement of main, and of TestMain in packages whose tests
// run commands:
//
//	func TestMain(m *testing.M) {
//		sandbox.Init()
//		os.Exit(m.Run())
//	}
func Init() {
	hooked.Store(true)
	if len(os.Args) == 0 || os.Args[0] != stageName || os.Getenv(stageVariable) == "" {
		return
	}
	// Privileges and the parent-death signal belong to a thread: everything below happens in this one.
	runtime.LockOSThread()
	// A supervisor has nothing to come back to.
	syscall.Exit(superviseMain())
}

// supervisor is the process between the program and the command.
type supervisor struct {
	in    *json.Decoder
	out   *json.Encoder
	child atomic.Int64 // process id of the command
}

func superviseMain() int {
	closeOnExec()
	// As process 1 of a namespace only signals with a handler arrive; and none of them shall end a supervisor,
	// nor reach the command as ignored because somebody used nohup.
	signal.Notify(make(chan os.Signal, 1))
	control := os.NewFile(controlFD, "control")
	s := &supervisor{in: json.NewDecoder(control), out: json.NewEncoder(control)}
	var req request
	if err := s.in.Decode(&req); err != nil {
		return 1
	}
	if req.Probe {
		return s.answer(stageReport{Probe: tryNamespaces()})
	}
	if req.Config == nil {
		return 1
	}
	if err := s.run(req.Config); err != nil {
		return s.answer(stageReport{Failure: newFailure(err)})
	}
	return 0
}

func (s *supervisor) answer(r stageReport) int {
	if s.out.Encode(r) != nil {
		return 1
	}
	return 0
}

// closeOnExec keeps the command from inheriting what the program itself inherited, a jobserver's pipe say.
func closeOnExec() {
	if unix.CloseRange(controlFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd >= controlFD {
			unix.CloseOnExec(fd)
		}
	}
	unix.CloseOnExec(controlFD)
}

// run prepares, starts the command, and stays until nothing of it is left.
func (s *supervisor) run(cfg *stageConfig) error {
	unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	syscall.Umask(0o022)
	if err := prepare(cfg); err != nil {
		return err
	}
	if programIsGone() {
		return errProgramGone
	}
	pid, err := startCommand(cfg)
	if err != nil {
		return err
	}
	s.child.Store(int64(pid))
	go s.obey()
	exit := waitFor(pid)
	endRest()
	s.answer(stageReport{Exit: exit})
	return nil
}

var errProgramGone = errors.New("the program that wanted the command is gone")

// programIsGone looks whether the other end of the control socket is closed. The config may have been waiting in it
// for long: whoever wrote it may be dead by now, and another program at work where the command would write.
func programIsGone() bool {
	fds := []unix.PollFd{{Fd: controlFD, Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// obey passes signals on until the program is gone, and then ends everything.
func (s *supervisor) obey() {
	for {
		var req request
		if err := s.in.Decode(&req); err != nil {
			endRest()
			syscall.Exit(1)
		}
		switch req.Signal {
		case 0:
		case syscall.SIGKILL:
			killAll()
		default:
			syscall.Kill(-int(s.child.Load()), req.Signal)
		}
	}
}

// waitFor reaps every process that ends until the command itself does.
func waitFor(pid int) *exitReport {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		got, err := syscall.Wait4(-1, &status, 0, &usage)
		if errors.Is(err, syscall.EINTR) || (err == nil && got != pid) {
			continue
		}
		if err != nil {
			return &exitReport{Code: -1}
		}
		r := &exitReport{
			Code: status.ExitStatus(), MaxRSS: int64(usage.Maxrss) << 10,
			User: usage.Utime.Nano(), System: usage.Stime.Nano(),
		}
		if status.Signaled() {
			r.Signal = int(status.Signal())
			r.Code = 128 + r.Signal
		}
		return r
	}
}

// endRest kills what the command left behind and waits until it is gone. Orphans have become children of this
// process, which is process 1 or a subreaper. The kernel would reap for process 1, but close its files before, and
// with them give the locks back that the program holds for as long as anything runs.
func endRest() {
	// Bounded, because a process in an uninterruptible wait on a dead file server never goes.
	for range 1000 {
		got, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.ECHILD) {
			return // no children, hence no orphans either
		}
		if got == 0 {
			killAll()
			time.Sleep(2 * time.Millisecond)
		}
	}
}

// killAll sends SIGKILL to every process below this one.
func killAll() {
	if os.Getpid() == 1 {
		syscall.Kill(-1, syscall.SIGKILL)
		return
	}
	for _, pid := range descendants(os.Getpid()) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// descendants lists all processes below one.
func descendants(of int) []int {
	children := map[int][]int{}
	for _, p := range processes() {
		children[p.parent] = append(children[p.parent], p.pid)
	}
	var all []int
	for queue := children[of]; len(queue) > 0; queue = queue[1:] {
		all = append(all, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return all
}
