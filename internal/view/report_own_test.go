package view

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestReportsAreKnownAgain(t *testing.T) {
	t.Parallel()
	reports := map[string][]byte{
		"a plan":             written(t, func(b *bytes.Buffer) error { return PlanJSON(b, firstBuild()) }),
		"a comment":          written(t, func(b *bytes.Buffer) error { return PlanMarkdown(b, firstBuild(), MarkdownOptions{}) }),
		"a nameless comment": []byte(MarkdownMarker("") + "\n"),
		"GitLab's numbers":   written(t, func(b *bytes.Buffer) error { return GitLabReport(b, firstBuild()) }),
		"a state":            written(t, func(b *bytes.Buffer) error { return StateJSON(b, aState()) }),
		"a stream": written(t, func(b *bytes.Buffer) error {
			return NewStream(b, "0.1.0-dev+3", Clock{}).Stop()
		}),
	}
	for name, e := range ends(t) {
		reports["JUnit's XML, "+name] = written(t, func(b *bytes.Buffer) error { return JUnit(b, e) })
		reports["a summary, "+name] = written(t, func(b *bytes.Buffer) error { return SummaryJSON(b, e) })
	}
	for name, data := range reports {
		if !IsReport(data[:min(len(data), ReportHead)]) {
			t.Errorf("%s is not known: %.100q", name, data)
		}
	}
}

func TestNothingElseIsTakenForAReport(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":                      "",
		"notes":                        "precious\n",
		"notes about a report":         "see <!-- esd-plan stack -->\n",
		"a plan of another tool":       `{"format_version":"1.2","terraform_version":"1.5.0"}`,
		"the stream of another tool":   `{"@level":"info","@message":"Terraform 1.5.0","@module":"terraform.ui"}`,
		"a report of other tests":      "<?xml version=\"1.0\"?>\n<testsuites>\n  <testsuite name=\"pytest\">",
		"numbers with more behind":     `{"create":1,"update":0,"delete":0}` + "\nmine\n",
		"a saved plan":                 `{"format":"esd-plan","format_version":1,`,
		"a configuration":              "recipe \"a\" {\n",
		"a state as a backend has it":  "{\n\"format_version\":1,\n\"esd_version\":\"0.1.0\"",
		"a comment of some other tool": "<!-- esd-planner -->\n",
	} {
		if IsReport([]byte(text)) {
			t.Errorf("%s is taken for a report", name)
		}
	}
	if data, err := os.ReadFile(filepath.Join("testdata", "junit_failed.golden")); err != nil || !IsReport(data[:ReportHead]) {
		t.Error("the golden file of a report is none:", err)
	}
}
