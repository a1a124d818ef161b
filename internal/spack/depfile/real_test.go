package depfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack/depfile"
	"esd/internal/spack/lockfile"
)

// TestRealSpackWritesTheSameMakefiles runs `spack env depfile`. The variables
// name a file to source that brings Spack 1.x or 0.23 into PATH.
func TestRealSpackWritesTheSameMakefiles(t *testing.T) {
	t.Parallel()
	for variable, locks := range map[string][]string{
		"ESD_TEST_SPACK":     {"v12-small", "v12-medium"},
		"ESD_TEST_SPACK_023": {"v023-small", "v023-medium"},
	} {
		t.Run(variable, func(t *testing.T) {
			t.Parallel()
			setup := os.Getenv(variable)
			if setup == "" {
				t.Skipf("%s names no file that sets up Spack", variable)
			}
			for _, lock := range locks {
				env := environment(t, lock)
				for _, use := range []string{"auto", "only", "package:auto,dependencies:only", "package:only,dependencies:never"} {
					compareWithSpack(t, setup, env, lock, use, nil)
				}
				prefix := "some/prefix"
				compareWithSpack(t, setup, env, lock, "never", &prefix, "--make-disable-jobserver")
				compareWithSpack(t, setup, env, lock, "auto", nil, "zlib-ng+shared@2:")
				compareWithSpack(t, setup, env, lock, "package:never,dependencies:only", nil, "^zlib-ng")
			}
		})
	}
}

// environment is a Spack environment with a recorded lock.
func environment(t *testing.T, lock string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("..", "testdata", "locks", lock+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"spack.lock": data, "spack.yaml": []byte("spack:\n  specs: []\n  view: false\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// compareWithSpack compares for one set of arguments; an argument that is no
// option is a spec.
func compareWithSpack(t *testing.T, setup, env, name, use string, prefix *string, args ...string) {
	t.Helper()
	command := []string{"-e", env, "env", "depfile", "--use-buildcache=" + use}
	if prefix != nil {
		command = append(command, "--make-prefix="+*prefix)
	}
	command = append(command, args...)
	cmd := exec.Command("bash", append([]string{"-c", `. "$0" && exec spack "$@"`, setup}, command...)...)
	cmd.Stderr = os.Stderr
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("spack %s: %v", strings.Join(command, " "), err)
	}
	program, _, _ := strings.Cut(strings.TrimPrefix(string(want), "SPACK ?= "), " ")

	lock := parse(t, name)
	roots := lockfile.Hashes(lock.Roots)
	o := depfile.MakeOptions{Environment: env, Spack: program, Prefix: prefix, Syntax: lock.Syntax()}
	for _, a := range args {
		if strings.HasPrefix(a, "--") {
			o.NoJobserver = true
		} else if roots, err = depfile.Select(lock.Specs, roots, lock.Syntax(), a); err != nil {
			t.Fatal(err)
		}
	}
	u, err := depfile.ParseUseBuildcache(use)
	if err != nil {
		t.Fatal(err)
	}
	t.Run(name+" "+strings.Join(command[4:], " "), func(t *testing.T) {
		sameMeaning(t, string(want), makefile(t, depfile.New(lock.Specs, roots, u), o))
	})
}
