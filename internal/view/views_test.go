package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/state"
)

func TestNothingToDoIsSaidInOneSentence(t *testing.T) {
	if got := planText(t, emptyPlan(), Options{Color: true, Unicode: true, Width: 80}); got != "No changes. Everything matches the configuration.\n" {
		t.Errorf("got %q", got)
	}
}

func TestTheSummaryLineHasAFixedShape(t *testing.T) {
	for want, s := range map[string]plan.Summary{
		"Plan: 3 to build, 1 to fetch, 212 reused; 1 to create, 1 to update, 0 to destroy.":                                                 {Build: 3, Fetch: 1, Reused: 212, Create: 1, Update: 1, Unchanged: 9},
		"Plan: 0 to build, 0 to fetch, 0 reused; 0 to create, 0 to update, 1 to destroy, 2 to adopt, 1 to forget, 4 to refresh, 5 to move.": {Destroy: 1, Adopt: 2, Forget: 1, Refresh: 4, Move: 5},
	} {
		if got := SummaryLine(s); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestEqualPlansGiveEqualBytes(t *testing.T) {
	p := manyPackages(500, 30)
	for range 3 {
		if planText(t, p, Options{}) != planText(t, manyPackages(500, 30), Options{}) {
			t.Fatal("text differs")
		}
		one := written(t, func(b *bytes.Buffer) error { return PlanJSON(b, p) })
		two := written(t, func(b *bytes.Buffer) error { return PlanJSON(b, manyPackages(500, 30)) })
		if !bytes.Equal(one, two) || !json.Valid(one) {
			t.Fatal("JSON differs or is none")
		}
	}
}

func TestACircleOfCausesDoesNotHangThePlan(t *testing.T) {
	p := manyPackages(60, 0)
	for i := range p.Changes {
		p.Changes[i].Cause = p.Changes[(i+1)%len(p.Changes)].Address
	}
	planText(t, p, Options{})
}

func TestNoTextOfAPlanReachesTheTerminalAsItIs(t *testing.T) {
	evil := "x\x1b]0;t\x07\x1b[2J\ny\u202e"
	p := firstBuild()
	p.Selection.Targets, p.Warnings = []string{evil}, []string{evil}
	for i := range p.Changes {
		c := &p.Changes[i]
		c.Address, c.Reason, c.From, c.Causes, c.Cause = c.Address+evil, evil, evil, []string{evil + "2"}, evil
	}
	p.Outputs = []plan.OutputChange{{Name: evil, Before: json.RawMessage(evil), After: json.RawMessage(`"` + "\u009b2J" + `"`)}}
	p.Steps[0].Address, p.Steps[0].Seconds, p.Forecast.Critical = evil, 1, []string{p.Steps[0].ID}
	got := planText(t, p, Options{Unicode: true})
	if strings.ContainsAny(got, "\x1b\x07\u009b\u202e") {
		t.Errorf("%q", got)
	}
}

func TestACommentStaysBelowTheLimitWhateverThePlan(t *testing.T) {
	huge := manyPackages(20000, 5000)
	huge.Warnings = strings.Split(strings.Repeat(strings.Repeat("w", 5000)+",", 100), ",")
	for i := range 500 {
		huge.Changes = append(huge.Changes, plan.Change{Address: fmt.Sprintf("target.image.t%d", i), Kind: "target.image", Action: plan.Update,
			Reason: strings.Repeat("<@日本>|", 1000), Causes: []string{strings.Repeat("`", 1000)}})
		huge.Outputs = append(huge.Outputs, plan.OutputChange{Name: strings.Repeat("n", 5000), After: json.RawMessage(`"` + strings.Repeat("v", 5000) + `"`)})
	}
	for name, p := range map[string]*plan.Plan{"huge": huge, "3000": manyPackages(3000, 100), "small": firstBuild()} {
		for _, limit := range []int{0, 20000, 3000, 600} {
			got := written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, p, MarkdownOptions{Bytes: limit}) })
			if limit == 0 {
				limit = 65000
			}
			if len(got) >= limit || !utf8.Valid(got) {
				t.Errorf("%s: %d bytes, the limit is %d", name, len(got), limit)
			}
			if !bytes.HasPrefix(got, []byte(MarkdownMarker("stack")+"\n### Plan: stack\n\n**")) {
				t.Errorf("%s: begins with %.80q", name, got)
			}
			if open, closed := bytes.Count(got, []byte("<details>")), bytes.Count(got, []byte("</details>")); open != closed {
				t.Errorf("%s in %d: %d details open, %d close", name, limit, open, closed)
			}
			t.Logf("%s in %d: %d bytes", name, limit, len(got))
		}
	}
	got := written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, manyPackages(3000, 100), MarkdownOptions{}) })
	for _, want := range []string{"more, left out", "recipe.package-000007", "target.image.lab", "longest path"} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("the comment of 3,000 packages lacks %q", want)
		}
	}
}

func TestACommentCannotBeBrokenByNames(t *testing.T) {
	evil := "</code></details>\n\n# x | `y` @all #12 !3 ~label <img src=x onerror=alert(1)> --> [a](https://x) &epic"
	p := firstBuild()
	for i := range p.Changes {
		p.Changes[i].Address, p.Changes[i].Reason = evil, evil
	}
	p.Warnings, p.Outputs[0].Name = []string{evil}, evil
	got := string(written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, p, MarkdownOptions{ID: evil}) }))
	for _, bad := range []string{"</details>", "<img", "@", "`", "](", "\n# ", " #12", " !3"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q got through:\n%s", bad, got)
		}
	}
	if n := strings.Count(got, "-->"); n != 1 {
		t.Errorf("%d comments end", n)
	}
}

func TestDetectFollowsTheConventions(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, test := range map[string]struct {
		env  map[string]string
		want Options
	}{
		"a file gets no colour":                 {map[string]string{"TERM": "xterm"}, Options{Unicode: true}},
		"colour can be forced":                  {map[string]string{"CLICOLOR_FORCE": "1"}, Options{Unicode: true, Color: true}},
		"0 does not force it":                   {map[string]string{"CLICOLOR_FORCE": "0"}, Options{Unicode: true}},
		"NO_COLOR wins":                         {map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "0"}, Options{Unicode: true}},
		"an empty NO_COLOR says nothing":        {map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": ""}, Options{Unicode: true, Color: true}},
		"a locale without UTF-8 is ASCII":       {map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, Options{}},
		"an empty variable leaves it to others": {map[string]string{"LC_ALL": "", "LANG": "de_DE.utf8"}, Options{Unicode: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Detect(file, func(name string) (string, bool) { v, ok := test.env[name]; return v, ok })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 1288490189: "1.2 GiB", 1<<63 - 1: "8.0 EiB", -2048: "-2.0 KiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.0s", 440 * time.Millisecond: "0.4s", 9960 * time.Millisecond: "10s", 59600 * time.Millisecond: "1m00s",
		192 * time.Second: "3m12s", 3720 * time.Second: "1h02m", 51 * time.Hour: "2d03h", -5: "0.0s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int]string{1: "1 step", 0: "0 steps", 1234567: "1,234,567 steps", -1000: "-1,000 steps"} {
		if got := Plural(n, "step"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestATableFitsItsTerminal(t *testing.T) {
	table := NewTable("CHECK", "RESULT", "WHAT TO DO")
	table.Row("user namespaces", "no", "ask the administrator to set kernel.unprivileged_userns_clone to 1, or run as root")
	table.Row("disk\x1b[31m 日本", "yes", "")
	var b bytes.Buffer
	for _, o := range []Options{{}, {Width: 60}, {Width: 20}} {
		if err := table.Write(&b, o); err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n")
	}
	golden(t, "table", b.Bytes())
}

func aState() *state.State {
	s := state.New("6f1c2f5e-0000-4000-8000-000000000000", "0.1.0")
	s.Serial = 7
	s.Put(&state.Object{Address: "recipe.greet", Kind: "recipe", Key: key("a"), When: "2026-01-01T00:00:00Z", Tainted: true,
		Attributes: state.Attributes{"prefix": "/opt/esd/greet", "size": json.Number("12345"), "files": []any{"bin/greet", "a \x1b[31m\"b\" ${c}"}}})
	s.Put(&state.Object{Address: `module.stack["a"].target.image.lab["zen3"]`, Kind: "target.image", Key: key("b"), PreventDestroy: true,
		Inputs: map[string]string{"entrypoint": "=/bin/sh", "source file a.c": "0123456789abcdef"}, Dependencies: []string{"recipe.greet"}})
	s.Outputs["lab"] = state.NewOutput(json.RawMessage(`["object",{"a":"string","b":"number"}]`), json.RawMessage(`{"a":"x","b":2.50}`))
	s.Outputs["tag"] = state.NewOutput(json.RawMessage(`"string"`), json.RawMessage(`"25.06"`))
	s.Outputs["token"] = state.NewSensitiveOutput(json.RawMessage(`"string"`))
	return s
}

func TestStateAndOutputsLookAsAgreed(t *testing.T) {
	s := aState()
	golden(t, "state", written(t, func(b *bytes.Buffer) error { return State(b, s, Options{Unicode: true}) }))
	golden(t, "state_json", written(t, func(b *bytes.Buffer) error { return StateJSON(b, s) }))
	golden(t, "outputs", written(t, func(b *bytes.Buffer) error { return Outputs(b, s.Outputs, Options{}) }))
	golden(t, "outputs_json", written(t, func(b *bytes.Buffer) error { return OutputsJSON(b, s.Outputs) }))
	got := written(t, func(b *bytes.Buffer) error { return StateList(b, s.Addresses(), Options{}) })
	if want := "module.stack[\"a\"].target.image.lab[\"zen3\"]\nrecipe.greet\n"; string(got) != want {
		t.Errorf("got %s", got)
	}
}

func TestARawOutputIsTheValueAndNothingElse(t *testing.T) {
	s := aState()
	if got := written(t, func(b *bytes.Buffer) error { return OutputRaw(b, "tag", s.Outputs["tag"]) }); string(got) != "25.06" {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"lab", "token"} {
		var b bytes.Buffer
		if err := OutputRaw(&b, name, s.Outputs[name]); err == nil || b.Len() > 0 {
			t.Errorf("%s: wrote %q, %v", name, b.String(), err)
		}
	}
}

func BenchmarkRenderingAPlanOf100000Changes(b *testing.B) {
	p := manyPackages(90000, 9999)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"terminal": func(w *bytes.Buffer) error { return Plan(w, p, Options{Unicode: true, Color: true, Width: 120}) },
		"json":     func(w *bytes.Buffer) error { return PlanJSON(w, p) },
		"markdown": func(w *bytes.Buffer) error { return PlanMarkdown(w, p, MarkdownOptions{}) },
	} {
		b.Run(name, func(b *testing.B) {
			var w bytes.Buffer
			for b.Loop() {
				w.Reset()
				if err := write(&w); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(w.Len()), "bytes")
		})
	}
	targets := manyPackages(100000, 0)
	for i := range targets.Changes {
		targets.Changes[i].Kind = "target.image"
	}
	b.Run("terminal, all targets", func(b *testing.B) {
		var w bytes.Buffer
		for b.Loop() {
			w.Reset()
			if err := Plan(&w, targets, Options{Unicode: true, Color: true, Width: 120}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(w.Len()), "bytes")
	})
}
