package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"esd/internal/apply"
	"esd/internal/plan"
)

// imagePlan is one image whose check stands between assembly and publication.
func imagePlan() *plan.Plan {
	p := emptyPlan()
	p.Changes = []plan.Change{{Address: lab, Kind: "target.image", Action: plan.Create, Reason: "does not exist yet"}}
	p.Steps = []plan.Step{
		aStep(lab, "check", "check lab"), aStep(lab, "assemble", "assemble lab", lab+"#check"), aStep(lab, "publish", "publish lab", lab+"#assemble"),
	}
	return p
}

func TestAnObjectIsNotSaidToNeedItself(t *testing.T) {
	p := imagePlan()
	text := string(written(t, func(b *bytes.Buffer) error { return Summary(b, aReport(p, 0, ""), p, Options{}) }))
	if want := "2 steps of " + lab + " because its check failed\n"; !strings.Contains(text, want) {
		t.Errorf("%q is missing:\n%s", want, text)
	}
	other := aStep("target.image.other", "publish", "publish other", lab+"#publish")
	p.Steps = append(p.Steps, other)
	text = string(written(t, func(b *bytes.Buffer) error { return Summary(b, aReport(p, 0, ""), p, Options{}) }))
	if want := "3 steps because check of " + lab + " failed: " + lab; !strings.Contains(text, want) {
		t.Errorf("%q is missing:\n%s", want, text)
	}
	for want, steps := range map[string][]plan.Step{
		lab + " skipped: its check failed":                               p.Steps[1:2],
		"2 steps of " + lab + " skipped: its check failed":               p.Steps[1:3],
		"3 steps skipped: they need " + lab + ", which failed":           p.Steps[1:4],
		"target.image.other skipped: it needs " + lab + ", which failed": p.Steps[3:],
	} {
		var s skipped
		for i := range steps {
			s.add(apply.Event{Kind: apply.StepSkipped, Step: &steps[i], Because: lab + "#check"})
		}
		if got := s.text(" skipped"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAnEndedStepWasInterrupted(t *testing.T) {
	p := imagePlan()
	r := aReport(p, 0, "")
	r.Failed[0].Err = fmt.Errorf("running the check: %w", context.Canceled)
	r.Interrupted = true
	text := string(written(t, func(b *bytes.Buffer) error { return Summary(b, r, p, Options{}) }))
	if !strings.Contains(text, "    interrupted\n") || strings.Contains(text, "canceled") {
		t.Error(text)
	}
	if got := firstLine(r.Failed[0].Err); got != "interrupted" {
		t.Error(got)
	}
	if got := firstLine(errors.New("one\ntwo")); got != "one" {
		t.Error(got)
	}
}

func TestARunWithoutStepsDoesNotCountThem(t *testing.T) {
	var b bytes.Buffer
	f := NewPlain(&b, Options{}, Clock{})
	f.Event(apply.Event{Kind: apply.RunStarted, Time: time.Unix(0, 0)})
	f.Event(apply.Event{Kind: apply.RunDone, Time: time.Unix(1, 0)})
	if err := f.Stop(); err != nil || b.Len() > 0 {
		t.Errorf("%v: %q", err, b.String())
	}
}

func TestTheTailOfALogIsWhatTheProgramSaid(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(log, []byte("esd: building x\nesd: sandbox none\ncc a.c\na.c:1: besd: no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(logTail(log, 3), "|"); got != "cc a.c|a.c:1: besd: no" {
		t.Error(got)
	}
}

func TestAForecastSaysSomething(t *testing.T) {
	nothingKnown := imagePlan()
	nothingKnown.Forecast = plan.Forecast{CPUs: 2, Unknown: 3, UnknownUpload: 3}
	destroyed := destroyPlan()
	destroyed.Forecast = plan.Forecast{CPUs: 1, Seconds: 3}
	for name, p := range map[string]*plan.Plan{"nothing is known": nothingKnown, "a destroy": destroyed, "no steps": emptyPlan()} {
		if got := planText(t, p, Options{}); strings.Contains(got, "Forecast") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	if got := planText(t, firstBuild(), Options{}); !strings.Contains(got, "Forecast") {
		t.Errorf("the download is known:\n%s", got)
	}
}
