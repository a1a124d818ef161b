package view

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/state"
)

// progressEvery is how often the stream tells of the progress of one step.
const progressEvery = 10 * time.Second

// timeFormat is that of Terraform's stream.
const timeFormat = "2006-01-02T15:04:05.000000Z07:00"

// Stream writes one JSON object a line, with the keys and, where they fit, the
// types of Terraform's machine-readable interface (formats.md). It follows
// runs, and tells of plans, diagnostics and outputs besides.
type Stream struct {
	clock Clock

	mu      sync.Mutex
	enc     *json.Encoder
	board   board
	changes map[string]*plan.Change
	plan    *plan.Plan
	err     error
	pulse   *pulse
}

// NewStream begins a stream with its version message.
func NewStream(w io.Writer, esdVersion string, c Clock) *Stream {
	s := &Stream{clock: c.orReal(), enc: json.NewEncoder(w)}
	s.enc.SetEscapeHTML(false)
	s.write(message{Type: "version", Message: "esd " + esdVersion, ESD: esdVersion, UI: FormatVersion})
	s.pulse = startPulse(s.clock, heartbeat, s.beat)
	return s
}

// message is a line of the stream. One type of message uses few of its
// members; formats.md says which.
type message struct {
	Level      string                    `json:"@level"`
	Message    string                    `json:"@message"`
	Module     string                    `json:"@module"`
	Timestamp  string                    `json:"@timestamp"`
	Type       string                    `json:"type"`
	ESD        string                    `json:"esd,omitempty"`
	UI         string                    `json:"ui,omitempty"`
	Change     *streamChange             `json:"change,omitempty"`
	Changes    *streamSummary            `json:"changes,omitempty"`
	Hook       *streamHook               `json:"hook,omitempty"`
	Diagnostic *jsonDiagnostic           `json:"diagnostic,omitempty"`
	Outputs    map[string]documentOutput `json:"outputs,omitempty"`
	Run        *streamRun                `json:"run,omitempty"`
}

// write fills in what all messages have, and writes the line.
func (s *Stream) write(m message) {
	if m.Level == "" {
		m.Level = "info"
	}
	m.Module = "esd.ui"
	m.Timestamp = s.clock.Now().UTC().Format(timeFormat)
	if s.err == nil {
		s.err = s.enc.Encode(m)
	}
}

// Plan tells of each change of a plan, and of their numbers.
func (s *Stream) Plan(p *plan.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range p.Changes {
		c := &p.Changes[i]
		change := streamChangeOf(c, p.Mode)
		if c.Drift {
			drift := *change
			drift.Action, drift.Reason = resourceDriftOf(c).Change.Actions[0], ""
			s.write(message{Type: "resource_drift", Message: c.Address + ": Drift detected: " + c.Reason, Change: &drift})
		}
		s.write(message{Type: "planned_change", Message: fmt.Sprintf("%s: Plan to %s", c.Address, c.Action), Change: change})
	}
	counts := SummaryLine(p.Summary)
	if p.Empty() {
		counts = noChanges(p.Mode)
	}
	s.write(message{Type: "change_summary", Message: counts, Changes: plannedSummary(p)})
	if len(p.Outputs) > 0 {
		s.write(message{Type: "outputs", Message: "Outputs: " + strconv.Itoa(len(p.Outputs)), Outputs: plannedOutputs(p.Outputs)})
	}
}

// Diagnostics tells of diagnostics, one a line.
func (s *Stream) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range diags {
		if d == nil {
			continue
		}
		j := jsonDiagnosticOf(d, files)
		s.diagnostic(j)
	}
}

// Error tells of an error that is no diagnostic.
func (s *Stream) Error(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range joined(err) {
		s.diagnostic(jsonDiagnosticOfError(e))
	}
}

func (s *Stream) diagnostic(j jsonDiagnostic) {
	level, word := "error", "Error: "
	if j.Severity == "warning" {
		level, word = "warn", "Warning: "
	}
	s.write(message{Level: level, Type: "diagnostic", Message: word + j.Summary, Diagnostic: &j})
}

// Outputs tells the values of outputs; those of sensitive ones are left out.
func (s *Stream) Outputs(outputs map[string]state.Output) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(message{Type: "outputs", Message: "Outputs: " + strconv.Itoa(len(outputs)), Outputs: documentOutputs(outputs)})
}

// Stop ends the heartbeat.
func (s *Stream) Stop() error {
	s.mu.Lock()
	p := s.pulse
	s.pulse = nil
	s.mu.Unlock()
	if p != nil {
		p.stop()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Event tells of an event of a run.
func (s *Stream) Event(e apply.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board.see(e)
	switch e.Kind {
	case apply.RunStarted:
		s.plan = e.Plan
		s.changes = make(map[string]*plan.Change, len(e.Plan.Changes))
		for i := range e.Plan.Changes {
			s.changes[e.Plan.Changes[i].Address] = &e.Plan.Changes[i]
		}
	case apply.RunDone:
		if e.Report != nil && s.plan != nil {
			s.write(message{Type: "change_summary", Message: headline(e.Report, s.plan) + ": " + tallyOf(e.Report, s.plan).counts() + ".",
				Changes: appliedSummary(e.Report, s.plan)})
		}
	case apply.Draining, apply.Stopping:
		s.write(message{Level: "warn", Type: "run_interrupted", Message: "The run is " + s.board.notice, Run: s.run(e.Time)})
	default:
		s.step(e)
	}
}

// beat tells how the whole run stands.
func (s *Stream) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.board.started.IsZero() || s.board.over {
		return
	}
	now := s.clock.Now()
	s.write(message{Type: "run_progress", Message: s.board.tally(), Run: s.run(now)})
}
