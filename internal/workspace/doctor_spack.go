package workspace

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"esd/internal/spack/command"
)

// probeTime is how long a program or a cache is waited for.
const probeTime = 10 * time.Second

// spack looks for what locking and building with Spack takes. Plans, images and
// install trees from caches take none of it.
func (e *examiner) spack(ctx context.Context) {
	switch found, err := command.Find(ctx, command.Location{}); {
	case err == nil:
		e.add("spack", "spack", Good, found.Version.String()+", "+found.Root)
	case errors.Is(err, command.ErrTooOld):
		e.add("spack", "spack", Hint, err.Error())
	default:
		e.add("spack", "spack", Absent, "not found in PATH; needed only to lock and to build, where no spack block names another")
	}
	for _, tool := range []struct{ name, use, version string }{
		{"python3", "Spack needs it to lock and to build", "--version"},
		{"gcc", "Spack builds with it, unless the configuration names other compilers", "-dumpfullversion"},
		{"g++", "needed to build what is written in C++", "-dumpfullversion"},
		{"gfortran", "needed to build what is written in Fortran", "-dumpfullversion"},
	} {
		path, err := exec.LookPath(tool.name)
		if err != nil {
			e.add("spack", tool.name, Absent, "not found; "+tool.use)
			continue
		}
		e.add("spack", tool.name, Good, strings.TrimPrefix(said(ctx, path, tool.version)+", "+path, ", "))
	}
	e.add("spack", "patchelf", Good, "not needed: esd relocates packages by itself")
	e.add("spack", "gpg", Good, "not needed: esd makes and checks signatures by itself")
}

// said is the last word of the first line that a program prints, which of
// versions is the number; empty if it does not answer.
func said(ctx context.Context, path string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	words := strings.Fields(line)
	if len(words) == 0 || len(line) > 100 {
		return ""
	}
	return words[len(words)-1]
}
