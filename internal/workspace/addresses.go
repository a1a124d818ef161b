package workspace

import (
	"context"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/config"
)

// Addresses lists the addresses that are configured or recorded, sorted, for
// completion: quickly, without reading sources, and without a word of what is
// wrong.
func (w *Workspace) Addresses(ctx context.Context) []string {
	var list []string
	if w.Config != nil {
		_, _ = w.Config.Evaluate(ctx, func(o *config.Object) (cty.Value, hcl.Diagnostics) {
			list = append(list, o.Address.String())
			return cty.DynamicVal, nil
		})
	}
	return sorted(append(list, w.RecordedAddresses(ctx)...))
}

// RecordedAddresses lists the addresses that are recorded, sorted.
func (w *Workspace) RecordedAddresses(ctx context.Context) []string {
	if w.Backend == nil {
		return nil
	}
	st, _, err := w.Recorded(ctx)
	if err != nil || st == nil {
		return nil
	}
	return st.Addresses()
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
