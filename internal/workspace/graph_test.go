package workspace

import (
	"strings"
	"testing"

	"esd/internal/addr"
	"esd/internal/graph"
)

// chain is recipe.a <- recipe.b <- recipe.c <- recipe.d, and recipe.e alone.
func chain(t *testing.T) Drawing {
	t.Helper()
	b := graph.New()
	nodes := map[string]DrawnNode{}
	for _, n := range strings.Fields("a b c d e") {
		id := "recipe." + n
		b.AddNode(id)
		nodes[id] = DrawnNode{ID: id, Address: id}
	}
	for _, edge := range []string{"b a", "c b", "d c", "d a"} {
		from, to, _ := strings.Cut(edge, " ")
		if err := b.AddEdge("recipe."+from, "recipe."+to); err != nil {
			t.Fatal(err)
		}
	}
	dag, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return drawing(dag, nodes)
}

func TestFocusKeepsWhatIsNear(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		focus string
		depth int
		want  string
		edges int
	}{
		"all that is connected":     {"recipe.b", 0, "abcd", 4},
		"the neighbours":            {"recipe.b", 1, "abc", 2},
		"two edges away":            {"recipe.b", 2, "abcd", 4},
		"one that stands by itself": {"recipe.e", 0, "e", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, err := addr.ParseTarget(test.focus)
			if err != nil {
				t.Fatal(err)
			}
			d, err := chain(t).Focus(target, test.depth)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, n := range d.Nodes {
				got += strings.TrimPrefix(n.ID, "recipe.")
			}
			if got != test.want || d.DAG.Edges() != test.edges {
				t.Errorf("kept %q with %d edges, want %q with %d", got, d.DAG.Edges(), test.want, test.edges)
			}
		})
	}
}

func TestFocusOnNothingSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	target, _ := addr.ParseTarget("recipe.aa")
	if _, err := chain(t).Focus(target, 0); err == nil || !strings.Contains(err.Error(), "did you mean recipe.a?") {
		t.Errorf("error %v", err)
	}
}

func TestReducingLeavesOutWhatFollows(t *testing.T) {
	t.Parallel()
	if got := chain(t).Reduce().DAG.Edges(); got != 3 {
		t.Errorf("%d edges, want 3", got)
	}
}

func TestCollapsingPutsThePackagesOfAnEnvironmentIntoOneNode(t *testing.T) {
	t.Parallel()
	draw := func(suffix string, nodes map[string]string) Drawing {
		b := graph.New()
		drawn := map[string]DrawnNode{}
		add := func(address string) string {
			id, n := address, DrawnNode{Address: address, Asked: digit(strings.Contains(address, "app"))}
			if suffix != "" {
				id, n.Op = id+"#"+suffix, suffix
			}
			n.ID = id
			drawn[id] = n
			b.AddNode(id)
			return id
		}
		for from := range nodes {
			add(from)
		}
		for from, to := range nodes {
			for _, dep := range strings.Fields(to) {
				if err := b.AddEdge(add(from), add(dep)); err != nil {
					t.Fatal(err)
				}
			}
		}
		dag, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return drawing(dag, drawn)
	}
	nodes := map[string]string{
		"environment.a/app@1/aaaaaaa": "environment.a/lib@1/bbbbbbb", "environment.a/lib@1/bbbbbbb": "",
		"environment.b/app@2/ccccccc": "environment.a/lib@1/bbbbbbb", "cache.buildcache.c": "",
		"environment.a":    "environment.a/app@1/aaaaaaa environment.a/lib@1/bbbbbbb cache.buildcache.c",
		"environment.b":    "environment.b/app@2/ccccccc environment.a/lib@1/bbbbbbb",
		"target.image.lab": "environment.b environment.b/app@2/ccccccc",
	}
	for name, test := range map[string]struct {
		suffix, a string
		nodes     string
		edges     int
		ops       int
	}{
		"objects": {"", "environment.a", "cache.buildcache.c environment.a environment.b target.image.lab", 3, 0},
		"steps":   {"build", "environment.a/*", "cache.buildcache.c#build environment.a#build environment.a/* environment.b#build environment.b/* target.image.lab#build", 7, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := draw(test.suffix, nodes).Collapse()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(d.DAG.Nodes(), " "); got != test.nodes || d.DAG.Edges() != test.edges {
				t.Errorf("%d edges, %s", d.DAG.Edges(), got)
			}
			for _, n := range d.Nodes {
				if n.ID == test.a && (n.Packages != 2 || n.Asked != 1 || n.Ops["build"] != test.ops) {
					t.Errorf("%+v", n)
				}
			}
		})
	}
}
