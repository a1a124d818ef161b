package view

import (
	"cmp"
	"fmt"
	"time"

	"esd/internal/apply"
	"esd/internal/plan"
)

// streamResource names an object as Terraform's stream does.
type streamResource struct {
	Addr         string  `json:"addr"`
	Module       string  `json:"module"`
	Resource     string  `json:"resource"`
	Provider     string  `json:"implied_provider"`
	ResourceType string  `json:"resource_type"`
	ResourceName string  `json:"resource_name"`
	ResourceKey  *string `json:"resource_key"`
}

func streamResourceOf(address, kind string) streamResource {
	r := resourceOf(address, kind)
	s := streamResource{
		Addr: address, Module: r.ModuleAddress, Resource: address, Provider: "esd",
		ResourceType: r.Type, ResourceName: r.Name, ResourceKey: r.Index,
	}
	if r.ModuleAddress != "" {
		s.Resource = address[min(len(r.ModuleAddress)+1, len(address)):]
	}
	return s
}

type streamChange struct {
	Resource         streamResource  `json:"resource"`
	PreviousResource *streamResource `json:"previous_resource,omitempty"`
	Action           string          `json:"action"`
	Reason           string          `json:"reason,omitempty"`
	ESDAction        plan.Action     `json:"esd_action"`
	ESDReason        string          `json:"esd_reason,omitempty"`
	Causes           []string        `json:"causes,omitempty"`
}

func streamChangeOf(c *plan.Change, mode plan.Mode) *streamChange {
	s := &streamChange{
		Resource: streamResourceOf(c.Address, c.Kind), Action: streamAction(c), Reason: actionReason(c, mode),
		ESDAction: c.Action, ESDReason: c.Reason, Causes: c.Causes,
	}
	if c.From != "" {
		previous := streamResourceOf(c.From, c.Kind)
		s.PreviousResource = &previous
	}
	return s
}

// streamAction says an action in the words of Terraform's stream.
func streamAction(c *plan.Change) string {
	switch c.Action {
	case plan.Adopt:
		return "import"
	case plan.Move:
		return "move"
	}
	if word := terraformActions(c)[0]; word != "no-op" {
		return word
	}
	return "noop"
}

// streamSummary is Terraform's, and esd's own counts.
type streamSummary struct {
	Add       int    `json:"add"`
	Change    int    `json:"change"`
	Import    int    `json:"import"`
	Remove    int    `json:"remove"`
	Forget    int    `json:"forget"`
	Operation string `json:"operation"`
	Build     int    `json:"build"`
	Fetch     int    `json:"fetch"`
	Push      int    `json:"push,omitempty"`
	Reused    int    `json:"reused"`
	Failed    int    `json:"failed"`
	Skipped   int    `json:"skipped"`
}

func plannedSummary(p *plan.Plan) *streamSummary {
	s, n := p.Summary, actionsOf(p)
	return &streamSummary{
		Add: n.create, Change: n.update, Import: s.Adopt, Remove: n.remove, Forget: s.Forget,
		Operation: "plan", Build: s.Build, Fetch: s.Fetch, Push: s.Push, Reused: s.Reused,
	}
}

func appliedSummary(r *apply.Report, p *plan.Plan) *streamSummary {
	t := tallyOf(r, p)
	operation := "apply"
	if p.Mode == plan.Destroy {
		operation = "destroy"
	}
	return &streamSummary{
		Add: t.actions.create, Change: t.actions.update, Import: t.adopted, Remove: t.actions.remove, Forget: t.forgotten,
		Operation: operation, Build: t.built, Fetch: t.fetched, Push: t.pushed, Reused: t.reused, Failed: t.failedSteps, Skipped: t.skippedSteps,
	}
}

// streamHook tells of one step.
type streamHook struct {
	Resource       streamResource `json:"resource"`
	Action         string         `json:"action"`
	Step           string         `json:"step"`
	Op             string         `json:"op"`
	Title          string         `json:"title,omitempty"`
	Reason         string         `json:"reason,omitempty"`
	ElapsedSeconds *float64       `json:"elapsed_seconds,omitempty"`
	Bytes          int64          `json:"bytes,omitempty"`
	TotalBytes     int64          `json:"total_bytes,omitempty"`
	Reused         bool           `json:"reused,omitempty"`
	WaitSeconds    float64        `json:"wait_seconds,omitempty"`
	Because        string         `json:"because,omitempty"`
	Error          string         `json:"error,omitempty"`
	Log            string         `json:"log,omitempty"`
}

// step tells of the event of a step.
func (s *Stream) step(e apply.Event) {
	m := message{Hook: s.hook(e)}
	address, doing := e.Step.Address, cmp.Or(e.Step.Title, e.Step.Op)
	if e.Step.Kind == packageKind {
		doing = e.Step.Op // the address says the rest
	}
	took := func() { seconds := e.Elapsed.Seconds(); m.Hook.ElapsedSeconds = &seconds }
	var text string
	switch e.Kind {
	case apply.StepStarted:
		m.Type, text = "apply_start", "started"
	case apply.StepProgress:
		r := s.board.find(e.Step)
		if r == nil || e.Time.Sub(r.told) < progressEvery {
			return
		}
		r.told = e.Time
		e.Elapsed = e.Time.Sub(r.since)
		took()
		m.Type, text = "apply_progress", fmt.Sprintf("still running [%s elapsed]", wholeSeconds(e.Elapsed))
	case apply.StepDone:
		took()
		m.Type, text = "apply_complete", "complete after "+Duration(e.Elapsed)
	case apply.StepFailed:
		took()
		m.Level, m.Type, text = "error", "apply_errored", "failed after "+Duration(e.Elapsed)+": "+firstLine(e.Err)
	case apply.StepRetried:
		m.Level, m.Type, text = "warn", "step_retried", "tried again in "+Duration(e.Wait)+": "+firstLine(e.Err)
	case apply.StepSkipped:
		m.Level, m.Type, text = "warn", "step_skipped", "skipped"
		switch cause := objectOf(e.Because); cause {
		case "":
		case e.Step.Address:
			text += ": its " + operationOf(e.Because) + " failed"
		default:
			text += ": needs " + cause
		}
	default:
		return
	}
	m.Message = fmt.Sprintf("%s: %s: %s", address, doing, text)
	s.write(m)
}

func (s *Stream) hook(e apply.Event) *streamHook {
	h := &streamHook{
		Resource: streamResourceOf(e.Step.Address, e.Step.Kind), Action: "noop", Step: e.Step.ID, Op: e.Step.Op,
		Title: e.Step.Title, Reason: e.Step.Reason, Bytes: e.Bytes, TotalBytes: e.TotalBytes, Reused: e.Reused,
		WaitSeconds: e.Wait.Seconds(), Because: e.Because, Log: e.Log,
	}
	if c := s.changes[e.Step.Address]; c != nil {
		h.Action = streamAction(c)
	}
	if e.Err != nil {
		h.Error = reasonOf(e.Err)
	}
	return h
}

// streamRun tells of the whole run.
type streamRun struct {
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	// RemainingSeconds is -1 while nobody knows.
	RemainingSeconds float64         `json:"remaining_seconds"`
	Total            int             `json:"total"`
	Done             int             `json:"done"`
	Failed           int             `json:"failed"`
	Skipped          int             `json:"skipped"`
	Running          []streamRunning `json:"running"`
}

type streamRunning struct {
	Step           string  `json:"step"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	Bytes          int64   `json:"bytes,omitempty"`
	TotalBytes     int64   `json:"total_bytes,omitempty"`
}

func (s *Stream) run(now time.Time) *streamRun {
	b := &s.board
	r := &streamRun{
		ElapsedSeconds: now.Sub(b.started).Seconds(), RemainingSeconds: -1, Total: b.counts.Total,
		Done: b.counts.Done, Failed: b.counts.Failed, Skipped: b.counts.Skipped, Running: []streamRunning{},
	}
	if b.counts.Remaining >= 0 {
		r.RemainingSeconds = max(b.counts.Remaining-now.Sub(b.seen), 0).Seconds()
	}
	for _, step := range b.running {
		r.Running = append(r.Running, streamRunning{step.step.ID, now.Sub(step.since).Seconds(), step.done, step.total})
	}
	return r
}
