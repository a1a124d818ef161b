package examples

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"esd/internal/cli"
	"esd/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

func TestQuickstartIsBuiltOnceAndThenThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	dir := copyExamples(t)
	config := filepath.Join(dir, "quickstart.hcl")

	first := apply(t, config)
	wantText(t, first, "Plan: 3 to build, 0 to fetch, 0 reused; 1 to create, 0 to update, 0 to destroy.")
	wantText(t, apply(t, config), "No changes. Everything matches the configuration.")

	logs := readLogs(t, dir)
	wantText(t, logs, "A Hodgkin-Huxley neuron under 10 uA/cm2 fires at 69 Hz.")
	if strings.Contains(logs, "warning:") {
		t.Errorf("the compiler has something to say about the example:\n%s", logs)
	}
	wantReadableByOthers(t, filepath.Join(dir, "dist/quickstart")+":1.0", digest(t, first))
}

func TestQuickstartCostsJustWhatAnEditTouches(t *testing.T) {
	t.Parallel()
	dir := copyExamples(t)
	config := filepath.Join(dir, "quickstart.hcl")
	apply(t, config)

	tests := map[string]struct {
		file string
		want []string
	}{
		"a text in the image costs no build": {"quickstart/about.txt",
			[]string{"Plan: 0 to build, 0 to fetch, 0 reused; 0 to create, 1 to update, 0 to destroy."}},
		"the program costs itself and what it computes": {"quickstart/spike/spike.c",
			[]string{"Plan: 2 to build, 0 to fetch, 1 reused; 0 to create, 1 to update, 0 to destroy.", "build  recipe.spike"}},
		"the library costs everything": {"quickstart/libhh/hh.c",
			[]string{"Plan: 3 to build, 0 to fetch, 0 reused; 0 to create, 1 to update, 0 to destroy.", "build  recipe.libhh"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, test.file)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer os.WriteFile(path, before, 0o644)
			if err := os.WriteFile(path, append(before, "\n/* edited */\n"...), 0o644); err != nil {
				t.Fatal(err)
			}
			code, shown := esd("plan", "--detailed-exitcode", config)
			if code != cli.ExitChanges {
				t.Errorf("plan exits with %d, want %d", code, cli.ExitChanges)
			}
			for _, want := range test.want {
				wantText(t, squeeze(shown), squeeze(want))
			}
		})
	}
}

func TestQuickstartHasTheSameDigestWhereverItIsBuilt(t *testing.T) {
	t.Parallel()
	here := digest(t, apply(t, filepath.Join(copyExamples(t), "quickstart.hcl")))

	t.Run("in another directory, without namespaces", func(t *testing.T) {
		t.Parallel()
		there := digest(t, apply(t, filepath.Join(copyExamples(t), "quickstart.hcl"), "--sandbox", "none"))
		if here != there {
			t.Errorf("the image is %s here and %s there", here, there)
		}
	})
	t.Run("as another user", func(t *testing.T) {
		t.Parallel()
		there := digest(t, applyAsNobody(t))
		if here != there {
			t.Errorf("the image is %s for this user and %s for another", here, there)
		}
	})
}

func TestVariantsShareACacheAndBuildOnlyWhatIsNew(t *testing.T) {
	t.Parallel()
	dir := copyExamples(t)
	config := filepath.Join(dir, "variants.hcl")

	wantText(t, apply(t, config), "Plan: 6 to build, 0 to fetch, 0 reused; 5 to create, 0 to update, 0 to destroy.")
	wantText(t, apply(t, config), "No changes. Everything matches the configuration.")
	wantText(t, apply(t, config, "--var", "sizes=[16, 32, 64]"),
		"Plan: 2 to build, 0 to fetch, 0 reused; 2 to create, 0 to update, 0 to destroy.")
	wantText(t, readLogs(t, dir), "# 64 x 64 spins, float")

	code, shown := esd("plan", "--var", "release=summer", config)
	if code != cli.ExitError {
		t.Errorf("a release that does not pass its validation: exit code %d, want %d", code, cli.ExitError)
	}
	wantText(t, shown, "A release is a year and a month: 25.11.")
}

// esd runs one command in this process and returns its exit code and all that
// it printed.
func esd(args ...string) (code int, printed string) { return esdWith(nil, args...) }

// esdWith runs it with an environment.
func esdWith(environ map[string]string, args ...string) (code int, printed string) {
	var out bytes.Buffer
	code = cli.Main(args, cli.IO{
		In: strings.NewReader(""), Out: &out, Err: &out,
		Getenv: func(name string) (string, bool) { v, ok := environ[name]; return v, ok },
	})
	return code, out.String()
}

func apply(t *testing.T, config string, options ...string) string {
	t.Helper()
	code, printed := esd(append([]string{"apply", "--auto-approve", config}, options...)...)
	if code != cli.ExitOK {
		t.Fatalf("apply exits with %d:\n%s", code, printed)
	}
	return printed
}

// applyAsNobody applies the quickstart with the real program as an ordinary
// user.
func applyAsNobody(t *testing.T) string {
	t.Helper()
	become := asNobody(t)
	dir, err := os.MkdirTemp("", "esd-example-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "esd")
	if out, err := exec.Command("go", "build", "-o", program, "esd/cmd/esd").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.CopyFS(filepath.Join(dir, "work"), onlySources(".")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "apply", "--auto-approve", "quickstart.hcl")
	cmd.Dir = filepath.Join(dir, "work")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	become(cmd, dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	return string(out)
}

// wantReadableByOthers has skopeo read the whole image, which checks every
// digest in it.
func wantReadableByOthers(t *testing.T, image, digest string) {
	t.Helper()
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Log("skopeo is not here, so nobody else has read the image")
		return
	}
	out, err := exec.Command(skopeo, "inspect", "--format", "{{.Digest}}", "oci:"+image).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != digest {
		t.Errorf("skopeo reads %s (%v), want %s", out, err, digest)
	}
	copied := "dir:" + filepath.Join(t.TempDir(), "copied")
	if out, err := exec.Command(skopeo, "--insecure-policy", "copy", "oci:"+image, copied).CombinedOutput(); err != nil {
		t.Errorf("skopeo cannot copy the image: %v\n%s", err, out)
	}
}

// copyExamples copies what is under version control to a directory of the
// test.
func copyExamples(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("cc"); err != nil {
		t.Skip("the examples need a C compiler named cc")
	}
	dir := filepath.Join(t.TempDir(), "examples")
	if err := os.CopyFS(dir, onlySources(".")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// sources is a directory without what applying an example leaves there.
type sources struct{ fs.FS }

func onlySources(dir string) fs.FS { return sources{os.DirFS(dir)} }

// ReadDir leaves out working data and published images.
func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(s.FS, name)
	var kept []fs.DirEntry
	for _, e := range all {
		if e.Name() != ".esd" && e.Name() != "dist" {
			kept = append(kept, e)
		}
	}
	return kept, err
}

func readLogs(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(dir, ".esd", "logs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

var digestOutput = regexp.MustCompile(`digest = "(sha256:[0-9a-f]{64})"`)

func digest(t *testing.T, printed string) string {
	t.Helper()
	found := digestOutput.FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("no digest is printed:\n%s", printed)
	}
	return found[1]
}

func wantText(t *testing.T, printed, want string) {
	t.Helper()
	if !strings.Contains(printed, want) {
		t.Errorf("want %q in:\n%s", want, printed)
	}
}

// squeeze makes runs of blanks one, since columns are as wide as they need be.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
