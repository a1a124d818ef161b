package plan

import "bytes"

// planOutputs lists the outputs that change.
func (p *planner) planOutputs(out *Plan) {
	if len(p.req.Targets) > 0 || len(p.req.Excludes) > 0 {
		return // a narrowed plan leaves outputs alone
	}
	now := map[string]bool{}
	for _, o := range p.req.Outputs {
		now[o.Name] = true
		c := OutputChange{Name: o.Name, After: o.Value, Unknown: o.Unknown, Sensitive: o.Sensitive}
		if o.Sensitive {
			c.After = nil
		}
		if p.req.State != nil {
			before, had := p.req.State.Outputs[o.Name]
			if had && before.Sensitive() == o.Sensitive && (o.Sensitive || bytes.Equal(before.Value(), o.Value) && !o.Unknown) {
				continue
			}
			if had && !o.Sensitive {
				c.Before = before.Value()
			}
		}
		out.Outputs = append(out.Outputs, c)
	}
	if p.req.State == nil {
		return
	}
	for _, name := range sortedKeys(p.req.State.Outputs) {
		if before := p.req.State.Outputs[name]; !now[name] {
			out.Outputs = append(out.Outputs, OutputChange{Name: name, Before: before.Value(), Sensitive: before.Sensitive(), Removed: true})
		}
	}
}
