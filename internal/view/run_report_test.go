package view

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/state"
)

// anEnd is how the run of a plan ended, in a directory of its own.
func anEnd(t *testing.T, p *plan.Plan, k int) *Ended {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, ".esd", "logs", "r", "greet.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte("\x1b[1mcc\x1b[0m -c a.c\nfile.c:3: error: expected ';' \x00\x01\x0b\xff\ufffe\uffff ]]> & <b>\nmake: *** [all] Error 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := &Ended{
		ESDVersion: "0.1.0", Command: "apply", Plan: p, Report: aReport(p, k, log), Dir: dir, LogDir: filepath.Dir(log),
		Durations: map[string]state.Duration{p.Steps[0].ID: {Seconds: 12.3, PeakMemory: 3 << 30, Size: 4 << 20}},
		State:     plan.StateID{Lineage: "6f1c2f5e-0000-4000-8000-000000000000", Serial: 8}, Outputs: aState().Outputs, Result: "ok",
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Elapsed: 192 * time.Second,
		File: func(string) string { return filepath.Join(dir, "main.hcl") },
	}
	if len(e.Report.Failed) > 0 {
		e.Code, e.Result = 6, "partly_failed"
	}
	return e
}

// ends are the ways in which a command that applies can end.
func ends(t *testing.T) map[string]*Ended {
	t.Helper()
	complete, failed, stopped := anEnd(t, firstBuild(), 9), anEnd(t, firstBuild(), 1), anEnd(t, firstBuild(), 9)
	complete.Report.Done[1].Reused = true
	stopped.Code, stopped.Result, stopped.Report.Interrupted = 130, "interrupted", true
	stopped.Report.Skipped, stopped.Report.Done = []apply.Outcome{{Step: stopped.Report.Done[3].Step}}, stopped.Report.Done[:3]
	nothing := anEnd(t, firstBuild(), 9)
	nothing.Plan, nothing.Report, nothing.LogDir = emptyPlan(), nil, ""
	broken := &Ended{
		ESDVersion: "0.1.0", Command: "apply", Code: 1, Result: "error", Started: nothing.Started, Elapsed: 15 * time.Millisecond,
		Err: hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Unsupported argument", Detail: "versio is not known here; version is.",
			Subject: &hcl.Range{Filename: "main.hcl", Start: hcl.Pos{Line: 2, Column: 3, Byte: 14}, End: hcl.Pos{Line: 2, Column: 9, Byte: 20}}}},
	}
	unrecorded := anEnd(t, firstBuild(), 9)
	unrecorded.Report.Unrecorded, unrecorded.Code, unrecorded.Result, unrecorded.Outputs = true, 8, "state_out_of_reach", nil
	unrecorded.Err = errors.New("everything was done, but could not be recorded: the lock on the state was lost")
	declined := &Ended{ESDVersion: "0.1.0", Command: "destroy", Plan: destroyPlan(), Code: 7, Result: "declined", Started: nothing.Started,
		Err: errors.New("nothing was done: the plan was not agreed to")}
	return map[string]*Ended{"complete": complete, "failed": failed, "stopped": stopped, "nothing": nothing, "broken": broken, "declined": declined, "unrecorded": unrecorded}
}

func TestReportsOfAllEndsAreFrozen(t *testing.T) {
	for name, e := range ends(t) {
		t.Run(name, func(t *testing.T) {
			golden(t, "junit_"+name, written(t, func(b *bytes.Buffer) error { return JUnit(b, e) }))
			summary := written(t, func(b *bytes.Buffer) error { return SummaryJSON(b, e) })
			if !json.Valid(summary) {
				t.Error("the summary is no JSON document")
			}
			golden(t, "run_summary_"+name, summary)
		})
	}
}

// junitFile is what readers of JUnit's XML look at.
type junitFile struct {
	Suites []struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Class   string  `xml:"classname,attr"`
			Name    string  `xml:"name,attr"`
			Time    float64 `xml:"time,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
			Skipped *string `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestJUnitReportsCountWhatTheyList(t *testing.T) {
	all := ends(t)
	all["many"] = anEnd(t, manyPackages(60000, 0), 3)
	for name, e := range all {
		data := written(t, func(b *bytes.Buffer) error { return JUnit(b, e) })
		var file junitFile
		if err := xml.Unmarshal(data, &file); err != nil || len(file.Suites) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		suite := file.Suites[0]
		seen, failures, errs, skipped := map[string]bool{}, 0, 0, 0
		for _, c := range suite.Cases {
			if id := c.Class + "\x00" + c.Name; c.Class == "" || c.Name == "" || seen[id] {
				t.Errorf("%s: %q %q is there twice, or has no name", name, c.Class, c.Name)
			} else {
				seen[id] = true
			}
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				errs++
			}
			if c.Skipped != nil {
				skipped++
			}
		}
		if suite.Tests != len(suite.Cases) || suite.Failures != failures || suite.Errors != errs || suite.Skipped != skipped {
			t.Errorf("%s: %d tests, %d failures, %d errors, %d skipped are not what is listed", name, suite.Tests, suite.Failures, suite.Errors, suite.Skipped)
		}
		if len(data) > 30<<20 {
			t.Errorf("%s: %d bytes", name, len(data))
		}
	}
}

func TestLogsOfManyFailuresDoNotMakeAReportLarge(t *testing.T) {
	e := anEnd(t, manyPackages(600, 0), 0)
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte(strings.Repeat(strings.Repeat("é", 1000)+"\n", 200)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range e.Report.Skipped {
		e.Report.Failed = append(e.Report.Failed, apply.Outcome{Step: o.Step, Err: errors.New(strings.Repeat("x", 100000)), Log: log})
	}
	e.Report.Skipped = nil
	data := written(t, func(b *bytes.Buffer) error { return JUnit(b, e) })
	if len(data) > 30<<20 {
		t.Errorf("%d bytes", len(data))
	}
	if err := xml.Unmarshal(data, &junitFile{}); err != nil {
		t.Error(err)
	}
}

func TestGitLabCountsTheActionsInTheDocument(t *testing.T) {
	for name, p := range map[string]*plan.Plan{
		"empty": emptyPlan(), "first": firstBuild(), "changed": oneFileChanged(), "drift": driftPlan(), "destroy": destroyPlan(), "many": manyPackages(40, 30),
	} {
		var document struct {
			Changes []struct {
				Change struct{ Actions []string } `json:"change"`
			} `json:"resource_changes"`
		}
		if err := json.Unmarshal(written(t, func(b *bytes.Buffer) error { return PlanJSON(b, p) }), &document); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, c := range document.Changes {
			for _, action := range c.Change.Actions {
				counts[action]++
			}
		}
		want := fmt.Sprintf("{\"create\":%d,\"update\":%d,\"delete\":%d}\n", counts["create"], counts["update"], counts["delete"])
		if got := written(t, func(b *bytes.Buffer) error { return GitLabReport(b, p) }); string(got) != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestReportsHoldNoSensitiveOutput(t *testing.T) {
	e := anEnd(t, oneFileChanged(), 9) // its output "password" goes from hunter2 to hunter3
	for name, write := range map[string]func(*bytes.Buffer) error{
		"plan":    func(b *bytes.Buffer) error { return PlanJSON(b, e.Plan) },
		"comment": func(b *bytes.Buffer) error { return PlanMarkdown(b, e.Plan, MarkdownOptions{}) },
		"summary": func(b *bytes.Buffer) error { return SummaryJSON(b, e) },
		"junit":   func(b *bytes.Buffer) error { return JUnit(b, e) },
		"stream": func(b *bytes.Buffer) error {
			s := NewStream(b, "0.1.0", Clock{})
			s.Plan(e.Plan)
			s.Outputs(e.Outputs)
			return s.Stop()
		},
	} {
		if got := written(t, write); bytes.Contains(got, []byte("hunter")) {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

func TestTheSummaryBreaksBetweenWords(t *testing.T) {
	t.Parallel()
	p := firstBuild()
	text := string(written(t, func(b *bytes.Buffer) error { return Summary(b, aReport(p, 9, ""), p, Options{Width: 100}) }))
	if !strings.Contains(text, "0 failed, 0\nskipped.\n") {
		t.Error(text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
