package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"esd/internal/plan"
)

// Limits of what is listed of packages on a terminal.
const (
	maxBuilds    = 40 // rows for packages that are built or go
	maxSingles   = 30 // of them, those with reasons of their own, where others share theirs
	maxPackages  = 10 // packages with another action, of each
	minRows      = 4  // of names that share a reason
	unknownWidth = 100
)

// packages writes what happens to the packages of one environment, or to those
// of none.
func (v planView) packages(g *packageGroup) {
	for _, action := range actionOrder {
		list := g.byAction[action]
		switch {
		case len(list) == 0:
		case action == plan.Build || action == plan.Remove:
			v.telling(g, action, list)
		case len(list) <= maxPackages:
			v.list(list, g.name)
		default:
			v.counted(action, list)
		}
	}
}

// counted tells of packages whose names say little: how many there are, by
// reason.
func (v planView) counted(action plan.Action, list []*plan.Change) {
	single, shared := foldReasons(list, maxPackages)
	if n := len(single); n > 0 && len(shared) == 0 || len(shared) > maxCauses {
		single, shared = list, nil
	}
	for _, s := range shared {
		v.sharedLine(action, s)
	}
	if len(single) > 0 {
		v.line(v.actionPrefix(action), Plural(len(single), "package"), v.paint(dim, " ("+jsonListsAll+")"))
	}
}

func (v planView) sharedLine(action plan.Action, s sharedReason) {
	v.wrapped(v.actionPrefix(action)+Plural(len(s.list), "package")+"  ", s.text())
}

// telling lists packages by name as far as the limit goes. Those with the same
// reason are told of together, the others each with its own, those that changed
// themselves before those that others changed.
func (v planView) telling(g *packageGroup, action plan.Action, list []*plan.Change) {
	single, shared := foldReasons(list, maxSingly)
	rows := maxBuilds
	if len(shared) > 0 {
		rows = maxSingles
	}
	single, rest := selected(v.plan, single, rows)
	v.list(single, g.name)
	if len(rest) > 0 {
		v.line("  ", v.sign(action), " ", fmt.Sprintf("... and %s more", Number(len(rest))), v.paint(dim, " ("+jsonListsAll+")"))
		for _, g := range rootCauses(v.plan, rest, maxCauses) {
			v.wrapped("      ", fmt.Sprintf("%s because of %s", Number(g.n), g.address))
		}
	}
	rows = maxBuilds - len(single)
	for _, s := range shared {
		v.sharedLine(action, s)
		rows -= v.names(g, s.list, max(rows, minRows))
	}
	if len(shared) > 0 && g.environment != "" {
		v.line(strings.Repeat(" ", v.namesIndent()), v.paint(dim, "esd why "+quoted(v.clean(g.environment+"/"+bareName(g.name(shared[0].list[0]))))+" explains one of them"))
	}
}

// namesIndent is where names stand that are not in the column of names.
func (v planView) namesIndent() int {
	if v.Width > 0 && v.Width < 60 {
		return 6
	}
	return actionWidth
}

// bareName is a package without version and hash.
func bareName(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return name
}

// quoted is an address as it is given to a shell.
func quoted(address string) string {
	if strings.ContainsAny(address, `["`) {
		return "'" + address + "'"
	}
	return address
}

// names writes the names of packages in columns, those that were asked for
// apart. It tells how many rows that took.
func (v planView) names(g *packageGroup, list []*plan.Change, rows int) int {
	indent := v.namesIndent()
	asked := askedFirst(list)
	if asked == 0 || asked == len(list) {
		return v.grid(indent, namesOf(g, list), rows)
	}
	margin := strings.Repeat(" ", indent)
	v.line(margin, v.paint(dim, fmt.Sprintf("asked for (%s):", Number(asked))))
	used := 1 + v.grid(indent+2, namesOf(g, list[:asked]), rows)
	v.line(margin, v.paint(dim, fmt.Sprintf("needed by them (%s):", Number(len(list)-asked))))
	return used + 1 + v.grid(indent+2, namesOf(g, list[asked:]), max(rows-used-1, minRows))
}

// namesOf are the names of packages in a list of many: of those of an
// environment without the hash, unless that is what tells them apart. So written
// they are addresses too, behind that of the environment.
func namesOf(g *packageGroup, list []*plan.Change) []string {
	names, count := make([]string, len(list)), map[string]int{}
	for i, c := range list {
		names[i] = g.name(c)
		count[withoutHash(g, names[i])]++
	}
	for i, name := range names {
		if short := withoutHash(g, name); count[short] == 1 {
			names[i] = short
		}
	}
	return names
}

func withoutHash(g *packageGroup, name string) string {
	if i := strings.LastIndexByte(name, '/'); i > 0 && g.environment != "" {
		return name[:i]
	}
	return name
}

// grid writes names row by row at tab stops that fit most of them; a longer name
// takes as many as it needs. What does not fit into the rows, nor nearly, is
// counted. It tells how many rows that took.
func (p *printer) grid(indent int, names []string, limit int) int {
	room := max(cmp.Or(p.Width, unknownWidth)-indent, minWidth/2)
	margin := strings.Repeat(" ", indent)
	rows := p.layOut(names, room)
	if len(rows) <= limit+limit/4 {
		limit = len(rows)
	}
	left := len(names)
	for _, row := range rows[:limit] {
		p.line(margin, row.text)
		left -= row.names
	}
	if left > 0 {
		p.line(margin, p.pick("... ", "… "), "and ", Number(left), " more", p.paint(dim, " ("+jsonListsAll+")"))
		limit++
	}
	return limit
}

type gridRow struct {
	text  string
	names int
}

// layOut puts names into rows of at most room columns.
func (p *printer) layOut(names []string, room int) []gridRow {
	stop := min(usualWidth(p, names), room) + 2
	var rows []gridRow
	for _, name := range names {
		name = p.cutMiddle(p.clean(name), room)
		if n := len(rows); n > 0 {
			last := &rows[n-1]
			at := (displayWidth(last.text) + 2 + stop - 1) / stop * stop
			if at+displayWidth(name) <= room {
				last.text = pad(last.text, at) + name
				last.names++
				continue
			}
		}
		rows = append(rows, gridRow{name, 1})
	}
	return rows
}

// usualWidth is a width that nine of ten names have at most.
func usualWidth(p *printer, names []string) int {
	widths := make([]int, len(names))
	for i, name := range names {
		widths[i] = displayWidth(p.clean(name))
	}
	slices.Sort(widths)
	return widths[len(widths)*9/10]
}
