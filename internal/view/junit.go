package view

import (
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Limits of a JUnit report. GitLab reads files up to 30 MB and half a million
// cases; people read less.
const (
	junitCases     = 50000
	junitText      = 32 << 10 // bytes for the reason and the end of the log of one failure
	junitTexts     = 8 << 20  // bytes for those of all failures
	junitTailLines = 100
)

// JUnit writes how a run ended as a report in JUnit's XML, as far as the readers
// agree about it: GitLab's, Jenkins' and GitHub's actions. There is one suite, in
// which each step is a case, and the first case is the command itself, so that
// what goes wrong before the first step is seen too. Readers list what failed
// first; so does the file.
func JUnit(w io.Writer, e *Ended) error {
	suite := e.junitSuite()
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suites: []junitSuite{suite}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string       `xml:"name,attr"`
	Tests     int          `xml:"tests,attr"`
	Failures  int          `xml:"failures,attr"`
	Errors    int          `xml:"errors,attr"`
	Skipped   int          `xml:"skipped,attr"`
	Time      string       `xml:"time,attr"`
	Timestamp string       `xml:"timestamp,attr"`
	Cases     []junitCase  `xml:"testcase"`
	SystemOut *junitOutput `xml:"system-out"`
}

type junitCase struct {
	Class     string        `xml:"classname,attr"`
	Name      string        `xml:"name,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Time      string        `xml:"time,attr"`
	Failure   *junitProblem `xml:"failure"`
	Error     *junitProblem `xml:"error"`
	Skipped   *junitProblem `xml:"skipped"`
	SystemOut *junitOutput  `xml:"system-out"`
}

// junitProblem is why a case failed or was skipped: a line, and the whole.
type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// junitOutput is text that keeps its line breaks as they are. An empty one leaves
// the element out.
type junitOutput struct {
	Text string `xml:",cdata"`
}

func outputOf(text string) *junitOutput {
	if text == "" {
		return nil
	}
	return &junitOutput{text}
}

func (e *Ended) junitSuite() junitSuite {
	s := junitSuite{
		Name: "esd " + e.Command, Time: junitTime(e.Elapsed), Timestamp: e.Started.UTC().Format("2006-01-02T15:04:05"),
		Cases: []junitCase{e.junitCommand()},
	}
	steps, left := e.steps(), junitTexts
	for i, o := range steps {
		if i == junitCases {
			s.SystemOut = outputOf(Plural(len(steps)-i, "step") + " more are not listed here, to keep the report small; the summary (--summary) lists all.")
			break
		}
		c := e.junitStep(o, left)
		if c.Failure != nil {
			left -= len(c.Failure.Text)
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	return s
}

// junitCommand is the case of the command itself: an error where something was
// not in order beside failed steps.
func (e *Ended) junitCommand() junitCase {
	c := junitCase{Class: "esd", Name: e.Command, Time: junitTime(e.Elapsed), SystemOut: outputOf(junitClean(e.headline(), junitText))}
	var text []string
	for _, d := range e.diagnostics() {
		if d.Severity != "error" {
			continue
		}
		where := ""
		if d.Range != nil {
			where = fmt.Sprintf("%s:%d: ", d.Range.Filename, d.Range.Start.Line)
		}
		text = append(text, where+strings.TrimRight(d.Summary+"\n"+d.Detail, "\n"))
	}
	switch {
	case len(text) > 0:
		first, _, _ := strings.Cut(text[0], "\n")
		c.Error = &junitProblem{Message: junitClean(first, maxCommentReason), Type: e.Result, Text: junitClean(strings.Join(text, "\n\n"), junitText)}
	case e.Report != nil && e.Report.Interrupted:
		c.Error = &junitProblem{Message: "the run was interrupted", Type: e.Result}
	}
	return c
}

// headline says in a line how the command ended.
func (e *Ended) headline() string {
	switch {
	case e.Report != nil:
		return headline(e.Report, e.Plan) + ": " + tallyOf(e.Report, e.Plan).counts() + "."
	case e.Plan != nil && e.Plan.Empty():
		return noChanges(e.Plan.Mode)
	}
	return ""
}

// junitStep is the case of a step. A package belongs to the class of its
// environment, all else to that of its kind, and the name says what was done with
// what; no two cases have the same class and name.
func (e *Ended) junitStep(o endedStep, left int) junitCase {
	c := junitCase{Class: o.Step.Kind, Name: o.Step.Op + " " + o.Step.Address, Time: junitTime(o.Elapsed)}
	if environment, name := placeOf(o.Step.Kind, o.Step.Address); environment != "" {
		c.Class, c.Name = environment, o.Step.Op+" "+name
	}
	if e.File != nil {
		if file := e.path(e.File(o.Step.Address)); !filepath.IsAbs(file) {
			c.File = file // GitLab looks for it in the checkout
		}
	}
	switch o.result {
	case resultFailed:
		c.Failure = e.junitFailure(o, left)
	case resultSkipped:
		why := junitClean(skipReason(o), maxCommentReason)
		c.Skipped = &junitProblem{Message: why, Text: why}
	case resultReused:
		c.SystemOut = outputOf("There was nothing to do: the product existed already.")
	}
	c.Class, c.Name, c.File = junitClean(c.Class, junitText), junitClean(c.Name, junitText), junitClean(c.File, junitText)
	return c
}

// skipReason says why a step was not started.
func skipReason(o endedStep) string {
	switch cause := objectOf(o.Because); cause {
	case "":
		return "the run was stopped before"
	case o.Step.Address:
		return "its " + operationOf(o.Because) + " failed"
	default:
		return "needs " + cause + ", whose " + operationOf(o.Because) + " failed"
	}
}

// junitFailure says why a step failed, with the end of its log as far as there
// is room.
func (e *Ended) junitFailure(o endedStep, left int) *junitProblem {
	reason := shorten(reasonOf(o.Err), maxReason)
	text := junitClean(reason, maxReason)
	if o.Log != "" && left > 0 {
		tail := strings.Join(logTail(o.Log, junitTailLines), "\n")
		text += "\n\nThe end of " + e.path(o.Log) + ":\n" + lastBytes(junitClean(tail, len(tail)), junitText-len(text))
	}
	first, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	return &junitProblem{Message: junitClean(first, maxCommentReason), Type: o.Step.Op, Text: text}
}

// junitClean makes a text from outside fit for XML and for readers: lines
// without control characters, nor the two others that XML 1.0 does not allow, at
// most so many characters.
func junitClean(s string, limit int) string {
	text := strings.Join(Options{Unicode: true}.cleanLines(s), "\n")
	text = strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, text)
	return shorten(text, limit)
}

// lastBytes keeps the last whole lines of a text that fit.
func lastBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	_, rest, found := strings.Cut(s[len(s)-max(limit, 0):], "\n")
	if !found {
		return "…"
	}
	return "…\n" + rest
}

func junitTime(d time.Duration) string {
	return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 3, 64)
}
