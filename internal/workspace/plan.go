package workspace

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"esd/internal/addr"
	"esd/internal/config"
	"esd/internal/plan"
	"esd/internal/state"
)

// PlanOptions says what to plan.
type PlanOptions struct {
	Mode      plan.Mode
	Targets   []addr.Target
	Excludes  []addr.Target
	Replaces  []addr.Target
	NoRefresh bool
	// CPUs and Memory override what the executor block says; 0 does not.
	CPUs   int
	Memory int64
	// Only narrows the plan to one operation.
	Only string
	// Explain asks also for what stays as it is, in [plan.Plan.Kept].
	Explain bool
}

// Planned is a plan and what it was made from.
type Planned struct {
	Plan *plan.Plan
	// State is what was recorded, with the journals of dead runs in it; nil
	// for nothing.
	State *state.State
	// Notices are worth telling: journals that will be folded in.
	Notices  []state.Notice
	Warnings hcl.Diagnostics
	Resolved *Resolved
	CPUs     int
	Memory   int64

	// outputs are those that are recorded after an apply; nil for all.
	outputs map[string]bool
}

// Plan reads the state and plans. It takes no lock and writes nothing. The
// error is hcl.Diagnostics where the configuration is the reason.
func (w *Workspace) Plan(ctx context.Context, opts PlanOptions) (*Planned, error) {
	recorded, notices, err := w.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	return w.planFrom(ctx, recorded, notices, opts)
}

func (w *Workspace) planFrom(ctx context.Context, st *state.State, notices []state.Notice, opts PlanOptions) (*Planned, error) {
	resolved, diags := w.Resolve(ctx, st)
	if diags.HasErrors() {
		return nil, diags
	}
	p := &Planned{State: st, Notices: notices, Warnings: diags, Resolved: resolved}
	executor := resolved.Executor()
	p.CPUs = cmp.Or(opts.CPUs, executor.CPUs, runtime.NumCPU())
	p.Memory = cmp.Or(opts.Memory, executor.Memory)
	request, err := w.request(resolved, st)
	if err != nil {
		return nil, err
	}
	request.Mode, request.Only, request.Explain = cmp.Or(opts.Mode, plan.Apply), opts.Only, opts.Explain
	request.Targets, request.Excludes, request.Replaces, request.NoRefresh = opts.Targets, opts.Excludes, opts.Replaces, opts.NoRefresh
	request.CPUs, request.Memory = p.CPUs, p.Memory
	p.Plan, err = plan.Make(ctx, request)
	return p, err
}

// request says what is configured and recorded.
func (w *Workspace) request(r *Resolved, st *state.State) (plan.Request, error) {
	outputs, err := outputValues(r.Evaluated.Outputs)
	if err != nil {
		return plan.Request{}, err
	}
	request := plan.Request{
		Objects: r.Objects, Kind: w.Kinds.Kind, State: st, Outputs: outputs, Config: w.configID(r, outputs), ESDVersion: w.opts.Version,
		Said: r.said,
	}
	for _, m := range r.Evaluated.Moved {
		request.Moved = append(request.Moved, plan.Moved{From: m.From, To: m.To})
	}
	for _, gone := range r.Evaluated.Removed {
		request.Removed = append(request.Removed, plan.Removed{From: gone.From, Destroy: gone.Destroy})
	}
	return request, nil
}

// configID identifies what a configuration means.
func (w *Workspace) configID(r *Resolved, outputs []plan.OutputValue) plan.ConfigID {
	h := sha256.New()
	for _, o := range r.Objects { // in an order that is always the same
		fmt.Fprintf(h, "%q %q %v %v\n", o.Address.String(), o.Key, o.PreventDestroy, r.said(o.Address))
	}
	for _, o := range outputs {
		fmt.Fprintf(h, "output %q %s %v %s\n", o.Name, o.Type, o.Sensitive, o.Value)
	}
	for _, m := range r.Evaluated.Moved {
		fmt.Fprintf(h, "moved %s %s\n", m.From, m.To)
	}
	for _, gone := range r.Evaluated.Removed {
		fmt.Fprintf(h, "removed %s %v\n", gone.From, gone.Destroy)
	}
	id := plan.ConfigID{Path: filepath.Clean(w.opts.Path), Dir: filepath.Dir(w.WorkDir), Digest: hex.EncodeToString(h.Sum(nil))}
	id.Variables, id.Withheld = w.givenVariables()
	if abs, err := filepath.Abs(w.opts.Path); err == nil {
		id.Name = strings.Trim(strings.TrimSuffix(filepath.Base(abs), ".hcl"), "./")
	}
	for _, f := range w.opts.VarFiles {
		id.VarFiles = append(id.VarFiles, filepath.Clean(f))
	}
	return id
}

// givenVariables are those given on the command line as NAME=VALUE; of the
// sensitive ones only the names, apart.
func (w *Workspace) givenVariables() (given, withheld []string) {
	for _, assignment := range w.opts.Vars {
		name, _, _ := strings.Cut(assignment, "=")
		name = strings.TrimSpace(name)
		v, _ := w.Config.EvalExpression("var." + name)
		if !v.ContainsMarked() {
			given = append(given, assignment)
		} else if !slices.Contains(withheld, name) {
			withheld = append(withheld, name)
		}
	}
	return given, withheld
}

// outputValues encodes outputs as they are recorded.
func outputValues(outputs []config.Output) ([]plan.OutputValue, error) {
	var list []plan.OutputValue
	for _, o := range outputs {
		v, err := outputValue(o)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", o.Name, err)
		}
		list = append(list, v)
	}
	return list, nil
}

func outputValue(o config.Output) (plan.OutputValue, error) {
	value, _ := o.Value.UnmarkDeep()
	out := plan.OutputValue{Name: o.Name, Sensitive: o.Sensitive, Unknown: !value.IsWhollyKnown()}
	typ := value.Type()
	if out.Sensitive && !typ.IsPrimitiveType() {
		typ = cty.DynamicPseudoType // the names of the members of an object can tell as much as their values
	}
	var err error
	if out.Type, err = ctyjson.MarshalType(typ); err != nil {
		return out, err
	}
	if out.Unknown || out.Sensitive {
		return out, nil
	}
	out.Value, err = ctyjson.Marshal(value, value.Type())
	return out, err
}

// SensitiveOutput evaluates one output that is not recorded because it is
// sensitive.
func SensitiveOutput(outputs []config.Output, name string) (json.RawMessage, bool, error) {
	for _, o := range outputs {
		if o.Name == name {
			value, _ := o.Value.UnmarkDeep()
			if !value.IsWhollyKnown() || value.Type() == cty.DynamicPseudoType {
				return nil, false, nil
			}
			data, err := ctyjson.Marshal(value, value.Type())
			return data, true, err
		}
	}
	return nil, false, nil
}
