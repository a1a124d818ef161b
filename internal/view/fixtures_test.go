package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); run with -update if that is wanted:\n%s", path, diff)
	}
}

// written is what a view writes.
func written(t *testing.T, write func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func planText(t *testing.T, p *plan.Plan, o Options) string {
	t.Helper()
	return string(written(t, func(b *bytes.Buffer) error { return Plan(b, p, o) }))
}

func key(c string) string { return strings.Repeat(c, 64) }

// aStep is a step whose duration and bytes are unknown.
func aStep(address, op, title string, needs ...string) plan.Step {
	kind, _, _ := strings.Cut(address, ".")
	if kind == "target" {
		kind = "target.image"
	}
	return plan.Step{
		ID: address + "#" + op, Address: address, Kind: kind, Op: op, Title: title, Key: key("a"), Needs: needs,
		Completes: true, Seconds: -1, Resources: providers.Resources{CPUs: 1},
	}
}

const lab = `target.image.lab["zen3"]`

func emptyPlan() *plan.Plan {
	return &plan.Plan{
		FormatVersion: plan.FormatVersion, ESDVersion: "0.1.0", Mode: plan.Apply, Changes: []plan.Change{}, Steps: []plan.Step{},
		Config: plan.ConfigID{Path: ".", Name: "stack", Digest: key("c")}, Forecast: plan.Forecast{CPUs: 2},
		Summary: plan.Summary{Reused: 3, Unchanged: 1},
	}
}

// firstBuild is the first plan of three recipes and an image.
func firstBuild() *plan.Plan {
	p := emptyPlan()
	made := func(address, title string, action plan.Action, reason, neededBy string) plan.Change {
		return plan.Change{Address: address, Kind: "recipe", Title: title, Action: action, Reason: reason, NeededBy: neededBy,
			Key: key("a"), Attributes: map[string]any{"prefix": "/opt/esd/" + strings.ReplaceAll(title, " ", "-")}}
	}
	image := made(lab, "lab", plan.Create, "does not exist yet", "")
	image.Kind, image.Attributes, image.Unknown = "target.image", nil, []string{"digest", "size"}
	p.Changes = []plan.Change{
		made("recipe.greet", "greet 1.2.0", plan.Build, "not in any cache", lab),
		made("recipe.libgreet", "libgreet 2.0", plan.Build, "not in any cache", "recipe.greet"),
		made("recipe.tools", "tools 0.9", plan.Build, "not in any cache", lab),
		image,
	}
	p.Steps = []plan.Step{
		aStep("recipe.libgreet", "build", "build libgreet 2.0"),
		aStep("recipe.tools", "build", "build tools 0.9"),
		aStep("recipe.greet", "build", "build greet 1.2.0", "recipe.libgreet#build"),
		aStep(lab, "publish", "publish lab", "recipe.greet#build", "recipe.tools#build"),
	}
	p.Steps[3].Upload, p.Steps[3].Download, p.Steps[3].Spec = -1, 31<<20, json.RawMessage(`{"base":"debian:12-slim"}`)
	p.Outputs = []plan.OutputChange{{Name: "lab", Unknown: true}}
	p.Summary = plan.Summary{Build: 3, Create: 1}
	p.Forecast = plan.Forecast{CPUs: 2, Unknown: 4, Download: 31 << 20, UnknownUpload: 1}
	return p
}

// oneFileChanged is the plan after one source file was edited.
func oneFileChanged() *plan.Plan {
	p := emptyPlan()
	p.State = plan.StateID{Lineage: "6f1c2f5e-0000-4000-8000-000000000000", Serial: 7}
	p.Changes = []plan.Change{
		{Address: "recipe.greet", Kind: "recipe", Action: plan.Build, Reason: "recipe.libgreet changed", Cause: "recipe.libgreet",
			Causes: []string{"recipe.libgreet changed"}, Key: key("a"), PriorKey: key("b")},
		{Address: "recipe.libgreet", Kind: "recipe", Action: plan.Build, Reason: "source file src/greet.c changed", NeededBy: "recipe.greet",
			Causes: []string{"source file src/greet.c changed", "version 2.0 → 2.1"}, Key: key("a"), PriorKey: key("b")},
		{Address: lab, Kind: "target.image", Action: plan.Update, Reason: "recipe.greet changed", Cause: "recipe.greet",
			Causes: []string{"recipe.greet changed", "recipe.libgreet changed"}, Key: key("a"), PriorKey: key("b"), Unknown: []string{"digest"}},
	}
	p.Steps = []plan.Step{
		aStep("recipe.libgreet", "build", "build libgreet 2.1"),
		aStep("recipe.greet", "build", "build greet 1.2.0", "recipe.libgreet#build"),
		aStep(lab, "publish", "publish lab", "recipe.greet#build"),
	}
	p.Steps[0].Seconds, p.Steps[1].Seconds = 192, 41.5
	p.Outputs = []plan.OutputChange{
		{Name: "lab", Before: json.RawMessage(`"sha256:77aa"`), Unknown: true},
		{Name: "password", Sensitive: true, Before: json.RawMessage(`"hunter2"`), After: json.RawMessage(`"hunter3"`)},
		{Name: "versions", Before: json.RawMessage(`{"libgreet":"2.0"}`), After: json.RawMessage(`{"greet":"1.2.0","libgreet":"2.1"}`)},
		{Name: "old", Before: json.RawMessage(`[1,2.50]`), Removed: true},
	}
	p.Warnings = []string{"recipe.greet uses the network while it builds: its result may differ from run to run."}
	p.Summary = plan.Summary{Build: 2, Reused: 1, Update: 1, Unchanged: 11}
	p.Forecast = plan.Forecast{CPUs: 8, Seconds: 233.5, WorkSeconds: 233.5, Unknown: 1, UnknownUpload: 1, Upload: 0,
		Critical: []string{"recipe.libgreet#build", "recipe.greet#build", lab + "#publish"}}
	return p
}

func driftPlan() *plan.Plan {
	p := emptyPlan()
	p.Changes = []plan.Change{
		{Address: "recipe.greet", Kind: "recipe", Action: plan.Build, Reason: "was built, but is in no cache any more", Drift: true, Key: key("a"), PriorKey: key("a")},
		{Address: lab, Kind: "target.image", Action: plan.Update, Drift: true, Key: key("a"), PriorKey: key("a"),
			Reason: "registry.example.org/esd/lab:25.06 points to sha256:0123456789abcdef, not to sha256:fedcba9876543210"},
		{Address: "target.image.other", Kind: "target.image", Action: plan.Adopt, Reason: "exists as wanted", From: "target.image.another", Key: key("a")},
	}
	p.Steps = []plan.Step{aStep("recipe.greet", "build", "build greet 1.2.0"), aStep(lab, "publish", "publish lab", "recipe.greet#build")}
	p.Steps[0].Seconds, p.Steps[1].Seconds, p.Steps[1].Upload = 12, 3, 1<<30+200<<20
	p.Summary = plan.Summary{Build: 1, Reused: 2, Update: 1, Adopt: 1}
	p.Forecast = plan.Forecast{CPUs: 1, Seconds: 15, WorkSeconds: 15, Upload: 1<<30 + 200<<20, Critical: []string{"recipe.greet#build", lab + "#publish"}}
	return p
}

func destroyPlan() *plan.Plan {
	p := emptyPlan()
	p.Mode = plan.Destroy
	p.Selection.Targets = []string{"target.image.lab"}
	p.Changes = []plan.Change{
		{Address: "recipe.greet", Kind: "recipe", Action: plan.Forget, Reason: "everything is to be destroyed", PriorKey: key("b")},
		{Address: lab, Kind: "target.image", Action: plan.Remove, Reason: "everything is to be destroyed", PriorKey: key("b"),
			Attributes: map[string]any{"digest": "sha256:77aa"}},
	}
	p.Steps = []plan.Step{aStep(lab, "unpublish", "remove registry.example.org/esd/lab:25.06")}
	p.Outputs = []plan.OutputChange{{Name: "lab", Before: json.RawMessage(`"sha256:77aa"`), Removed: true}}
	p.Summary = plan.Summary{Destroy: 1, Forget: 1}
	p.Forecast = plan.Forecast{CPUs: 1, Unknown: 1}
	return p
}

// manyPackages is a plan of n packages to build and a few others, most of
// them because of one.
func manyPackages(n, fetches int) *plan.Plan {
	p := emptyPlan()
	for i := range n {
		c := plan.Change{Address: fmt.Sprintf("recipe.package-%06d", i), Kind: "recipe", Action: plan.Build, Key: key("a"), PriorKey: key("b"),
			Reason: "recipe.zlib changed", Cause: "recipe.zlib"}
		if i%100 == 7 {
			c.Reason, c.Cause = fmt.Sprintf("version 1.%d → 2.%d", i, i), ""
		}
		p.Changes = append(p.Changes, c)
		s := aStep(c.Address, "build", "build "+c.Address)
		s.Seconds = float64(i % 60)
		p.Steps = append(p.Steps, s)
	}
	for i := range fetches {
		p.Changes = append(p.Changes, plan.Change{Address: fmt.Sprintf("recipe.remote-%06d", i), Kind: "recipe", Action: plan.Fetch, Reason: "is in registry.example.org/cache"})
	}
	p.Changes = append(p.Changes,
		plan.Change{Address: "recipe.zlib", Kind: "recipe", Action: plan.Build, Reason: "version 1.3 → 1.3.1", Key: key("a"), PriorKey: key("b")},
		plan.Change{Address: lab, Kind: "target.image", Action: plan.Update, Reason: "recipe.zlib changed", Cause: "recipe.zlib"})
	p.Summary = plan.Summary{Build: n + 1, Fetch: fetches, Reused: 212, Update: 1}
	p.Forecast = plan.Forecast{CPUs: 64, Seconds: 5520, WorkSeconds: 353280, Download: 3 << 30}
	for i := range min(n, 9) {
		p.Forecast.Critical = append(p.Forecast.Critical, p.Steps[(i*7)%len(p.Steps)].ID)
	}
	return p
}

// aReport is how the run of p ended, step k having failed and all after it
// having been skipped because of it.
func aReport(p *plan.Plan, k int, log string) *apply.Report {
	r := &apply.Report{Elapsed: 192 * time.Second, Downloaded: 31 << 20, Uploaded: 1<<30 + 200<<20}
	for i := range p.Steps {
		s := &p.Steps[i]
		switch {
		case i < k:
			r.Done = append(r.Done, apply.Outcome{Step: s, Elapsed: 12300 * time.Millisecond})
		case i == k:
			r.Failed = append(r.Failed, apply.Outcome{Step: s, Elapsed: 72 * time.Second, Log: log,
				Err: errors.New("the script ended with exit status 2\nmake: *** [Makefile:12: all] Error 2")})
		default:
			r.Skipped = append(r.Skipped, apply.Outcome{Step: s, Because: p.Steps[k].ID})
		}
	}
	return r
}
