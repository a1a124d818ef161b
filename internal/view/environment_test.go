package view

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
)

const sim = "environment.sim"

// somePackages is the plan after a lock changed of which some packages are in no
// cache: 24 to build, two of them for reasons of their own, 14 that are fetched to
// build them, 2 that another cache lacks, and what is made of them.
func somePackages() *plan.Plan {
	p := emptyPlan()
	add := func(name string, action plan.Action, reason string, asked bool) {
		p.Changes = append(p.Changes, plan.Change{Address: sim + "/" + name, Kind: "package", Action: action, Reason: reason, Asked: asked,
			Key: key("a"), NeededBy: sim})
		s := aStep(sim+"/"+name, string(action), string(action)+" "+name)
		s.Kind, s.Completes = "package", false
		p.Steps = append(p.Steps, s)
	}
	for i := range 22 {
		add(fmt.Sprintf("lib%02d@1.%d/%07d", i, i, i), plan.Build, "not in any cache", i%11 == 3)
	}
	add("lib05@1.5/abcdefg", plan.Build, "cache shared has it, but it cannot be used: its signature is by an unknown key", false)
	add("nest@3.8/gdxtm43", plan.Build, "--replace asks for it", true)
	for i := range 14 {
		add(fmt.Sprintf("tool%02d@2/%07d", i, i), plan.Fetch, "is in cache shared", false)
	}
	add("zlib-ng@2.3.2/o2pstof", plan.Push, "is in cache shared, but not in cache site yet", false)
	add("zstd@1.5/poiuytr", plan.Push, "is in cache shared, but not in cache site yet", false)
	step := func(name string) *plan.Step {
		for i := range p.Steps {
			if strings.HasPrefix(p.Steps[i].Address, sim+"/"+name) {
				return &p.Steps[i]
			}
		}
		panic(name)
	}
	step("nest").Needs, step("nest").Seconds = []string{step("lib05@1.5/0").ID, step("lib05@1.5/a").ID}, 1200
	step("lib05@1.5/a").Seconds = 35.4
	p.Changes = append(p.Changes,
		plan.Change{Address: sim, Kind: "environment", Action: plan.Update, Key: key("a"), PriorKey: key("b"), Reason: "package nest 3.7/abc → 3.8/gdxtm43",
			Causes: []string{"package nest 3.7/abc → 3.8/gdxtm43", "package lib00 1.0/abc → 1.0/def", "package old removed", "root changed"}},
		plan.Change{Address: "environment.viz", Kind: "environment", Action: plan.Update, Key: key("a"), PriorKey: key("a"), Drift: true,
			Reason: "3 of its 101 packages are not in its build caches"},
		plan.Change{Address: lab, Kind: "target.image", Action: plan.Update, Key: key("a"), PriorKey: key("b"), Reason: "base image sha256:aa → sha256:bb",
			Causes: []string{"base image sha256:aa → sha256:bb", "package nest 3.7/abc → 3.8/gdxtm43", "package lib00 1.0/abc → 1.0/def"}})
	last := aStep(lab, "publish", "publish image lab to oci:dist/lab", step("nest").ID)
	last.Seconds = 3
	p.Steps = append(p.Steps, last)
	p.Summary = plan.Summary{Build: 24, Fetch: 14, Reused: 63, Push: 2, Update: 3}
	p.Forecast = plan.Forecast{CPUs: 8, Seconds: 1238.4, WorkSeconds: 1238.4, Unknown: 38,
		Critical: []string{step("lib05@1.5/a").ID, step("nest").ID, last.ID}}
	return p
}

func TestPlansOfEnvironmentsLookAsAgreed(t *testing.T) {
	for name, o := range map[string]Options{
		"plan_environment":        {Unicode: true, Width: 100},
		"plan_environment_pipe":   {},
		"plan_environment_narrow": {Unicode: true, Width: 50},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, []byte(planText(t, somePackages(), o))) })
	}
	golden(t, "markdown_environment", written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, somePackages(), MarkdownOptions{}) }))
	p := somePackages()
	p.Changes = append(p.Changes[20:26:26], p.Changes[38:]...)
	p.Steps = p.Steps[:2]
	golden(t, "json_environment", written(t, func(b *bytes.Buffer) error { return PlanJSON(b, p) }))
}

func TestAPackageOfAnEnvironmentIsNamedOnceInTheLineOfAStep(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		step         plan.Step
		doing, where string
	}{
		"a build":            {plan.Step{Kind: "package", Op: "build", Address: sim + "/nest@3.8/gdxtm43", Title: "build nest 3.8"}, "build nest@3.8/gdxtm43", sim},
		"sources":            {plan.Step{Kind: "package", Op: "sources", Address: sim + "/nest@3.8/gdxtm43"}, "sources of nest@3.8/gdxtm43", sim},
		"an instance":        {plan.Step{Kind: "package", Op: "push", Address: sim + `["a/b"]/nest@3.8/gdxtm43`}, "push nest@3.8/gdxtm43", sim + `["a/b"]`},
		"an image":           {plan.Step{Kind: "target.image", Op: "assemble", Address: lab, Title: "assemble image lab"}, "assemble image lab", lab},
		"what has no title":  {plan.Step{Kind: "recipe", Op: "build", Address: "recipe.a"}, "build", "recipe.a"},
		"what is no address": {plan.Step{Kind: "package", Op: "build", Address: "?"}, "build", "?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doing, where := stepWords(&test.step)
			if diff := cmp.Diff([]string{test.doing, test.where}, []string{doing, where}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNamesFillRowsAtTabStops(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := newPrinter(&b, Options{Width: 40})
	rows := p.grid(2, []string{"a", "bb", "ccc", "dddd", "eeeee", "a-very-long-name-of-a-package", "f", "gg", "hhh", "iiii", "jjjjj"}, 9)
	if err := p.flush(); err != nil {
		t.Fatal(err)
	}
	want := "  a      bb     ccc    dddd   eeeee\n  a-very-long-name-of-a-package      f\n  gg     hhh    iiii   jjjjj\n"
	if diff := cmp.Diff(want, b.String()); diff != "" || rows != 3 {
		t.Errorf("%d rows, -want +got:\n%s", rows, diff)
	}
}

func TestAPackageOfAnotherVersionTellsMoreThanOneOfAnotherHash(t *testing.T) {
	t.Parallel()
	hash := "package a 1.0/aaa → 1.0/bbb"
	for name, test := range map[string]struct {
		reason string
		causes []string
		want   string
		more   []string
	}{
		"one change":             {hash, []string{hash}, hash, nil},
		"another version":        {hash, []string{hash, "package b 1/c → 2/d"}, "package b 1/c → 2/d (and 1 more package)", nil},
		"a package that is gone": {hash, []string{hash, "package z removed"}, "package z removed (and 1 more package)", nil},
		"hashes only":            {hash, []string{hash, "package b 1/c → 1/d"}, hash + " (and 1 more package)", nil},
		"more than packages":     {"root changed", []string{"root changed", hash, "package b 1/c → 2/d"}, "root changed", []string{"package b 1/c → 2/d (and 1 more package)"}},
		"what is said behind it": {hash + "; exists as wanted", []string{hash, "package b 1/c → 1/d"}, hash + " (and 1 more package); exists as wanted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &plan.Change{Kind: "environment", Address: sim, Action: plan.Update, Reason: test.reason, Causes: test.causes}
			got := Options{Unicode: true}.reason(c, nil)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.more, moreCauses(c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
