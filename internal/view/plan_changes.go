package view

import (
	"fmt"
	"strings"

	"esd/internal/plan"
)

// changes writes a line for each object, packages folded where they are many.
func (v planView) changes() {
	groups := groupsOf(v.plan)
	for _, g := range groups.packages {
		v.heading(g.title(), g.n)
		v.packages(g)
		v.line()
	}
	if len(groups.environments) > 0 {
		v.heading("Environments", len(groups.environments))
		v.list(groups.environments, addressOf)
		v.line()
	}
	if len(groups.targets) > 0 {
		var more []string
		if n := v.plan.Summary.Unchanged; n > 0 {
			more = append(more, Number(n)+" unchanged")
		}
		v.heading("Targets", len(groups.targets), more...)
		v.list(groups.targets, addressOf)
		v.line()
	}
}

func addressOf(c *plan.Change) string { return c.Address }

// list writes a line for each change, in columns, under the names that the
// caller gives them.
func (v planView) list(list []*plan.Change, name func(*plan.Change) string) {
	width, limit := 0, maxAddress
	if v.Width > 0 {
		limit = min(limit, v.Width/2)
	}
	for _, c := range list {
		if n := displayWidth(v.clean(name(c))); n <= limit {
			width = max(width, n)
		}
	}
	for _, c := range list {
		v.change(c, name(c), width)
	}
}

// change writes one change. Where the reason would get too little room beside
// the name, it stands below.
func (v planView) change(c *plan.Change, name string, width int) {
	name = v.clean(name)
	prefix := v.actionPrefix(c.Action)
	indent := actionWidth + max(width, displayWidth(name)) + 2
	reason := v.reason(c, v.users)
	if v.Width > 0 && v.Width-indent < min(displayWidth(reason), 24) {
		v.line(prefix, v.cutMiddle(name, v.room(actionWidth)))
		indent = 6
		prefix = strings.Repeat(" ", indent)
	} else {
		prefix += pad(name, width) + "  "
	}
	v.reasonLines(prefix, indent, c, reason)
	for _, cause := range moreCauses(c) {
		v.wrapped(strings.Repeat(" ", indent), cause)
	}
}

// actionWidth is how many columns an action takes before the name.
const actionWidth = 12

func (v planView) actionPrefix(a plan.Action) string {
	return "  " + v.sign(a) + " " + v.paint(lookOf(a).color, pad(string(a), 7)) + " "
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
func (o Options) reason(c *plan.Change, u users) string {
	text := c.Reason
	if _, _, n := packageCauses(c); n > 1 && strings.HasPrefix(text, packageCause) {
		text = foldPackages(c, text)
	}
	if c.Drift {
		text = driftMark + " " + text
	}
	if c.From != "" && c.Action != plan.Move {
		text += " (moved from " + c.From + ")"
	}
	return o.clean(text + u.of(c))
}

// packageCause begins the causes that are changes of packages of Spack, of
// which one change of a lock brings along many.
const packageCause = "package "

// packageCauses gives the first cause that is the change of a package, the most
// telling one, and how many there are: a package of another version tells more
// than one that has another hash because of that.
func packageCauses(c *plan.Change) (first, telling string, n int) {
	for _, cause := range c.Causes {
		if !strings.HasPrefix(cause, packageCause) {
			continue
		}
		if n++; n == 1 {
			first, telling = cause, cause
		}
		if sameVersion(telling) && !sameVersion(cause) {
			telling = cause
		}
	}
	return first, telling, n
}

// sameVersion reports whether a package has another hash only: its change is
// written as "package NAME VERSION/HASH → VERSION/HASH".
func sameVersion(cause string) bool {
	words := strings.Fields(cause)
	if len(words) != 5 {
		return false
	}
	before, _, _ := strings.Cut(words[2], "/")
	after, _, _ := strings.Cut(words[4], "/")
	return before == after
}

// foldPackages puts into a text that begins with the first change of a package
// the most telling one, and how many others there are.
func foldPackages(c *plan.Change, text string) string {
	first, telling, n := packageCauses(c)
	rest, ok := strings.CutPrefix(text, first)
	if !ok || n < 2 {
		return text
	}
	return telling + " (and " + Plural(n-1, "more package") + ")" + rest
}

// moreCauses are the causes that the reason does not name, a few of them.
func moreCauses(c *plan.Change) []string {
	var list []string
	first, _, _ := packageCauses(c)
	for _, cause := range c.Causes {
		switch {
		case cause == "" || strings.HasPrefix(c.Reason, cause):
		case !strings.HasPrefix(cause, packageCause):
			list = append(list, cause)
		case cause == first:
			list = append(list, foldPackages(c, cause))
		}
	}
	if len(list) > maxCauses {
		list = append(list[:maxCauses:maxCauses], fmt.Sprintf("and %s more", Number(len(list)-maxCauses)))
	}
	return list
}
