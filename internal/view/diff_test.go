package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"esd/internal/compare"
	"esd/internal/spack"
)

// releases are two releases of an image with a bit of everything.
func releases(t testing.TB) *compare.Difference {
	variant := func(name string, on bool) spack.Parameter {
		return spack.Parameter{Name: name, Values: []string{fmt.Sprint(on)}, Bool: true}
	}
	pkg := func(name, version, id string, detail *compare.Detail, needs ...string) *compare.Package {
		p := &compare.Package{Name: name, Version: version, ID: id + strings.Repeat(".", 32-len(id)), Asked: name[0] == 'n', Runs: true, Detail: detail}
		for _, n := range needs {
			dep, id, _ := strings.Cut(n, "/")
			p.Needs = append(p.Needs, spack.Edge{Name: dep, Types: spack.Link, Hash: spack.Hash(id + strings.Repeat(".", 32-len(id)))})
		}
		return p
	}
	with := func(target string, p ...spack.Parameter) *compare.Detail {
		return &compare.Detail{Parameters: p, Target: target, Compiler: "gcc@12.2.0"}
	}
	from := &compare.Group{Kind: compare.Target, Facts: []compare.Fact{
		{Kind: compare.BaseFact, Value: "debian 12.5", ID: "sha256:1111111111111111"}, {Kind: "entrypoint", Value: "/bin/nest"},
		{Kind: "label", Name: "token", ID: "aaaaaaaaaaaaaaaa", Hidden: true}, {Kind: "file", Name: "/about.txt", ID: "aaaaaaaaaaaaaaaa"},
	}, Packages: []*compare.Package{
		pkg("neuron", "8.2.4", "n1", with("zen2")), pkg("nest", "3.8", "n2", with("zen2", variant("mpi", true))),
		pkg("zlib", "1.2.13", "z1", with("zen2")), pkg("curl", "8.10", "c1", with("zen2"), "zlib/z1"), pkg("git", "2.47", "g1", with("zen2"), "curl/c1"),
		pkg("py-tomli", "2.0.1", "t1", with("zen2")), pkg("py-six", "1.16", "s1", nil), pkg("gsl", "2.7", "l1", with("zen2")),
	}}
	to := &compare.Group{Kind: compare.Target, Facts: []compare.Fact{
		{Kind: compare.BaseFact, Value: "debian 12.6", ID: "sha256:2222222222222222"}, {Kind: "entrypoint", Value: "/bin/sim"},
		{Kind: "label", Name: "token", ID: "bbbbbbbbbbbbbbbb", Hidden: true}, {Kind: "file", Name: "/about.txt", ID: "bbbbbbbbbbbbbbbb"},
	}, Packages: []*compare.Package{
		pkg("neuron", "8.2.6", "n3", with("zen2")), pkg("nest", "3.8", "n4", with("zen2", variant("mpi", false))),
		pkg("zlib", "1.3.1", "z2", with("zen2")), pkg("curl", "8.10", "c2", with("zen2"), "zlib/z2"), pkg("git", "2.47", "g2", with("zen2"), "curl/c2"),
		pkg("py-numba", "0.63", "b1", with("zen2")), pkg("py-six", "1.16", "s2", nil), pkg("gsl", "2.7", "l1", with("zen2")),
	}}
	d, err := compare.Diff(
		&compare.Inventory{Kind: compare.Image, Name: "registry.example.org/lab:25.06", Detail: "sha256:11", Groups: []*compare.Group{from}},
		&compare.Inventory{Kind: compare.Image, Name: "registry.example.org/lab:25.11", Groups: []*compare.Group{to}, Notes: []string{"a note"}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// generations are two locks with n packages each, all with other versions,
// and names that Markdown and terminals must not take for something else.
func generations(t testing.TB, n, groups int) *compare.Difference {
	inventory := func(version string) *compare.Inventory {
		inv := &compare.Inventory{Kind: compare.Lock, Name: "esd.lock.hcl"}
		for e := range groups {
			g := &compare.Group{Kind: compare.Environment, Address: fmt.Sprintf("environment.e%d", e)}
			for i := range n / groups {
				g.Packages = append(g.Packages, &compare.Package{
					Name: fmt.Sprintf("package-%d|<b>@user", i), Version: version, ID: fmt.Sprintf("%032d", i) + version, Asked: i%1000 == 7,
				})
			}
			inv.Groups = append(inv.Groups, g)
		}
		return inv
	}
	d, err := compare.Diff(inventory("1\x1b[31m"), inventory("2"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestADifferenceLooksAsAgreed(t *testing.T) {
	for name, options := range map[string]Options{
		"diff": {Unicode: true, Width: 100}, "diff_color": {Unicode: true, Color: true, Width: 100}, "diff_ascii": {}, "diff_narrow": {Unicode: true, Width: 30},
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, name, written(t, func(b *bytes.Buffer) error { return Difference(b, releases(t), options) }))
		})
	}
	golden(t, "diff_json", written(t, func(b *bytes.Buffer) error { return DifferenceJSON(b, releases(t)) }))
	golden(t, "diff_markdown", written(t, func(b *bytes.Buffer) error { return DifferenceMarkdown(b, releases(t), MarkdownOptions{ID: "lab"}) }))
}

func TestNothingDifferentIsOneLine(t *testing.T) {
	inv := &compare.Inventory{Kind: compare.State, Name: "a", Groups: []*compare.Group{{Kind: compare.Environment, Packages: []*compare.Package{{Name: "zlib", Version: "1", ID: "aaaaaaa"}}}}}
	d, err := compare.Diff(inv, inv)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(written(t, func(b *bytes.Buffer) error { return Difference(b, d, Options{}) })); got != "No difference: 1 package.\n" {
		t.Errorf("%q", got)
	}
}

func TestACommentOnADifferenceStaysBelowTheLimitAndKeepsWhatWasAskedFor(t *testing.T) {
	for _, size := range []struct{ packages, groups int }{{200, 1}, {100_000, 1}, {100_000, 40}, {5000, 1000}} {
		d := generations(t, size.packages, size.groups)
		text := string(written(t, func(b *bytes.Buffer) error { return DifferenceMarkdown(b, d, MarkdownOptions{}) }))
		if len(text) >= defaultComment {
			t.Errorf("%v: %d bytes", size, len(text))
		}
		if !strings.Contains(text, "package-7") && size.groups < 100 || !strings.Contains(text, "package-0") {
			t.Errorf("%v: what was asked for is left out", size)
		}
		if strings.ContainsAny(text, "\x1b@") || strings.Count(text, "<details>") != strings.Count(text, "</details>") {
			t.Errorf("%v: names get through as they are, or something is left open", size)
		}
		again := string(written(t, func(b *bytes.Buffer) error {
			return DifferenceMarkdown(b, generations(t, size.packages, size.groups), MarkdownOptions{})
		}))
		if text != again {
			t.Errorf("%v: another comment for the same difference", size)
		}
	}
}

func TestTheDocumentOfADifferenceOfAnySizeIsOneDocument(t *testing.T) {
	text := written(t, func(b *bytes.Buffer) error { return DifferenceJSON(b, generations(t, 3000, 3)) })
	var d struct {
		Different bool
		Groups    []struct {
			Changed []struct{ Fields []compare.Field }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil || !d.Different || len(d.Groups) != 3 || len(d.Groups[0].Changed) != 0 && len(d.Groups[0].Changed) != 1000 {
		t.Errorf("%v: %+v", err, d.Groups)
	}
}

func BenchmarkDifferenceMarkdown100000(b *testing.B) {
	d := generations(b, 100_000, 1)
	size := 0
	for b.Loop() {
		var out bytes.Buffer
		if err := DifferenceMarkdown(&out, d, MarkdownOptions{}); err != nil {
			b.Fatal(err)
		}
		size = out.Len()
	}
	b.ReportMetric(float64(size), "bytes")
}
