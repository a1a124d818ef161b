package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is one line of the machine's table of processes.
type process struct {
	pid, parent, session int
	dead                 bool // it has ended and only waits to be asked how
}

// processes reads the table of processes from /proc; without it there are none.
func processes() []process {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	all := make([]process, 0, len(names))
	for _, name := range names {
		// A process that has ended since cannot be read any more.
		if data, err := os.ReadFile(name); err == nil {
			if p, ok := parseStat(data); ok {
				all = append(all, p)
			}
		}
	}
	return all
}

// parseStat reads /proc/PID/stat, see proc(5).
func parseStat(data []byte) (process, bool) {
	// The second field is the name of the program in parentheses and may contain anything, parentheses too.
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(data[:open])))
	f := bytes.Fields(data[end+1:])
	if err != nil || len(f) < 4 {
		return process{}, false
	}
	parent, err1 := strconv.Atoi(string(f[1]))
	session, err2 := strconv.Atoi(string(f[3]))
	state := f[0][0]
	return process{pid, parent, session, state == 'Z' || state == 'X'}, err1 == nil && err2 == nil
}

// killSession kills all processes of a session. The caller makes sure that its number is not given to another
// one meanwhile.
func killSession(session int) {
	for range 100 { // what forks while it is looked for is found the next time
		alive := false
		for _, p := range processes() {
			if p.session == session && !p.dead {
				alive = true
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
		if !alive {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}
