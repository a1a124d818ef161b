package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// countOOMKills says how many processes the kernel has killed for memory in our control group or, where that
// does not tell, on the machine. Only the difference of two calls means something.
func countOOMKills() int64 {
	data, _ := os.ReadFile("/proc/self/cgroup")
	for line := range bytes.Lines(data) {
		f := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(f) != 3 {
			continue
		}
		var files []string
		switch {
		case f[0] == "0": // version 2; hierarchical
			files = []string{filepath.Join("/sys/fs/cgroup", f[2], "memory.events")}
		case f[1] == "memory":
			files = []string{
				filepath.Join("/sys/fs/cgroup/memory", f[2], "memory.oom_control"),
				"/sys/fs/cgroup/memory/memory.oom_control", // a container sees its own group at the top
			}
		}
		for _, file := range files {
			if n, ok := readCounter(file, "oom_kill"); ok {
				return n
			}
		}
	}
	n, _ := readCounter("/proc/vmstat", "oom_kill")
	return n
}

// readCounter reads a line "name number" of a file.
func readCounter(file, name string) (int64, bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(data) {
		if f := strings.Fields(string(line)); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
