package view

import (
	"fmt"
	"strings"

	"esd/internal/plan"
)

// changes writes the targets and environments openly and the packages folded,
// those that are built first.
func (c *comment) changes() {
	groups := groupsOf(c.plan)
	c.table("Targets", groups.targets, addressOf, len(groups.targets) > 25)
	c.table("Environments", groups.environments, addressOf, len(groups.environments) > 25)
	for _, action := range actionOrder {
		for _, g := range groups.packages {
			c.packages(g, action, g.byAction[action])
		}
	}
}

// packages writes the packages with one action: those that share a reason as a
// list of names, the others as a table.
func (c *comment) packages(g *packageGroup, action plan.Action, list []*plan.Change) {
	title := escapeMarkdown(g.title()) + ": " + string(action)
	single, shared := foldReasons(list, maxSingly)
	if action == plan.Build {
		single = ownReasonsFirst(c.plan, single)
	}
	c.table(title, single, g.name, len(single) > maxPackages)
	for _, s := range shared {
		c.names(g, fmt.Sprintf("%s (%s), %s", title, Number(len(s.list)), escapeMarkdown(shorten(s.text(), maxCommentReason))), s.list)
	}
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
	title = fmt.Sprintf("%s (%s)", title, Number(len(list)))
	open, end := "**"+title+"**\n\n", "\n"
	if folded {
		open, end = "<details><summary>"+title+"</summary>\n\n", "\n</details>\n\n"
	}
	open += "| | Object | Why |\n|---|---|---|\n"
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
	return fmt.Sprintf("| %s %s | %s | %s |\n", escapeMarkdown(l.unicode), ch.Action, code(shorten(name, maxCommentAddress)), reason)
}
