package view

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"esd/internal/apply"
	"esd/internal/plan"
)

func TestThePlanForPeopleLooksAsAgreed(t *testing.T) {
	for name, test := range map[string]struct {
		plan    *plan.Plan
		options Options
	}{
		"plan_empty":           {emptyPlan(), Options{Unicode: true}},
		"plan_first_build":     {firstBuild(), Options{Unicode: true}},
		"plan_first_color":     {firstBuild(), Options{Unicode: true, Color: true, Width: 100}},
		"plan_file_changed":    {oneFileChanged(), Options{Unicode: true, Width: 100}},
		"plan_ascii":           {oneFileChanged(), Options{}},
		"plan_drift":           {driftPlan(), Options{Unicode: true, Width: 100}},
		"plan_destroy":         {destroyPlan(), Options{Unicode: true, Width: 100}},
		"plan_3000_packages":   {manyPackages(3000, 212), Options{Unicode: true, Width: 100}},
		"plan_narrow_terminal": {oneFileChanged(), Options{Unicode: true, Width: 30}},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, []byte(planText(t, test.plan, test.options))) })
	}
}

func TestTheOtherFormsOfAPlanAreFrozen(t *testing.T) {
	for name, p := range map[string]*plan.Plan{
		"empty": emptyPlan(), "first_build": firstBuild(), "file_changed": oneFileChanged(), "drift": driftPlan(), "destroy": destroyPlan(),
	} {
		t.Run(name, func(t *testing.T) {
			golden(t, "json_"+name, written(t, func(b *bytes.Buffer) error { return PlanJSON(b, p) }))
			golden(t, "markdown_"+name, written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, p, MarkdownOptions{ID: name}) }))
		})
	}
}

func TestTheSummaryOfARunLooksAsAgreed(t *testing.T) {
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var log strings.Builder
	for i := range 60 {
		fmt.Fprintf(&log, "\x1b[1mcc\x1b[0m -c file%d.c\n", i)
	}
	log.WriteString("10%\r50%\rfile.c:3:\terror: expected ';'\nmake: *** [Makefile:12: all] Error 2\n")
	if err := os.WriteFile("greet.log", []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	many := manyPackages(300, 0)
	stopped := aReport(many, 3, "")
	stopped.Interrupted = true
	for i := range stopped.Skipped[200:] {
		stopped.Skipped[200+i].Because = ""
	}
	texts := map[string][]byte{}
	for name, test := range map[string]struct {
		report  *apply.Report
		plan    *plan.Plan
		options Options
	}{
		"summary_ok":          {aReport(firstBuild(), 9, ""), firstBuild(), Options{Unicode: true, Width: 100}},
		"summary_failed":      {aReport(firstBuild(), 1, "greet.log"), firstBuild(), Options{Unicode: true, Width: 100}},
		"summary_narrow":      {aReport(firstBuild(), 1, "greet.log"), firstBuild(), Options{Width: 32}},
		"summary_interrupted": {stopped, many, Options{Unicode: true, Width: 100}},
	} {
		texts[name] = written(t, func(b *bytes.Buffer) error { return Summary(b, test.report, test.plan, test.options) })
	}
	t.Chdir(home)
	for name, text := range texts {
		golden(t, name, text)
	}
}
