package depfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"esd/internal/spack"
	"esd/internal/spack/depfile"
	"esd/internal/spack/lockfile"
)

func makefile(tb testing.TB, g *depfile.Graph, o depfile.MakeOptions) string {
	tb.Helper()
	text, err := g.Makefile(o)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// meaning is a Makefile without what means nothing: comments, empty lines,
// blanks at the ends of lines.
func meaning(makefile string) string {
	var lines []string
	for line := range strings.Lines(makefile) {
		line = strings.TrimRight(line, " \n")
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func sameMeaning(t *testing.T, spacks, ours string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(meaning(spacks), "\n"), strings.Split(meaning(ours), "\n")); diff != "" {
		t.Errorf("-Spack +ours:\n%.3000s", diff)
	}
}

// TestMakefilesMeanTheSameAsThoseOfSpack compares with what Spack 1.2 and 0.23
// wrote, line by line; paths in the recorded files were changed.
func TestMakefilesMeanTheSameAsThoseOfSpack(t *testing.T) {
	t.Parallel()
	some, bare := "pre/fix", ""
	for file, c := range map[string]struct {
		lock, use string
		only      string // packages
		options   depfile.MakeOptions
	}{
		"v12-small.mk":      {lock: "v12-small", use: "auto"},
		"v023-small.mk":     {lock: "v023-small", use: "auto"},
		"v12-small.bare.mk": {lock: "v12-small", use: "auto", options: depfile.MakeOptions{Prefix: &bare}},
		"v12-small.some.mk": {
			lock: "v12-small", use: "package:never,dependencies:only", only: "zlib-ng curl",
			options: depfile.MakeOptions{Prefix: &some, NoJobserver: true},
		},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			lock := parse(t, c.lock)
			use, err := depfile.ParseUseBuildcache(c.use)
			if err != nil {
				t.Fatal(err)
			}
			roots := lockfile.Hashes(lock.Roots)
			if c.only != "" {
				roots, err = depfile.Select(lock.Specs, roots, lock.Syntax(), strings.Fields(c.only)...)
				if err != nil {
					t.Fatal(err)
				}
			}
			c.options.Environment, c.options.Spack, c.options.Syntax = "/opt/env", "/opt/spack/bin/spack", lock.Syntax()
			sameMeaning(t, string(want), makefile(t, depfile.New(lock.Specs, roots, use), c.options))
		})
	}
}

// TestSpecsReadAsSpackWritesThem compares what stands behind SPEC for each
// package, also where Spack 1.2 read a lock of 0.23.
func TestSpecsReadAsSpackWritesThem(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]struct {
		lock   string
		syntax spack.Syntax
	}{
		"v12-medium.specs":         {"v12-medium", spack.Syntax1},
		"v023-medium.specs":        {"v023-medium", spack.Syntax023},
		"v023-medium.by-v12.specs": {"v023-medium", spack.Syntax1},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join("testdata", file))
			if err != nil {
				t.Fatal(err)
			}
			text := makefile(t, graph(t, parse(t, c.lock), "auto"), depfile.MakeOptions{Environment: "/e", Syntax: c.syntax})
			var got strings.Builder
			for _, match := range specLine.FindAllStringSubmatch(text, -1) {
				got.WriteString(match[1] + " " + match[2] + "\n")
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("-Spack +ours:\n%.2000s", diff)
			}
		})
	}
}

var specLine = regexp.MustCompile(`(?m)^\S*/%/(\S+): SPEC = (.*)$`)

// TestMakeInstallsEachPackageOnceAndAfterItsDependencies runs GNU make with a
// Spack that only writes down how it was called.
func TestMakeInstallsEachPackageOnceAndAfterItsDependencies(t *testing.T) {
	t.Parallel()
	make, err := exec.LookPath("make")
	if err != nil {
		t.Skip("GNU make is not installed")
	}
	for _, use := range []string{"auto", "only", "package:never,dependencies:only"} {
		t.Run(use, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			calls := filepath.Join(dir, "calls")
			fake := filepath.Join(dir, "it's a $pack #1")
			script := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>" + calls + "\n"
			if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			g := graph(t, parse(t, "v12-small"), use)
			prefix := "deps"
			text := makefile(t, g, depfile.MakeOptions{Environment: "/opt/o'env $x #1", Prefix: &prefix, Spack: fake})
			if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			run := func(target string) string {
				cmd := exec.Command(make, "-s", "-j3", target)
				cmd.Dir = dir
				cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("make %s: %v\n%s", target, err, out)
				}
				data, _ := os.ReadFile(calls)
				return string(data)
			}
			checkCalls(t, g, run("deps/all"))
			if again := run("deps/all"); strings.Count(again, "\n") != len(g.Nodes) {
				t.Error("the second make installs again")
			}
			if cleaned := run("deps/clean"); strings.Count(cleaned, "\n") != len(g.Nodes) {
				t.Error("clean calls Spack")
			}
			if again := run("deps/all"); strings.Count(again, "\n") != 2*len(g.Nodes) {
				t.Error("make installs nothing after clean")
			}
		})
	}
}

// checkCalls checks how Spack was called, one call a line.
func checkCalls(t *testing.T, g *depfile.Graph, calls string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(calls), "\n")
	done := map[spack.Hash]bool{}
	nodes := map[string]depfile.Node{}
	for _, n := range g.Nodes {
		nodes[string(n.Spec.Hash)] = n
	}
	for _, line := range lines {
		words := strings.Fields(line)
		n, ok := nodes[strings.TrimPrefix(words[len(words)-1], "/")]
		want := "-c config:install_status:false -e /opt/o'env $x #1 install " +
			strings.TrimPrefix(n.Mode.Flag()+" ", " ") + "--only-concrete --only=package /"
		if !ok || line != want+string(n.Spec.Hash) {
			t.Fatalf("Spack is called so:\n%s\ninstead of:\n%s", line, want)
		}
		for _, p := range n.Prerequisites {
			if !done[p.Hash] {
				t.Errorf("%s is installed before %s", n.Spec.Name, p.Name)
			}
		}
		if done[n.Spec.Hash] {
			t.Errorf("%s is installed twice", n.Spec.Name)
		}
		done[n.Spec.Hash] = true
	}
	if len(lines) != len(g.Nodes) {
		t.Errorf("%d calls for %d packages", len(lines), len(g.Nodes))
	}
}

func TestNothingInASpecCanBecomeACommand(t *testing.T) {
	t.Parallel()
	s := &spack.Spec{
		Name: "evil", Version: "1", Hash: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SpecfileVersion: 5,
		Parameters: []spack.Parameter{{Name: "x", Values: []string{"a\nall: ; rm -rf /\n\t$(shell id) # \\"}}},
	}
	text := makefile(t, depfile.New(spack.Specs{s.Hash: s}, []spack.Hash{s.Hash}, depfile.UseBuildcache{}),
		depfile.MakeOptions{Environment: "/e"})
	want := `SPEC = evil@1 x='a all: ; rm -rf /  $$(shell id) \#  '`
	if !strings.Contains(text, want) {
		t.Errorf("no %s in\n%s", want, text)
	}
}

func TestPathsThatMakeCannotNameAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]depfile.MakeOptions{
		"space in the environment's path": {Environment: "/my environments/a"},
		"colon":                           {Environment: "/e:1"},
		"line break":                      {Environment: "/e\nall:", Prefix: new(string)},
		"line break in the program":       {Environment: "/e", Spack: "a\nb"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &depfile.Graph{}
			if _, err := g.Makefile(o); err == nil {
				t.Error("a Makefile is written")
			}
		})
	}
}

func TestOnlyMatchingPackagesOfTheEnvironmentAreRoots(t *testing.T) {
	t.Parallel()
	lock := parse(t, "v12-small")
	got, err := depfile.Select(lock.Specs, lockfile.Hashes(lock.Roots), lock.Syntax(), "gcc@12", "zlib-ng+shared", "libs=static")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range got {
		names = append(names, lock.Specs[h].Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"curl", "gcc", "libiconv", "zlib-ng"}, names); diff != "" {
		t.Error(diff)
	}
	if _, err := depfile.Select(lock.Specs, nil, lock.Syntax(), "a b ^^"); err == nil {
		t.Error("what is no spec is taken for one")
	}
}

// cpu is what this process used so far: unlike time that passes, it says
// something on a machine that is busy with other things too.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMakefile goes from the bytes of a lock of 148 packages to the bytes
// of the Makefile.
func BenchmarkMakefile(b *testing.B) {
	data, err := os.ReadFile(filepath.Join("..", "testdata", "locks", "v12-medium.lock"))
	if err != nil {
		b.Fatal(err)
	}
	use, _ := depfile.ParseUseBuildcache("auto")
	b.ReportAllocs()
	before := cpu(b)
	defer func() { b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") }()
	for b.Loop() {
		lock, err := lockfile.Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := depfile.New(lock.Specs, lockfile.Hashes(lock.Roots), use).Makefile(depfile.MakeOptions{Environment: "/e"}); err != nil {
			b.Fatal(err)
		}
	}
}
