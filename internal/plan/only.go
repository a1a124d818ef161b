package plan

import "slices"

// narrow leaves of a plan the steps of one operation, and of its changes those
// that have one: what is fetched, say, without what is then built of it. Steps of
// one operation do not wait for those of others.
func narrow(out *Plan, op string) {
	kept := map[string]bool{}
	out.Steps = slices.DeleteFunc(out.Steps, func(s Step) bool { return s.Op != op })
	for i := range out.Steps {
		kept[out.Steps[i].Address] = true
		out.Steps[i].Needs, out.Steps[i].Completes = nil, false
	}
	out.Changes = slices.DeleteFunc(out.Changes, func(c Change) bool { return !kept[c.Address] })
	for i := range out.Changes {
		out.Changes[i].Action = Fetch
	}
	out.Outputs, out.Summary = nil, Summary{}
}
