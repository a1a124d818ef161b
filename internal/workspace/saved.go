package workspace

import (
	"context"
	"fmt"
	"strings"

	"esd/internal/state"
)

// The notices about saved plans.
const (
	// NoticePlanDone: something of a saved plan was done already.
	NoticePlanDone = "plan-done"
	// NoticePlanFurther: the configuration wants more than a saved plan does.
	NoticePlanFurther = "plan-further"
	// NoticePlanUnconfigured: the state has what neither the plan nor the
	// configuration knows of.
	NoticePlanUnconfigured = "plan-unconfigured"
)

// saved checks that nothing that a saved plan rests on has moved since: neither
// in the state nor in what the configuration means.
func (s *session) saved(ctx context.Context, opts ApplyOptions) (*Planned, error) {
	resolved, diags := s.w.Resolve(ctx, s.state)
	if diags.HasErrors() {
		return nil, diags
	}
	request, err := s.w.request(resolved, s.state)
	if err != nil {
		return nil, err
	}
	verified, err := opts.Saved.Verify(request)
	if err != nil {
		return nil, err
	}
	done := verified.Done
	if verified.Plan.Empty() {
		s.already, done = len(done), nil // that is the result, no remark
	}
	for _, n := range savedNotices(done, verified.Further, verified.Unconfigured) {
		s.tell(n)
	}
	planned := &Planned{Plan: verified.Plan, State: s.state, Resolved: resolved, CPUs: opts.CPUs, Memory: opts.Memory}
	if planned.CPUs == 0 {
		planned.CPUs = verified.Plan.Forecast.CPUs
	}
	if verified.Moved {
		planned.outputs = map[string]bool{}
		for _, o := range opts.Saved.Outputs {
			planned.outputs[o.Name] = true
		}
	}
	return planned, nil
}

// leaves reports whether an output stays as it is recorded: one that a saved
// plan which is older than the configuration does not change.
func (p *Planned) leaves(output string) bool { return p.outputs != nil && !p.outputs[output] }

// savedNotices tells what has moved without harm.
func savedNotices(done, further, unconfigured []string) []state.Notice {
	var list []state.Notice
	if len(done) > 0 {
		list = append(list, state.Notice{
			Kind: NoticePlanDone, Summary: fmt.Sprintf("%d of the changes in this plan are made already", len(done)),
			Detail: "By another apply since, or by an earlier one of this plan: " + few(done) + ". What is there is used, and nothing is built twice.",
		})
	}
	if len(further) > 0 {
		list = append(list, state.Notice{
			Kind: NoticePlanFurther, Summary: "The configuration has further changes that this plan does not do",
			Detail: few(further) + ". Plan again to have them, too.",
		})
	}
	if len(unconfigured) > 0 {
		list = append(list, state.Notice{
			Kind: NoticePlanUnconfigured, Summary: "The state has objects that this configuration does not have",
			Detail: few(unconfigured) + ". An apply since has recorded them, or they are no longer configured. This plan leaves them alone; a new plan would remove or forget them.",
		})
	}
	return list
}

// few names the first of many.
func few(list []string) string {
	const most = 5
	if more := len(list) - most; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), more)
	}
	return strings.Join(list, ", ")
}
