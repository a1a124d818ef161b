package view

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/plan"
)

func TestAnExplanationLeadsDownToTheLastCause(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := Why(&b, Explanation{
		Address: "target.image.lab", Title: "image lab", Action: plan.Update, Reason: "recipe.app changed", Drift: true,
		Chain: []ExplanationLink{
			{"target.image.lab", []string{"recipe.app changed"}},
			{"recipe.app", []string{"source file main.c changed", "version 1 \x1b[31m→ 2"}},
		},
		NeededBy: []string{"a", "b"}, Dependencies: []string{"recipe.app"},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `~ target.image.lab (image lab)
  will be updated: recipe.app changed
  This is drift: what exists is not what was recorded.

  the chain of causes:
    target.image.lab
      - recipe.app changed
      because of
      recipe.app
        - source file main.c changed
        - version 1 -> 2

  needed by a <- b

  depends on:
    recipe.app
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestValuesOfExpressionsAreWrittenInTheLanguage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value cty.Value
		want  string
	}{
		"a string":         {cty.StringVal("a\"${b}"), `"a\"$${b}"`},
		"a whole number":   {cty.NumberIntVal(12345678901234), "12345678901234"},
		"a fraction":       {cty.MustParseNumberVal("0.1"), "0.1"},
		"null":             {cty.NullVal(cty.String), "null"},
		"an unknown value": {cty.UnknownVal(cty.String), "(known after apply)"},
		"a marked value":   {cty.StringVal("hush").Mark("secret"), "(sensitive value)"},
		"an empty list":    {cty.EmptyTupleVal, "[]"},
		"a list":           {cty.ListVal([]cty.Value{cty.True}), "[\n  true,\n]"},
		"a marked element": {cty.ObjectVal(map[string]cty.Value{"b": cty.StringVal("hush").Mark(1), "a": cty.Zero}), "{\n  a = 0\n  b = (sensitive value)\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := Value(&b, test.value, Options{Unicode: true}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want+"\n", b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFindingsStandInGroups(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := Findings(&b, []Finding{
		{"tools", "cc", "ok", "/usr/bin/cc", ""}, {"tools", "make", "absent", "not found", ""},
		{"disk", "work", "broken", "full", "Make room."},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `tools
  + cc    /usr/bin/cc
  - make  not found

disk
  x work  full
          -> Make room.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPinsAreCounted(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	err := Pins{
		Changes:      []PinChange{{"image a", "", "1"}, {"image b", "1", "2"}, {"image c", "1", ""}},
		Environments: []EnvironmentChange{{"environment.sim", false, []string{"neuron 8.2.4 -> 8.2.6"}}},
		Unchanged:    4,
	}.Write(&b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `+ image a
    1
~ image b
    1 ->
    2
- image c (no longer in the configuration)
~ environment.sim
    neuron 8.2.4 -> 8.2.6

Pins: 1 added, 2 changed, 1 removed, 4 unchanged.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
