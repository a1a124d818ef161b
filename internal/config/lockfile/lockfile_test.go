package lockfile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	hex40 = strings.Repeat("a1", 20)
	hex64 = strings.Repeat("b2", 32)
)

func sample() *Lock {
	l := New()
	l.SetImage(Image{"debian:12-slim", "linux/arm64"}, "sha256:"+hex64)
	l.SetImage(Image{"debian:12-slim", ""}, "sha256:"+hex64)
	l.SetImage(Image{"alpine:3 ${x} %{y}\"\\\n", ""}, "sha256:"+hex64)
	l.SetGit(Git{"https://example.org/greet.git", "v1.0.2"}, hex40)
	l.SetFile("https://example.org/a.tar.gz", hex64)
	l.SetEnvironment(`environment.sim["zen3"]`, Environment{
		Specs: []string{"nest@3.8 +mpi", "neuron %gcc"}, Spack: hex64[:16], Config: hex64[:16], SHA256: hex64,
	})
	l.SetEnvironment("environment.legacy", Environment{From: hex64[:16], SHA256: hex64})
	return l
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "esd.lock.hcl")
	if err := sample().Write(path); err != nil {
		t.Fatal(err)
	}
	read, diags := Read(path)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(sample(), read, cmp.AllowUnexported(Lock{})); diff != "" {
		t.Error(diff)
	}
	first, _ := os.ReadFile(path)
	if second, err := read.Bytes(); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if len(entries) != 1 {
		t.Errorf("something is left behind: %v", entries)
	}
}

func TestAMissingFileHasNoPins(t *testing.T) {
	l, diags := Read(filepath.Join(t.TempDir(), "esd.lock.hcl"))
	if len(diags) > 0 || l.Len() != 0 {
		t.Error(l, diags)
	}
}

func TestPinsThatCouldNotBeReadAreNotWritten(t *testing.T) {
	l := New()
	l.SetFile("https://example.org/a", "latest")
	if err := l.Write(filepath.Join(t.TempDir(), "x")); err == nil {
		t.Error("written")
	}
}

func TestForeignContentIsRefused(t *testing.T) {
	for name, src := range map[string]string{
		"attribute":        `x = 1`,
		"unknown block":    `package "x" { commit = "y" }`,
		"no label":         `file { sha256 = "` + hex64 + `" }`,
		"no digest":        `image "x" {}`,
		"short digest":     `image "x" { digest = "sha256:aa" }`,
		"function":         `file "x" { sha256 = lower("x") }`,
		"template":         `file "x" { sha256 = "${x}" }`,
		"twice":            "file \"x\" {\n sha256 = \"" + hex64 + "\"\n}\nfile \"x\" {\n sha256 = \"" + hex64 + "\"\n}",
		"merge conflict":   "<<<<<<< HEAD\n",
		"nested deep":      strings.Repeat("a {", 100000),
		"brackets":         "x = " + strings.Repeat("[", 1000000),
		"truncated":        `image "x" { digest = "sha2`,
		"not UTF-8":        "file \"\xff\" {}",
		"unknown argument": `git "x" "y" { commit = "` + hex40 + `", ref = "x" }`,
	} {
		if l, diags := Parse([]byte(src), "esd.lock.hcl"); !diags.HasErrors() {
			t.Errorf("%s: accepted as %v", name, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	b, _ := sample().Bytes()
	f.Add(b)
	f.Add([]byte("image \"x\" {"))
	f.Fuzz(func(t *testing.T, src []byte) {
		l, diags := Parse(src, "x")
		if diags.HasErrors() {
			return
		}
		written, err := l.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		again, diags := Parse(written, "x")
		if diags.HasErrors() || !cmp.Equal(l, again, cmp.AllowUnexported(Lock{})) {
			t.Fatalf("%s\n%s", written, diags)
		}
	})
}
