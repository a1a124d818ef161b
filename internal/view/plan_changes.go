package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"esd/internal/plan"
)

// isTarget tells the objects that a deployment is for from the packages that
// they are made of.
func isTarget(c *plan.Change) bool { return strings.HasPrefix(c.Kind, "target.") }

// actionOrder is the order in which actions on packages are listed.
var actionOrder = [...]plan.Action{
	plan.Build, plan.Fetch, plan.Remove, plan.Forget, plan.Adopt, plan.Refresh, plan.Move, plan.NoOp,
}

// byAction sorts the changes of a plan into packages by action, and targets.
// The order of the plan is kept.
func byAction(p *plan.Plan) (packages map[plan.Action][]*plan.Change, targets []*plan.Change) {
	packages = map[plan.Action][]*plan.Change{}
	for i := range p.Changes {
		c := &p.Changes[i]
		if isTarget(c) {
			targets = append(targets, c)
			continue
		}
		packages[c.Action] = append(packages[c.Action], c)
	}
	return packages, targets
}

// changes writes a line for each object, packages folded where they are many.
func (v planView) changes() {
	packages, targets := byAction(v.plan)
	if n := len(v.plan.Changes) - len(targets); n > 0 {
		v.heading("Packages", n)
		for _, action := range actionOrder {
			v.packages(action, packages[action])
		}
		v.line()
	}
	if len(targets) > 0 {
		var more []string
		if n := v.plan.Summary.Unchanged; n > 0 {
			more = append(more, Number(n)+" unchanged")
		}
		v.heading("Targets", len(targets), more...)
		v.list(targets)
		v.line()
	}
}

// packages lists the packages with one action as far as the limit goes, those
// that changed themselves before those that others changed.
func (v planView) packages(action plan.Action, list []*plan.Change) {
	limit := maxPackages
	if action == plan.Build {
		limit = maxBuilds
	}
	if len(list) <= limit {
		v.list(list)
		return
	}
	shown, rest := list[:0:0], list
	if action == plan.Build || action == plan.Remove {
		shown, rest = telling(list, limit)
	}
	v.list(shown)
	more := fmt.Sprintf("... and %s more", Number(len(rest)))
	if len(shown) == 0 {
		more = pad(string(action), 7) + " " + Plural(len(rest), "package")
	}
	v.line("  ", v.sign(action), " ", more, v.paint(dim, " ("+jsonListsAll+")"))
	for _, g := range rootCauses(v.plan, rest, maxCauses) {
		v.wrapped("      ", fmt.Sprintf("%s because of %s", Number(g.n), g.address))
	}
}

// telling chooses which of many changes are listed: those with a reason of
// their own come first. Both lists keep the order.
func telling(list []*plan.Change, limit int) (shown, rest []*plan.Change) {
	chosen := make(map[*plan.Change]bool, limit)
	for _, c := range ownReasonsFirst(list)[:min(limit, len(list))] {
		chosen[c] = true
	}
	for _, c := range list {
		if chosen[c] {
			shown = append(shown, c)
		} else {
			rest = append(rest, c)
		}
	}
	return shown, rest
}

// ownReasonsFirst puts the changes that no other object caused before the
// rest.
func ownReasonsFirst(list []*plan.Change) []*plan.Change {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *plan.Change) int {
		return cmp.Compare(min(len(a.Cause), 1), min(len(b.Cause), 1))
	})
	return sorted
}

type causeCount struct {
	address string
	n       int
}

// rootCauses counts the changes by the object that is at the root of their
// causes, the greatest number first. Objects that are their own cause are left
// out.
func rootCauses(p *plan.Plan, list []*plan.Change, limit int) []causeCount {
	cause := make(map[string]string, len(p.Changes))
	for i := range p.Changes {
		cause[p.Changes[i].Address] = p.Changes[i].Cause
	}
	root := make(map[string]string, len(list))
	counts := map[string]int{}
	for _, c := range list {
		if c.Cause != "" {
			counts[rootOf(c.Address, cause, root)]++
		}
	}
	var groups []causeCount
	for address, n := range counts {
		groups = append(groups, causeCount{address, n})
	}
	slices.SortFunc(groups, func(a, b causeCount) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.address, b.address))
	})
	return groups[:min(limit, len(groups))]
}

// rootOf follows causes to the first, and keeps in root what it found. A
// circle, which only a plan from elsewhere can hold, ends where it is noticed.
func rootOf(address string, cause, root map[string]string) string {
	var path []string
	on := map[string]bool{}
	at := address
	for cause[at] != "" && root[at] == "" && !on[at] {
		on[at] = true
		path = append(path, at)
		at = cause[at]
	}
	end := at
	if root[at] != "" {
		end = root[at]
	}
	for _, step := range path {
		root[step] = end
	}
	return end
}

// list writes a line for each change, in columns.
func (v planView) list(list []*plan.Change) {
	width, limit := 0, maxAddress
	if v.Width > 0 {
		limit = min(limit, v.Width/2)
	}
	for _, c := range list {
		if n := displayWidth(v.clean(c.Address)); n <= limit {
			width = max(width, n)
		}
	}
	for _, c := range list {
		v.change(c, width)
	}
}

// change writes one change. Where the reason would get too little room beside
// the address, it stands below.
func (v planView) change(c *plan.Change, width int) {
	address := v.clean(c.Address)
	prefix := "  " + v.sign(c.Action) + " " + v.paint(lookOf(c.Action).color, pad(string(c.Action), 7)) + " "
	indent := 12 + max(width, displayWidth(address)) + 2
	reason := v.reason(c)
	if v.Width > 0 && v.Width-indent < min(displayWidth(reason), 24) {
		v.line(prefix, v.cutMiddle(address, v.room(12)))
		indent = 6
		prefix = strings.Repeat(" ", indent)
	} else {
		prefix += pad(address, width) + "  "
	}
	v.reasonLines(prefix, indent, c, reason)
	for _, cause := range moreCauses(c) {
		v.wrapped(strings.Repeat(" ", indent), cause)
	}
}

func (v planView) reasonLines(prefix string, indent int, c *plan.Change, reason string) {
	for i, row := range wrap(reason, v.room(indent)) {
		if i > 0 {
			prefix = strings.Repeat(" ", indent)
		}
		if rest, ok := strings.CutPrefix(row, driftMark); ok && i == 0 && c.Drift {
			row = v.paint(yellow, driftMark) + rest
		}
		v.line(strings.TrimRight(prefix+row, " "))
	}
}

// driftMark stands before the reason when what exists is not what was
// recorded.
const driftMark = "drift:"

// reason is the reason of a change as it is shown.
func (o Options) reason(c *plan.Change) string {
	text := c.Reason
	if c.Drift {
		text = driftMark + " " + text
	}
	if c.From != "" && c.Action != plan.Move {
		text += " (moved from " + c.From + ")"
	}
	return o.clean(text)
}

// moreCauses are the causes that the reason does not name, a few of them.
func moreCauses(c *plan.Change) []string {
	var list []string
	for _, cause := range c.Causes {
		if cause != "" && !strings.HasPrefix(c.Reason, cause) {
			list = append(list, cause)
		}
	}
	if len(list) > maxCauses {
		list = append(list[:maxCauses:maxCauses], fmt.Sprintf("and %s more", Number(len(list)-maxCauses)))
	}
	return list
}
