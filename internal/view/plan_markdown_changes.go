package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"esd/internal/plan"
)

// sections are the parts of a comment that can be long: targets and environments,
// then packages, those that are built first.
func (c *comment) sections() []section {
	groups := groupsOf(c.plan)
	worstFirst(groups.targets)
	worstFirst(groups.environments)
	list := []section{
		{3, func(c *comment) {
			c.table(counted("Targets", groups.targets), groups.targets, addressOf, len(groups.targets) > maxOpen)
		}},
		{2, func(c *comment) {
			c.table(counted("Environments", groups.environments), groups.environments, addressOf, len(groups.environments) > maxOpen)
		}},
	}
	for _, action := range actionOrder {
		for _, g := range groups.packages {
			if changes := g.byAction[action]; len(changes) > 0 {
				list = append(list, c.packages(g, action, changes)...)
			}
		}
	}
	return list
}

// Rows of tables that are not folded away, of targets and of packages that are
// built or go.
const (
	maxOpen       = 25
	maxOpenBuilds = 15
)

func counted(title string, list []*plan.Change) string {
	return fmt.Sprintf("%s (%s)", title, Number(len(list)))
}

// worstFirst puts first what nobody must overlook.
func worstFirst(list []*plan.Change) {
	slices.SortStableFunc(list, func(a, b *plan.Change) int { return cmp.Compare(gravity(a), gravity(b)) })
}

func gravity(c *plan.Change) int {
	switch c.Action {
	case plan.Remove:
		return 0
	case plan.Create, plan.Update:
		return 1
	case plan.Forget:
		return 2
	default:
		return 3
	}
}

// packages are the packages with one action: those that share a reason as a list
// of names, the others as a table.
func (c *comment) packages(g *packageGroup, action plan.Action, list []*plan.Change) []section {
	title := func(n int) string { return fmt.Sprintf("%s: %s to %s", escapeMarkdown(g.title()), Number(n), action) }
	single, shared := foldReasons(list, maxSingly)
	open, weight := maxPackages, 1
	if action == plan.Build || action == plan.Remove {
		open, weight = maxOpenBuilds, 2
	}
	if action == plan.Build {
		single = ownReasonsFirst(c.plan, single)
	}
	parts := []section{{weight, func(c *comment) { c.table(title(len(single)), single, g.name, len(single) > open) }}}
	for _, s := range shared {
		why := escapeMarkdown(shorten(s.text(), maxCommentReason))
		parts = append(parts, section{1, func(c *comment) { c.names(g, title(len(s.list))+", "+why, s.list) }})
	}
	return parts
}

// tableEnd is room for what closes a table or a list.
const tableEnd = 200

// names writes the names of packages, those that were asked for apart.
func (c *comment) names(g *packageGroup, title string, list []*plan.Change) {
	open, end := "<details><summary>"+title+"</summary>\n\n", "</details>\n\n"
	if len(open)+2*tableEnd > c.left {
		c.add(title + ". The names are left out, as this comment would get too long.\n\n")
		return
	}
	c.add(open)
	c.left -= tableEnd
	asked := askedFirst(list)
	if asked == 0 || asked == len(list) {
		c.nameList("", namesOf(g, list))
	} else {
		c.nameList(fmt.Sprintf("Asked for (%s): ", Number(asked)), namesOf(g, list[:asked]))
		c.nameList(fmt.Sprintf("Needed by them (%s): ", Number(len(list)-asked)), namesOf(g, list[asked:]))
	}
	c.left += tableEnd
	c.add(end)
}

// nameList writes as many names as fit.
func (c *comment) nameList(label string, names []string) {
	text := label
	for i, name := range names {
		text += code(shorten(name, maxCommentAddress))
		if i+1 < len(names) {
			text += ", "
		}
		if !c.add(text) {
			c.left += tableEnd / 2
			c.add(fmt.Sprintf("%s more, left out, as this comment would get too long", Number(len(names)-i)))
			c.left -= tableEnd / 2
			break
		}
		text = ""
	}
	c.left += 2
	c.add("\n\n")
}

// table writes a table of changes, as many rows as fit.
func (c *comment) table(title string, list []*plan.Change, name func(*plan.Change) string, folded bool) {
	if len(list) == 0 {
		return
	}
	open, end := "**"+title+"**\n\n", "\n"
	if folded {
		open, end = "<details><summary>"+title+"</summary>\n\n", "\n</details>\n\n"
	}
	open += "| Action | Object | Why |\n|:--|:--|:--|\n"
	if len(open)+2*tableEnd > c.left {
		c.add(title + ": left out, as this comment would get too long.\n\n")
		return
	}
	c.add(open)
	c.left -= tableEnd
	n := 0
	for n < len(list) && c.add(markdownRow(list[n], name(list[n]), c.users)) {
		n++
	}
	c.left += tableEnd
	if n < len(list) {
		c.add(fmt.Sprintf("| … | %s more | left out, as this comment would get too long |\n", Number(len(list)-n)))
	}
	c.add(end)
}

func markdownRow(ch *plan.Change, name string, u users) string {
	l := lookOf(ch.Action)
	reason := escapeMarkdown(shorten(Options{Unicode: true}.reason(ch, u), maxCommentReason))
	if ch.Drift {
		reason = strings.Replace(reason, "drift&#58;", "**drift:**", 1)
	}
	if more := moreCauses(ch); len(more) > 0 && (isTarget(ch) || ch.Kind == environmentKind) {
		reason += "<br>" + escapeMarkdown(shorten(strings.Join(more, "; "), maxCommentReason))
	}
	action := escapeMarkdown(l.unicode) + "&nbsp;" + string(ch.Action)
	if ch.Action == plan.Remove {
		action = "**" + action + "**"
	}
	return fmt.Sprintf("| %s | %s | %s |\n", action, code(shorten(name, maxCommentAddress)), reason)
}
