package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"esd/internal/addr"
	"esd/internal/apply"
)

// RunLogs are the logs that one run left.
type RunLogs struct {
	Run  string
	Dir  string
	Logs []LogFile // in the order in which they were last written
}

// LogFile is the log of one step.
type LogFile struct {
	Name string
	Path string
	Size int64
}

// Runs lists the runs that left logs, the oldest first.
func (w *Workspace) Runs() ([]RunLogs, error) {
	entries, err := os.ReadDir(w.LogDir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var runs []RunLogs
	for _, e := range entries { // names begin with the time
		if !e.IsDir() {
			continue
		}
		run := RunLogs{Run: e.Name(), Dir: filepath.Join(w.LogDir(), e.Name())}
		if run.Logs, err = logFiles(run.Dir); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func logFiles(dir string) ([]LogFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type dated struct {
		LogFile
		when int64
	}
	var list []dated
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasSuffix(e.Name(), ".log") {
			continue
		}
		list = append(list, dated{LogFile{strings.TrimSuffix(e.Name(), ".log"), filepath.Join(dir, e.Name()), info.Size()}, info.ModTime().UnixNano()})
	}
	slices.SortFunc(list, func(a, b dated) int { return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.Name, b.Name)) })
	logs := make([]LogFile, len(list))
	for i, d := range list {
		logs[i] = d.LogFile
	}
	return logs, nil
}

// Of picks the logs of the steps of one object. The name of a log is that of
// its step with what is not fit for a file name replaced, so it is compared
// with what the object's steps would be called.
func (r RunLogs) Of(a addr.Address) []LogFile {
	prefix := logDigest().ReplaceAllString(strings.TrimSuffix(apply.LogName(a.String()), ".log"), "") + "."
	var list []LogFile
	for _, log := range r.Logs {
		operation, ok := strings.CutPrefix(log.Name, prefix)
		if !ok {
			continue
		}
		operation = logDigest().ReplaceAllString(operation, "")
		if simpleOperation().MatchString(operation) && apply.LogName(a.String()+"#"+operation) != log.Name+".log" {
			continue // of recipe.a["x"], not of recipe.a_x
		}
		list = append(list, log)
	}
	return list
}

var (
	// logDigest is what keeps ambiguous names apart.
	logDigest = lazily(`-[0-9a-f]{8}$`)
	// simpleOperation is an operation whose name is fit for a file name.
	simpleOperation = lazily(`^[a-z]+$`)
)

// lazily compiles a pattern when it is first used: most runs need none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// PickRun finds the run that begins with a name; the last one for none.
func PickRun(runs []RunLogs, name string) (RunLogs, error) {
	if len(runs) == 0 {
		return RunLogs{}, errors.New("there are no logs: nothing was applied here, or the logs were removed")
	}
	if name == "" {
		return runs[len(runs)-1], nil
	}
	var found []RunLogs
	for _, r := range runs {
		if r.Run == name {
			return r, nil
		}
		if strings.HasPrefix(r.Run, name) {
			found = append(found, r)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return RunLogs{}, fmt.Errorf("%d runs begin with %q; `esd logs --list` lists them", len(found), name)
}
