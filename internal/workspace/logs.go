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
	var list []LogFile
	for _, log := range r.Logs {
		if _, ok := log.operationOf(a); ok {
			list = append(list, log)
		}
	}
	return list
}

// operationOf is what the log's step does to an object, if it is one of its
// steps.
func (l LogFile) operationOf(a addr.Address) (string, bool) {
	prefix := logDigest().ReplaceAllString(strings.TrimSuffix(apply.LogName(a.String()), ".log"), "") + "."
	operation, ok := strings.CutPrefix(l.Name, prefix)
	if !ok {
		return "", false
	}
	operation = logDigest().ReplaceAllString(operation, "")
	if simpleOperation().MatchString(operation) && apply.LogName(a.String()+"#"+operation) != l.Name+".log" {
		return "", false // of recipe.a["x"], not of recipe.a_x
	}
	return operation, true
}

// Step is the step that a log is of: its object, and what is done to it as far
// as that is fit for a file name. It is false for names that cannot be read
// back, such as those of steps in modules.
func (l LogFile) Step() (a addr.Address, operation string, ok bool) {
	if a, operation, ok = l.packageStep(); ok {
		return a, operation, true
	}
	parts := strings.SplitN(l.Name, ".", 4)
	n := 2
	if addr.Kinded(parts[0]) {
		n = 3
	}
	if len(parts) <= n {
		return addr.Address{}, "", false
	}
	a, err := addr.Parse(strings.Join(parts[:n], "."))
	if err != nil {
		return addr.Address{}, "", false
	}
	operation, ok = l.operationOf(a)
	return a, operation, ok
}

// packageStep reads the name of a package's log, in which underscores stand for
// / and @: the digest in the name tells which of them do.
func (l LogFile) packageStep() (addr.Address, string, bool) {
	name := logDigest().ReplaceAllString(l.Name, "")
	dot := strings.LastIndexByte(name, '.')
	if !strings.HasPrefix(name, "environment.") || name == l.Name || dot < 0 {
		return addr.Address{}, "", false
	}
	rest, operation := name[:dot], name[dot+1:]
	last := strings.LastIndexByte(rest, '_')
	for i := range max(last, 0) {
		for j := i + 1; j < last && rest[i] == '_'; j++ {
			if rest[j] != '_' {
				continue
			}
			written := rest[:i] + "/" + rest[i+1:j] + "@" + rest[j+1:last] + "/" + rest[last+1:]
			if apply.LogName(written+"#"+operation) == l.Name+".log" {
				a, err := addr.Parse(written)
				return a, operation, err == nil
			}
		}
	}
	return addr.Address{}, "", false
}

// Matching picks the logs of all that a target names, or the one of that name.
func (r RunLogs) Matching(written string) ([]LogFile, error) {
	for _, l := range r.Logs {
		if l.Name == strings.TrimSuffix(written, ".log") {
			return []LogFile{l}, nil
		}
	}
	target, err := addr.ParseTarget(written)
	if err != nil {
		return nil, err
	}
	of := r.Of(target.Address)
	var list []LogFile
	for _, l := range r.Logs {
		a, _, ok := l.Step()
		if ok && target.Matches(a) || target.Module == "" && slices.Contains(of, l) {
			list = append(list, l)
		}
	}
	return list, nil
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
