package workspace

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/apply"
)

func TestLogsOfAnObjectAreFoundByItsAddress(t *testing.T) {
	t.Parallel()
	steps := []string{
		"recipe.a#build", "recipe.a-build#fetch", `recipe.a["x"]#build`, `recipe.a["y"]#build`,
		`module.m["1"].recipe.a#build`, "target.image.lab#assemble",
		"target.image.lab#publish oci:dist/lab:1.0", `target.image.lab["x/y"]#publish oci:dist/lab:1.0`, "recipe.a_x#build",
	}
	var run RunLogs
	for _, id := range steps {
		name := apply.LogName(id)
		run.Logs = append(run.Logs, LogFile{Name: name[:len(name)-len(".log")]})
	}
	for address, want := range map[string]int{
		"recipe.a": 1, `recipe.a["x"]`: 1, `module.m["1"].recipe.a`: 1, "target.image.lab": 2,
		`target.image.lab["x/y"]`: 1, "recipe.a_x": 1, "recipe.none": 0,
	} {
		a, err := addr.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := run.Of(a); len(got) != want {
			t.Errorf("%s has %d logs, want %d: %v", address, len(got), want, got)
		}
	}
}

func TestARunIsPickedByHowItsNameBegins(t *testing.T) {
	t.Parallel()
	runs := []RunLogs{{Run: "20260101-a"}, {Run: "20260101-b"}, {Run: "20260202-c"}}
	for name, test := range map[string]struct{ begins, want string }{
		"nothing is the last":     {"", "20260202-c"},
		"a whole name":            {"20260101-a", "20260101-a"},
		"a beginning":             {"202602", "20260202-c"},
		"an ambiguous beginning":  {"202601", ""},
		"what does not exist":     {"1999", ""},
		"more than a name is not": {"20260101-aa", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, err := PickRun(runs, test.begins)
			if run.Run != test.want || (err != nil) != (test.want == "") {
				t.Errorf("picked %q, error %v; want %q", run.Run, err, test.want)
			}
		})
	}
}

func TestRunsAreListedTheOldestFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &Workspace{WorkDir: dir}
	if runs, err := w.Runs(); err != nil || len(runs) > 0 {
		t.Errorf("%v, %v", runs, err)
	}
	write(t, filepath.Join(dir, "logs/2026/b.build.log"), "text", 0o644)
	write(t, filepath.Join(dir, "logs/2026/notes"), "text", 0o644)
	write(t, filepath.Join(dir, "logs/2025/a.build.log"), "", 0o644)
	write(t, filepath.Join(dir, "logs/stray"), "", 0o644)
	got, err := w.Runs()
	want := []RunLogs{
		{"2025", filepath.Join(dir, "logs/2025"), []LogFile{{"a.build", filepath.Join(dir, "logs/2025/a.build.log"), 0}}},
		{"2026", filepath.Join(dir, "logs/2026"), []LogFile{{"b.build", filepath.Join(dir, "logs/2026/b.build.log"), 4}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, -want +got:\n%s", err, diff)
	}
}

func TestLogsOfPackagesAreFoundByAsMuchAsTellsThemFromOthers(t *testing.T) {
	t.Parallel()
	const id = "environment.toy_2/gcc-runtime@12.2.0/y5awtsb"
	log := LogFile{Name: apply.LogName(id + "#build")}
	log.Name = log.Name[:len(log.Name)-len(".log")]
	a, operation, ok := log.Step()
	if !ok || a.String() != id || operation != "build" {
		t.Errorf("got %s, %s, %v", a, operation, ok)
	}
	run := RunLogs{Logs: []LogFile{log}}
	for written, want := range map[string]int{
		"environment.toy_2": 1, "environment.toy_2/gcc-runtime": 1, id: 1, log.Name: 1, log.Name + ".log": 1,
		"environment.toy_2/gcc": 0, "environment.toy": 0,
	} {
		if got, err := run.Matching(written); err != nil || len(got) != want {
			t.Errorf("%s: %v, %v, want %d", written, got, err, want)
		}
	}
}
