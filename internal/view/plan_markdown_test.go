package view

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"esd/internal/plan"
)

// aHundredThousand is a plan of that many changes of all kinds.
func aHundredThousand() *plan.Plan {
	p := manyPackages(90000, 9000)
	for i := range 1000 {
		p.Changes = append(p.Changes, plan.Change{
			Address: fmt.Sprintf("target.image.t%04d", i), Kind: "target.image", Action: plan.Update, Reason: "recipe.zlib changed", Cause: "recipe.zlib",
		})
	}
	p.Changes = append(p.Changes, plan.Change{Address: "target.image.zzz", Kind: "target.image", Action: plan.Remove, Reason: "is no longer in the configuration"})
	for i := range 30 {
		environment := fmt.Sprintf("environment.e%02d", i)
		p.Changes = append(p.Changes,
			plan.Change{Address: environment, Kind: "environment", Action: plan.Update, Reason: "spec added: neuron"},
			plan.Change{Address: environment + "/neuron@8.2.6/abcdefg", Kind: "package", Action: plan.Build, Reason: "not in any cache", Asked: true})
	}
	p.Warnings = []string{"recipe.zlib uses the network while it builds"}
	p.Outputs = []plan.OutputChange{{Name: "lab", Unknown: true}}
	p.Summary.Update, p.Summary.Destroy = 1031, 1
	return p
}

func commentOn(t *testing.T, p *plan.Plan) string {
	t.Helper()
	return string(written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, p, MarkdownOptions{}) }))
}

func TestTheCommentOnAHundredThousandChangesKeepsWhatMatters(t *testing.T) {
	got := commentOn(t, aHundredThousand())
	if len(got) >= 65000 || utf8.RuneCountInString(got) >= 65000 {
		t.Errorf("%d bytes", len(got))
	}
	for _, want := range []string{
		"**90001 to build**", "**1031 to update**, **1 to destroy**", "uses the network", "<code>recipe.zlib</code>, version 1.3 → 1.3.1: 90,101 changes",
		"Targets (1,002)", "**-&nbsp;destroy** | <code>target.image.zzz</code>", "Environments (30)", "Packages: 89,100 to build, recipe.zlib changed",
		"Packages of environment.e29: 1 to build", "Packages: 9,000 to fetch", "recipe.package-000007", "**Outputs**", "**Forecast**", "longest path",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if got != commentOn(t, aHundredThousand()) {
		t.Error("equal plans give other bytes")
	}
}

func TestCommentsOfTwoPushesDifferOnlyAtTheEndWhereOnlyTheForecastDoes(t *testing.T) {
	one, two := oneFileChanged(), oneFileChanged()
	two.Forecast.Seconds, two.Forecast.Download, two.State.Serial = 7200, 5<<30, 99
	first, _, _ := strings.Cut(commentOn(t, one), "**Forecast**")
	second, _, _ := strings.Cut(commentOn(t, two), "**Forecast**")
	if first != second || first == "" {
		t.Errorf("%s\n---\n%s", first, second)
	}
}

func TestACommentIsFoundByItsMarker(t *testing.T) {
	p := emptyPlan()
	for name, test := range map[string]struct{ name, id, want string }{
		"by the name of the configuration": {"stack", "", "<!-- esd-plan stack -->"},
		"by what was asked for":            {"stack", "site/jusuf", "<!-- esd-plan site/jusuf -->"},
		"which may have dashes":            {"my-stack", "", "<!-- esd-plan my-stack -->"},
		"whatever is in the name":          {"a --> b", "", "<!-- esd-plan a_____b -->"},
		"without a name":                   {"", "", "<!-- esd-plan -->"},
	} {
		p.Config.Name = test.name
		got := written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, p, MarkdownOptions{ID: test.id}) })
		if first, _, _ := strings.Cut(string(got), "\n"); first != test.want {
			t.Errorf("%s: got %s, want %s", name, first, test.want)
		}
	}
}

func TestRoomIsSharedAmongTheLongSections(t *testing.T) {
	sections := []section{{weight: 3}, {weight: 1}, {weight: 1}, {weight: 1}}
	for name, test := range map[string]struct {
		room        int
		sizes, want []int
	}{
		"all fit":                        {1000, []int{100, 200, 300, 0}, []int{100, 200, 300, 0}},
		"the short ones get all":         {1000, []int{9000, 50, 9000, 50}, []int{675, 50, 225, 50}},
		"the long ones by weight":        {600, []int{9000, 9000, 9000, 9000}, []int{300, 100, 100, 100}},
		"a heavy one leaves what it can": {600, []int{60, 9000, 9000, 9000}, []int{60, 180, 180, 180}},
		"there is no room":               {0, []int{60, 9000, 0, 9000}, []int{0, 0, 0, 0}},
	} {
		got := shareRoom(test.room, sections, test.sizes)
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}

func BenchmarkTheCommentOn100000Changes(b *testing.B) {
	p := aHundredThousand()
	var w bytes.Buffer
	for b.Loop() {
		w.Reset()
		if err := PlanMarkdown(&w, p, MarkdownOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(w.Len()), "bytes")
	b.ReportMetric(float64(utf8.RuneCount(w.Bytes())), "characters")
}
