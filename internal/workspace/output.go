package workspace

import (
	"context"
	"fmt"

	"esd/internal/state"
)

// Output evaluates one output of the configuration, also a sensitive one, of
// which the state does not hold the value. The result is for showing only: it
// must not be recorded.
func (w *Workspace) Output(ctx context.Context, st *state.State, name string) (state.Output, error) {
	resolved, diags := w.Resolve(ctx, st)
	if diags.HasErrors() {
		return state.Output{}, diags
	}
	value, known, err := SensitiveOutput(resolved.Evaluated.Outputs, name)
	if err != nil {
		return state.Output{}, err
	}
	if !known {
		return state.Output{}, fmt.Errorf("the value of output %q is known only after the next apply", name)
	}
	for _, o := range resolved.Evaluated.Outputs {
		if o.Name == name {
			v, err := outputValue(o)
			return state.NewOutput(v.Type, value), err
		}
	}
	return state.Output{}, fmt.Errorf("there is no output %q in the configuration", name)
}
