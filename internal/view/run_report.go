package view

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/state"
)

// Ended is how a command that applies has ended: what its reports are made of.
type Ended struct {
	ESDVersion string
	// Command is the name of the command: apply, destroy, fetch.
	Command string
	// Plan is nil where the command did not come to one.
	Plan *plan.Plan
	// Report is nil where nothing was run: there was nothing to do, the plan was
	// not agreed to, or something was not in order before.
	Report *apply.Report
	// Durations is what finished steps took, as the state records it.
	Durations map[string]state.Duration
	// State is the version of the state at the end.
	State plan.StateID
	// Outputs are those that are recorded.
	Outputs map[string]state.Output
	// Err is why the command ended other than by failed steps, and Warnings what
	// it warned of. Files are the sources that diagnostics are about.
	Err      error
	Warnings hcl.Diagnostics
	Files    map[string]*hcl.File
	// Code is the exit code, and Result its name.
	Code    int
	Result  string
	Started time.Time
	Elapsed time.Duration
	// LogDir is where the logs stand; empty if nothing was run.
	LogDir string
	// Dir is the working directory: paths below it are written relative to it, so
	// that they are those of a checkout, and of the artifacts of a job.
	Dir string
	// File tells in which file of the configuration an object is declared; it may
	// be nil.
	File func(address string) string
}

// Results of steps, in the order in which reports list them: what somebody has
// to look at first.
const (
	resultFailed  = "failed"
	resultSkipped = "skipped"
	resultReused  = "reused"
	resultDone    = "done"
)

// endedStep is a step and how it ended.
type endedStep struct {
	apply.Outcome
	result string
}

// steps lists what became of each step: failed ones first, then skipped ones,
// then those that are done, each in the order of the plan.
func (e *Ended) steps() []endedStep {
	if e.Report == nil {
		return nil
	}
	list := make([]endedStep, 0, len(e.Report.Failed)+len(e.Report.Skipped)+len(e.Report.Done))
	for _, o := range e.Report.Failed {
		list = append(list, endedStep{o, resultFailed})
	}
	for _, o := range e.Report.Skipped {
		list = append(list, endedStep{o, resultSkipped})
	}
	for _, o := range e.Report.Done {
		result := resultDone
		if o.Reused {
			result = resultReused
		}
		list = append(list, endedStep{o, result})
	}
	return list
}

// path is a path as it is written in reports.
func (e *Ended) path(path string) string {
	if path == "" || e.Dir == "" || !filepath.IsAbs(path) {
		return filepath.ToSlash(path)
	}
	if rel, err := filepath.Rel(e.Dir, path); err == nil && filepath.IsLocal(rel) {
		path = rel
	}
	return filepath.ToSlash(path)
}

// reported tells whether the error is more than an exit code.
func (e *Ended) reported() bool { return e.Err != nil && e.Err.Error() != "" }

// diagnostics are the warnings and the error, as programs read them.
func (e *Ended) diagnostics() []jsonDiagnostic {
	list := []jsonDiagnostic{}
	add := func(diags hcl.Diagnostics) {
		for _, d := range diags {
			if d != nil {
				list = append(list, jsonDiagnosticOf(d, e.Files))
			}
		}
	}
	add(e.Warnings)
	var diags hcl.Diagnostics
	switch {
	case !e.reported():
	case errors.As(e.Err, &diags):
		add(diags)
	default:
		for _, err := range joined(e.Err) {
			list = append(list, jsonDiagnosticOfError(err))
		}
	}
	return list
}
