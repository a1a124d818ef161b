package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wantNoProcess expects that no process is left that has anything to do with
// a directory: not in its command line, its environment or its working
// directory, nor mounted in what it sees of the file system. Those that are
// being killed get a moment to go.
func wantNoProcess(t testing.TB, dir string) {
	t.Helper()
	var left []string
	for range 100 {
		if left = processesAbout(dir); len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("processes have survived:\n%s", strings.Join(left, "\n"))
}

func processesAbout(dir string) []string {
	var found []string
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range all {
		if filepath.Base(p) == fmt.Sprint(os.Getpid()) {
			continue
		}
		text := ""
		for _, link := range []string{"cwd", "root", "exe"} {
			to, _ := os.Readlink(filepath.Join(p, link))
			text += to + "\n"
		}
		cmdline, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(p, "environ"))
		mounts, _ := os.ReadFile(filepath.Join(p, "mountinfo"))
		if strings.Contains(text+string(cmdline)+string(environ)+string(mounts), dir) && !isDead(p) {
			found = append(found, filepath.Base(p)+" "+string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// isDead tells of processes that only wait to be asked how they have ended.
func isDead(proc string) bool {
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}
