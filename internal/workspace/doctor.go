package workspace

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"esd/internal/oci"
	"esd/internal/sandbox"
)

// Grade is how a finding is to be taken.
type Grade string

// The grades of findings.
const (
	Good   Grade = "ok"
	Hint   Grade = "hint"   // it works, and could be better
	Absent Grade = "absent" // not there, and needed by some configurations only
	Broken Grade = "broken" // builds cannot work
)

// Finding is one thing that was found out about a machine.
type Finding struct {
	Group  string `json:"group"`
	Name   string `json:"name"`
	Grade  Grade  `json:"grade"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

// ExamineOptions says what to look at.
type ExamineOptions struct {
	// Dir is the directory of a configuration.
	Dir string
	// Sandbox is the one that is asked for; empty for the best.
	Sandbox string
	Getenv  func(name string) (string, bool)
	Version string
}

// Examine finds out what a machine can do. It needs no configuration. What it
// writes (probes of directories) it removes.
func Examine(ctx context.Context, opts ExamineOptions) []Finding {
	e := &examiner{opts: opts}
	report := sandbox.Probe(ctx)
	e.add("machine", "esd", Good, opts.Version+", "+runtime.Version())
	e.add("machine", "system", Good, report.Kernel+", "+HostPlatform())
	e.add("machine", "processors", Good, fmt.Sprint(runtime.NumCPU()))
	e.sandboxes(report)
	e.tools()
	e.spack(ctx)
	e.directories()
	e.credentials()
	return e.found
}

// CanBuild reports whether nothing of what was found keeps builds from working.
func CanBuild(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return f.Grade == Broken })
}

type examiner struct {
	opts  ExamineOptions
	found []Finding
}

func (e *examiner) add(group, name string, g Grade, text string, advice ...string) {
	e.found = append(e.found, Finding{group, name, g, text, strings.Join(advice, " ")})
}

func (e *examiner) sandboxes(report sandbox.Report) {
	box, why, err := sandbox.Choose(report, e.opts.Sandbox)
	switch {
	case err != nil:
		e.add("sandbox", "chosen", Broken, err.Error())
	case box.Name() == sandbox.None:
		e.add("sandbox", "chosen", Hint, why,
			"Builds work, but are not kept apart from the machine, and products are relocated to their prefixes.")
	default:
		e.add("sandbox", "chosen", Good, why)
	}
	for _, level := range report.Levels() {
		text, grade := level.Version, Good
		if !level.Works {
			text, grade = level.Reason, Absent
		}
		if text == "" {
			text = "works"
		}
		e.add("sandbox", level.Name, grade, text)
	}
}

// tools looks for the programs that esd starts, and those that most scripts do.
func (e *examiner) tools() {
	for _, tool := range []struct {
		name, use string
		missing   Grade
	}{
		{"sh", "runs the scripts of recipes", Broken},
		{"git", "fetches sources from git repositories", Absent},
		{"cc", "compiles C; many scripts need it", Absent},
		{"make", "many scripts need it", Absent},
	} {
		path, err := exec.LookPath(tool.name)
		if err != nil {
			e.add("tools", tool.name, tool.missing, "not found; "+tool.use)
			continue
		}
		e.add("tools", tool.name, Good, path)
	}
}

// directories looks at where builds and caches write.
func (e *examiner) directories() {
	work := filepath.Join(e.opts.Dir, WorkDirName)
	if abs, err := filepath.Abs(work); err == nil {
		work = abs
	}
	e.directory("working data", work)
	e.directory("temporary", os.TempDir())
}

// Below these amounts of free space, in bytes, a directory is worth a hint, or
// no use at all.
const (
	scarce = 5 << 30
	full   = 50 << 20
)

func (e *examiner) directory(name, path string) {
	real := existing(path)
	kind, err := sandbox.FileSystemType(real)
	if err != nil {
		e.add("directories", name, Broken, fmt.Sprintf("%s: %v", path, err))
		return
	}
	text := path + " on " + kind.Name
	space, err := sandbox.Free(real)
	if err == nil {
		text += fmt.Sprintf(", %d MiB free", space.Free>>20)
	}
	grade, advice := judge(kind, space, err == nil)
	if grade != Broken {
		if err := writable(real); err != nil {
			grade, advice = Broken, "It cannot be written: "+err.Error()+"."
		}
	}
	e.add("directories", name, grade, text, advice)
}

func judge(kind sandbox.FileSystem, space sandbox.Space, known bool) (Grade, string) {
	switch {
	case kind.ReadOnly:
		return Broken, "It is mounted read-only. Work in another directory."
	case known && space.Free < full:
		return Broken, "It is full. Make room, or work in another directory."
	case known && space.Inodes > 0 && space.FreeNodes < 1000:
		return Broken, "There is room, but no more files can be made. Remove some, or work in another directory."
	case kind.NoExec:
		return Hint, "Programs on it cannot be started (noexec), so scripts that run what they have just built fail. Work in another directory."
	case kind.Distributed:
		return Hint, "Many small files are slow there, and locks may not work. A local disk is better; for one user a cache block may stay on it."
	case known && space.Free < scarce:
		return Hint, "Little room is left for builds and caches."
	}
	return Good, ""
}

// existing is path, or the directory above it that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); err == nil {
			return path
		}
		up := filepath.Dir(path)
		if up == path {
			return path
		}
		path = up
	}
}

// writable tries to write a file.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".esd-doctor-*")
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// credentials lists the files in which credentials for registries are looked
// for, and says nothing of what they hold.
func (e *examiner) credentials() {
	getenv := func(name string) string {
		value, _ := e.opts.Getenv(name)
		return value
	}
	home, _ := os.UserHomeDir()
	found := false
	for _, path := range oci.AuthFiles(getenv, home, os.Getuid()) {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		found = true
		if info.Mode().Perm()&0o044 != 0 {
			e.add("registries", "credentials", Hint, path, "Others can read this file; chmod 600 keeps passwords to yourself.")
			continue
		}
		e.add("registries", "credentials", Good, path)
	}
	if !found {
		e.add("registries", "credentials", Absent, "no file found; `podman login` or `docker login` makes one. Needed for registries that are not public only")
	}
}
