package view

import (
	"io"
	"time"
)

// SummaryJSON writes how a run ended as one JSON document (formats.md): what
// became of each step, with times, sizes and logs, and the counts. It is written
// of every end, also where nothing was run. It holds no sensitive value.
func SummaryJSON(w io.Writer, e *Ended) error {
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("esd_version", e.ESDVersion)
	d.member("command", e.Command)
	d.member("result", e.Result)
	d.member("exit_code", e.Code)
	d.member("started", e.Started.UTC().Format(time.RFC3339))
	d.member("elapsed_seconds", roundSeconds(e.Elapsed))
	if e.Plan != nil {
		d.member("config", e.Plan.Config)
		d.member("selection", e.Plan.Selection)
		d.member("planned", e.Plan.Summary)
		d.member("forecast", e.Plan.Forecast)
	}
	d.member("state", e.State)
	summarySteps(d, e)
	d.member("outputs", documentOutputs(e.Outputs))
	diagnostics := e.diagnostics()
	d.list("diagnostics", len(diagnostics), func(i int) any { return diagnostics[i] })
	return d.close()
}

// summarySteps writes what was done, and the counts of it.
func summarySteps(d *document, e *Ended) {
	var counts runCounts
	switch {
	case e.Report != nil:
		counts = runCountsOf(e)
	case e.Plan != nil && e.Plan.Empty():
		counts.Reused = e.Plan.Summary.Reused
	}
	ended := e.steps()
	steps := make([]summaryStep, len(ended))
	for i, s := range ended {
		steps[i] = e.summaryStep(s)
		counts.PeakMemory = max(counts.PeakMemory, steps[i].PeakMemory)
	}
	d.member("done", counts)
	d.member("log_dir", e.path(e.LogDir))
	d.list("steps", len(steps), func(i int) any { return &steps[i] })
}

// runCounts is what a run did, in numbers of objects; failed and skipped ones
// in numbers of steps.
type runCounts struct {
	Build   int `json:"built"`
	Fetch   int `json:"fetched"`
	Reused  int `json:"reused"`
	Push    int `json:"pushed"`
	Create  int `json:"created"`
	Update  int `json:"updated"`
	Destroy int `json:"destroyed"`
	Adopt   int `json:"adopted"`
	Forget  int `json:"forgotten"`
	Refresh int `json:"refreshed"`
	Move    int `json:"moved"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Downloaded and Uploaded are bytes; PeakMemory is that of the step that
	// took most, 0 where none was measured.
	Downloaded int64 `json:"downloaded"`
	Uploaded   int64 `json:"uploaded"`
	PeakMemory int64 `json:"peak_memory"`
	// WorkSeconds is the sum over the steps.
	WorkSeconds float64 `json:"work_seconds"`
}

func runCountsOf(e *Ended) runCounts {
	t := tallyOf(e.Report, e.Plan)
	c := runCounts{
		Build: t.built, Fetch: t.fetched, Reused: t.reused, Push: t.pushed, Create: t.created, Update: t.updated,
		Destroy: t.destroyed, Adopt: t.adopted, Forget: t.forgotten, Refresh: t.refreshed, Move: t.moved,
		Failed: t.failedSteps, Skipped: t.skippedSteps, Downloaded: e.Report.Downloaded, Uploaded: e.Report.Uploaded,
	}
	var work time.Duration
	for _, o := range e.steps() {
		work += o.Elapsed
	}
	c.WorkSeconds = roundSeconds(work)
	return c
}

// summaryStep is what became of one step.
type summaryStep struct {
	ID      string   `json:"id"`
	Address string   `json:"address"`
	Kind    string   `json:"kind"`
	Op      string   `json:"op"`
	Title   string   `json:"title,omitempty"`
	Result  string   `json:"result"`
	Seconds *float64 `json:"seconds,omitempty"`
	// Size of the product and PeakMemory in bytes, where they were measured.
	Size       int64  `json:"size,omitempty"`
	PeakMemory int64  `json:"peak_memory,omitempty"`
	Because    string `json:"because,omitempty"`
	Error      string `json:"error,omitempty"`
	Log        string `json:"log,omitempty"`
}

func (e *Ended) summaryStep(o endedStep) summaryStep {
	s := summaryStep{
		ID: o.Step.ID, Address: o.Step.Address, Kind: o.Step.Kind, Op: o.Step.Op, Title: o.Step.Title,
		Result: o.result, Because: o.Because, Log: e.path(o.Log),
	}
	if o.result != resultSkipped {
		seconds := roundSeconds(o.Elapsed)
		s.Seconds = &seconds
	}
	switch o.result {
	case resultFailed:
		s.Error = shorten(reasonOf(o.Err), maxReason)
	case resultDone:
		took := e.Durations[o.Step.DurationKey()]
		s.Size, s.PeakMemory = took.Size, took.PeakMemory
	}
	return s
}

// maxReason bounds why a step failed, in characters.
const maxReason = 8 << 10

// roundSeconds is a duration in seconds with three decimals.
func roundSeconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
