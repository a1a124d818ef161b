package workspace

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2"
)

// Validate checks all that can be checked without a state and without asking
// anybody: names, types, references, sources. What the lock file does not pin
// is a warning.
func (w *Workspace) Validate(ctx context.Context) hcl.Diagnostics {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return diags
	}
	for _, o := range resolved.Objects {
		for _, pin := range o.Unpinned {
			what := fmt.Sprintf("the base image %q", pin.Image)
			if pin.Image == "" {
				what = fmt.Sprintf("the ref %q of %s", pin.Ref, pin.Repository)
			}
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Not pinned", Subject: &o.Range,
				Detail: fmt.Sprintf("%s names %s, which %s does not pin: run `esd lock` before `esd plan`.", o.Address, what, w.LockPath())})
		}
	}
	return diags
}
