//go:build unix

package backend

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ProcessStart identifies a process beyond its number, by the boot and the
// clock tick at which it started (proc(5), field 22 of stat). It is "" where
// there is no /proc.
func ProcessStart(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The name of the program, in parentheses, may hold spaces: count behind it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "/" + fields[19]
}

// processSpace names the PID namespace of this process, "" where there are
// none.
func processSpace() string {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return name
}

func processRuns(p Process) bool {
	if errors.Is(syscall.Kill(p.PID, 0), syscall.ESRCH) {
		return false
	}
	now := ProcessStart(p.PID)
	return p.Start == "" || now == "" || p.Start == now
}
