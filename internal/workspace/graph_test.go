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
