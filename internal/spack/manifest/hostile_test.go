package manifest_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/manifest"
)

func TestMistakesNameTheirPlace(t *testing.T) {
	t.Parallel()
	ten := "[" + strings.TrimSuffix(strings.Repeat("a,", 30), ",") + "]"
	for name, test := range map[string]struct{ src, want string }{
		"no spack at the top":         {"packages: {}\n", `spack.yaml:1:1: there is no "spack:" at the top; this is no spack.yaml`},
		"an empty file":               {"", `spack.yaml: there is no "spack:" at the top; this is no spack.yaml`},
		"a list for an environment":   {"spack: [a]\n", "spack.yaml:1:8: what an environment consists of must be a map, and is a list"},
		"specs that are a map":        {"spack:\n  specs:\n    zlib: 1\n", "spack.yaml:3:5: specs must be a list, and is a map"},
		"packages that are a list":    {"spack:\n  packages:\n  - all\n", "packages must be a map, and is a list"},
		"a spec that is a list":       {"spack:\n  specs:\n  - [a]\n", "spack.yaml:3:5: a spec must be text, and this is a list"},
		"a map without a matrix":      {"spack:\n  specs:\n  - zlib: x\n", "a map in a list of specs must have a matrix"},
		"more beside the matrix":      {"spack:\n  specs:\n  - matrix: [[a]]\n    include: b\n", "spack.yaml:4:5: a matrix of specs has matrix and exclude; include is not known"},
		"a row that is no list":       {"spack:\n  specs:\n  - matrix: [a]\n", "a row of a matrix must be a list, and is text"},
		"an unknown definition":       {"spack:\n  specs:\n  - $libs\n", "spack.yaml:3:5: $libs stands for a definition libs, and there is none before this"},
		"a definition of itself":      {"spack:\n  definitions:\n  - a: [$a]\n", "there is none before this"},
		"a definition of two":         {"spack:\n  definitions:\n  - a: [x]\n    b: [y]\n", "spack.yaml:4:5: a definition has one name, and this one has a and b"},
		"a definition without name":   {"spack:\n  definitions:\n  - when: 'True'\n", "spack.yaml:3:5: a definition has no name"},
		"two packages in one":         {"spack:\n  specs:\n  - matrix: [[a], [b]]\n", "spack.yaml:3:5: a and b cannot be combined: a and b are two packages"},
		"switches that disagree":      {"spack:\n  specs:\n  - matrix: [[a+x], [~x]]\n", "a+x and ~x cannot be combined: +x and ~x"},
		"a spec with two versions":    {"spack:\n  specs:\n  - matrix: [[a@1@2], [~x]]\n", `"a@1@2" is not understood as a spec: it has two versions`},
		"targets that need Spack":     {"spack:\n  specs:\n  - matrix: [[a], [target=zen3]]\n    exclude: ['target=x86_64:']\n", "cannot be told without Spack"},
		"a matrix without end":        {"spack:\n  specs:\n  - matrix: [" + strings.TrimSuffix(strings.Repeat(ten+",", 30), ",") + "]\n", "expands to more than 20000 specs"},
		"matrices within each other":  {"spack:\n  specs:\n  - " + nested(8) + "\n", "more than 20000"},
		"references without end":      {doubling(40), "expand to more than 20000"},
		"an include of nothing":       {"spack:\n  include:\n  - optional: true\n", "spack.yaml:3:5: an include has a path or a git repository, and this one has none"},
		"repos that are text":         {"spack:\n  repos: x\n", "repos must be a list or a map, and is text"},
		"a repository that is a list": {"spack:\n  repos:\n    a: [b]\n", "the repository a must be a path or a map, and is a list"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := manifest.Parse([]byte(test.src), "spack.yaml")
			if err == nil {
				_, err = m.SpecList()
			}
			if err == nil {
				_, err = m.Inputs()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %.300v\nwant %s", err, test.want)
			}
		})
	}
}

func nested(n int) string {
	s := "a"
	for range n {
		s = fmt.Sprintf("{matrix: [[%s], [+b, +c, +d, +e, +f, +g, +h, +i]]}", s)
	}
	return s
}

func doubling(n int) string {
	var b strings.Builder
	b.WriteString("spack:\n  definitions:\n  - a0: [x, y]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - a%d: [$a%d, $a%d]\n", i, i-1, i-1)
	}
	fmt.Fprintf(&b, "  specs: [$a%d]\n", n-1)
	return b.String()
}

func TestConditionsAreReportedAndNotJudged(t *testing.T) {
	t.Parallel()
	m := parse(t, "spack:\n  definitions:\n  - a: [x]\n  - a: [y]\n    when: arch.satisfies('target=zen3:')\n  - b: [z]\n    when: os == 'no'\n  specs: [$a, $b]\n")
	list, err := m.SpecList()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range list.Conditions {
		got = append(got, fmt.Sprintf("%d: %s: %s", c.Line, c.What, c.When))
	}
	if diff := cmp.Diff([]string{"4: definition a: arch.satisfies('target=zen3:')", "6: definition b: os == 'no'"}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x"}, texts(t, m)); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownKeysAreKeptApart(t *testing.T) {
	t.Parallel()
	m := parse(t, "spack:\n  packages::\n    all: {version: [3.10]}\n  pakages: {}\n  concretizer: {unify: when_possible}\n")
	if len(m.Unknown) != 1 || m.Unknown[0].Key != "pakages" || m.Unknown[0].Line != 4 {
		t.Errorf("%+v", m.Unknown)
	}
	want := map[string]any{
		"packages::": map[string]any{"all": map[string]any{"version": []any{"3.10"}}}, "concretizer": map[string]any{"unify": "when_possible"},
	}
	if diff := cmp.Diff(want, m.Config()); diff != "" {
		t.Error(diff)
	}
	if got := m.Unify(); got != "when_possible" {
		t.Error(got)
	}
	if got := parse(t, "spack: {}").Unify(); got != "true" {
		t.Error(got)
	}
}

func TestWritingIsCanonical(t *testing.T) {
	t.Parallel()
	got, err := manifest.Write([]string{"b", "a %gcc"}, map[string]any{
		"view": false, "packages::": map[string]any{"python": map[string]any{"version": []any{"3.10"}, "buildable": true}},
		"concretizer": map[string]any{"unify": true, "n": float64(3), "l": []string{}, "m": map[string]any{}},
		"config":      map[string]any{"x": "\"\\\n\t\x7f\u2028é\U0001f600"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "spack": {
    "concretizer": {
      "l": [],
      "m": {},
      "n": 3,
      "unify": true
    },
    "config": {
      "x": "\"\\\n\t\u007f\u2028é😀"
    },
    "packages:": {
      "python": {
        "buildable": true,
        "version": [
          "3.10"
        ]
      }
    },
    "specs": [
      "b",
      "a %gcc"
    ],
    "view": false
  }
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	m := parse(t, string(got))
	if m.Config()["config"].(map[string]any)["x"] != "\"\\\n\t\x7f\u2028é\U0001f600" {
		t.Errorf("%q", m.Config()["config"])
	}
}

func TestTheOrderOfRepositoriesIsKept(t *testing.T) {
	t.Parallel()
	m := parse(t, "spack:\n  repos:\n    z: ./z\n    a: ./a\n")
	got, err := manifest.Write(nil, map[string]any{"repos": m.Section("repos")})
	if err != nil || strings.Index(string(got), `"z"`) > strings.Index(string(got), `"a"`) {
		t.Error(err, string(got))
	}
}

func TestWhatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	endless := map[string]any{}
	endless["a"] = endless
	for name, config := range map[string]map[string]any{
		"a fraction":        {"a": 3.5},
		"not a number":      {"a": math.NaN()},
		"a Go type":         {"a": struct{}{}},
		"text that is none": {"a": "\xff"},
		"an endless value":  endless,
		"specs":             {"specs": []any{}},
		"both colons":       {"packages": nil, "packages::": nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, err := manifest.Write(nil, config); err == nil {
				t.Errorf("written: %s", out)
			}
		})
	}
}

func TestInputsAreWhatAManifestRefersTo(t *testing.T) {
	t.Parallel()
	m := parse(t, `spack:
  include:
  - common/packages.yaml
  - $env/../site
  - path: ${HOME}/x.yaml
    optional: true
    when: os == "ubuntu"
  - https://example.org/config.yaml
  - git: https://example.org/r.git
    branch: main
    paths: [a.yaml, b]
  - file:///etc/spack/config.yaml
  include_concrete: [/envs/base]
  repos:
    mine: repo
    builtin: $spack/var/spack/repos/builtin
    far: {git: 'https://example.org/p.git', commit: 0123456789012345678901234567890123456789}
    home: ~/repo
  develop:
    zlib: {spec: zlib@main}
    hdf5: {spec: hdf5@1, path: ../src/hdf5}
`)
	inputs, err := m.Inputs()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range inputs {
		s := fmt.Sprintf("%d %s %s local=%s", in.Line, in.Kind, in.Name, in.Local)
		if in.URL != "" {
			s += " url=" + in.URL
		}
		if in.Git != nil {
			s += fmt.Sprintf(" git=%s pinned=%v %v", in.Git.URL, in.Git.Pinned(), in.Git.Paths)
		}
		if in.Why != "" {
			s += " why=" + in.Why
		}
		if in.When != "" || in.Optional {
			s += fmt.Sprintf(" when=%s optional=%v", in.When, in.Optional)
		}
		got = append(got, s)
	}
	want := []string{
		"3 configuration  local=common/packages.yaml",
		"4 configuration  local=../site",
		"5 configuration  local= why=it has a variable that only Spack or a shell can replace when=os == \"ubuntu\" optional=true",
		"8 configuration  local= url=https://example.org/config.yaml",
		"9 configuration  local= git=https://example.org/r.git pinned=false [a.yaml b]",
		"12 configuration  local=/etc/spack/config.yaml",
		"13 environment  local=/envs/base",
		"15 package repository mine local=repo",
		"16 package repository builtin local= why=it is part of Spack itself",
		"17 package repository far local= git=https://example.org/p.git pinned=true []",
		"18 package repository home local= why=it lies in a home directory",
		"20 source zlib local=zlib",
		"21 source hdf5 local=../src/hdf5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestIncludesAreFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"env/spack.yaml":          "spack:\n  include: [../common, missing.yaml]\n  repos: [repo]\n",
		"env/repo/repo.yaml":      "repo: {namespace: x}\n",
		"common/packages.yaml":    "packages: {all: {}}\n",
		"common/include.yaml":     "include: [more/config.yaml]\n",
		"common/more/config.yaml": "config: {}\nrepos: [../r]\n",
		"common/r/repo.yaml":      "repo: {namespace: y}\n",
	})
	m, err := manifest.ReadFile(filepath.Join(dir, "env/spack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Follow(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, file := range f.Files {
		rel, _ := filepath.Rel(dir, file.Path)
		got = append(got, "file "+rel)
	}
	for _, in := range f.Inputs {
		got = append(got, string(in.Kind)+" "+in.Local)
	}
	for _, in := range f.Missing {
		got = append(got, "missing "+in.Local)
	}
	want := []string{
		"file common/include.yaml", "file common/more/config.yaml", "file common/packages.yaml",
		"package repository ../common/r", "package repository repo", "missing missing.yaml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIncludesInACircleAreAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"spack.yaml": "spack: {include: [a.yaml]}\n", "a.yaml": "include: [b.yaml]\n", "b.yaml": "include: [a.yaml]\n"})
	m, err := manifest.ReadFile(filepath.Join(dir, "spack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Follow(dir); err == nil || !strings.Contains(err.Error(), "a.yaml includes itself") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/manifests/*.yaml")
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte("spack:\n  definitions:\n  - a: [x, {matrix: [[b], [+c]]}]\n  specs: [$^a, {matrix: [[$a], [$%a]], exclude: ['@1:2,3']}]\n  include: [{git: a, paths: [b]}, $env/x]\n  repos: {a: {git: b}}\n"))
	f.Add([]byte("spack: {specs: [{group: a, specs: [b], needs: [c]}], develop: {a: {spec: b}}}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := manifest.Parse(src, "spack.yaml")
		if err != nil {
			return
		}
		_, _ = m.Inputs()
		list, err := m.SpecList()
		if err != nil {
			return
		}
		var specs []string
		for _, s := range list.Specs {
			specs = append(specs, s.Text)
		}
		out, err := manifest.Write(specs, m.Config())
		if err != nil {
			return
		}
		again, err := manifest.Parse(out, "again.yaml")
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, out)
		}
		if diff := cmp.Diff(m.Config(), again.Config()); diff != "" {
			t.Errorf("written, the configuration is another: %s", diff)
		}
	})
}
