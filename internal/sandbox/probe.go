package sandbox

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// Level is one thing that a machine may allow.
type Level struct {
	Name    string
	Works   bool
	Reason  string // why not, in words, and where known how to change it
	Version string // of a program, or what it is limited to
}

// Report says what this machine allows to this user.
type Report struct {
	Kernel     string // system and release
	UserNS     Level  // user namespaces, with mounts inside
	MountNS    Level  // mount namespaces without a user namespace: root only
	PIDNS      Level  // an own process tree
	NetNS      Level  // an own network
	Chroot     Level  // chroot(2) without any namespace: root only
	Bubblewrap Level  // the program bwrap; informational
	Proot      Level  // the program proot; informational

	// extra says that host name and IPC can be private, proc that a private /proc can be mounted.
	extra, proc bool
}

// Levels lists all levels in a fixed order, for showing.
func (r Report) Levels() []Level {
	return []Level{r.UserNS, r.MountNS, r.PIDNS, r.NetNS, r.Chroot, r.Bubblewrap, r.Proot}
}

// namespaces says whether a namespace sandbox works, or why not.
func (r Report) namespaces() (bool, string) {
	if r.UserNS.Works || r.MountNS.Works {
		return true, ""
	}
	return false, "no user namespace (" + r.UserNS.Reason + ")"
}

// probed keeps the answer for the lifetime of the process: the kernel does not change its mind in between, and
// a plan asks more than once.
var probed struct {
	sync.Mutex
	report *Report
}

// Probe tries what this machine allows, once in a process; later calls get the same answer. It starts one short
// process, and a few more only where the first one is refused. If ctx ends meanwhile the report says so in its
// reasons and is not kept.
func Probe(ctx context.Context) Report {
	probed.Lock()
	defer probed.Unlock()
	if probed.report != nil {
		return *probed.report
	}
	r := probe(ctx)
	r.Bubblewrap = probeProgram(ctx, "bwrap")
	r.Proot = probeProgram(ctx, "proot")
	if ctx.Err() == nil {
		probed.report = &r
	}
	return r
}

// probeProgram looks a program up and asks for its version, the one word of its answer that begins with a digit.
func probeProgram(ctx context.Context, name string) Level {
	l := Level{Name: name}
	path, err := exec.LookPath(name)
	if err != nil {
		l.Reason = "not found in PATH"
		return l
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.Reason = path + " --version: " + err.Error()
		return l
	}
	l.Works = true
	for _, word := range strings.Fields(string(out)) {
		if v := strings.TrimPrefix(word, "v"); v != "" && v[0] >= '0' && v[0] <= '9' {
			l.Version = strings.TrimRight(v, ",:;")
			break
		}
	}
	return l
}
