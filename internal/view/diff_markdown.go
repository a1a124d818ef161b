package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"esd/internal/compare"
	"esd/internal/plan"
)

// Limits of a comment on a difference: rows of a table, and how many are shown
// openly.
const (
	maxDiffTable = 300
	openDiffRows = 25
	maxDiffNotes = 10
)

// DifferenceMarker is the hidden first line of a comment on a difference, by
// which a later run finds the one that it replaces.
func DifferenceMarker(id string) string {
	return strings.Replace(MarkdownMarker(id), "esd-plan", "esd-diff", 1)
}

// DifferenceMarkdown writes what is different as a comment for a merge request.
// However much that is, the comment stays below the limit, keeps what changed
// about the packages that were asked for, and says what it left out.
func DifferenceMarkdown(w io.Writer, d *compare.Difference, o MarkdownOptions) error {
	c := diffComment{comment: comment{left: cmp.Or(max(o.Bytes, 0), defaultComment) - 1}}
	c.add(DifferenceMarker(o.ID) + "\n")
	title := DifferenceLine(d.Summary)
	if d.Empty() {
		title = noDifference(d)
	}
	c.add("### " + title + "\n\n")
	c.add(fmt.Sprintf("From %s to %s.\n\n", sideMarkdown(d.From), sideMarkdown(d.To)))
	for i, note := range d.Notes {
		if i == maxDiffNotes {
			c.add(fmt.Sprintf("> … and %s more\n\n", Plural(len(d.Notes)-i, "note")))
			break
		}
		c.add("> " + escapeMarkdown(shorten(note, maxCommentReason)) + "\n\n")
	}
	var groups []*compare.GroupDifference
	for _, g := range d.Groups {
		if !g.Empty() {
			groups = append(groups, g)
		}
	}
	c.groups(groups)
	_, err := io.WriteString(w, c.b.String())
	return err
}

func sideMarkdown(s compare.Side) string {
	text := code(shorten(s.Name, maxCommentAddress))
	if s.Detail != "" {
		text += " (" + escapeMarkdown(shorten(shortContent(s.Detail), maxCommentAddress)) + ")"
	}
	return text
}

// diffComment is a comment on a difference.
type diffComment struct{ comment }

// minShare is how many bytes a group gets at least, as long as there are any.
const minShare = 3000

// groups writes groups. Each may take what those before it have left of their
// shares.
func (c *diffComment) groups(list []*compare.GroupDifference) {
	rest := c.left - tableEnd
	for i, g := range list {
		if rest < minShare/2 {
			c.left = rest + tableEnd
			c.add(fmt.Sprintf("… and %s more environments and targets, left out, as this comment would get too long\n", Number(len(list)-i)))
			return
		}
		c.left = min(rest, max(rest/(len(list)-i), minShare))
		before := c.b.Len()
		c.group(g)
		rest -= c.b.Len() - before
	}
}

// diffRow is a row of a table: what happened to what, and how.
type diffRow struct {
	action     plan.Action
	name, text string
}

// group writes one group.
func (c *diffComment) group(g *compare.GroupDifference) {
	o := Options{Unicode: true}
	if !c.add("**" + escapeMarkdown(shorten(groupTitle(g)+groupNote(g), maxCommentAddress)) + "**\n\n") {
		return
	}
	var rows, others []diffRow
	for _, f := range g.Facts {
		name, text := o.diffFactParts(f)
		rows = append(rows, diffRow{factAction(f), name, text})
	}
	for _, s := range g.SpecsAdded {
		rows = append(rows, diffRow{plan.Create, s, "asked for"})
	}
	for _, s := range g.SpecsRemoved {
		rows = append(rows, diffRow{plan.Remove, s, "no longer asked for"})
	}
	for _, ch := range g.Changed {
		row := diffRow{plan.Update, ch.To.Name, o.diffFields(ch.Fields)}
		if ch.Asked() {
			rows = append(rows, row)
		} else {
			others = append(others, row)
		}
	}
	rows, others = addedRows(rows, others, g)
	for _, f := range g.Common {
		rows = append(rows, diffRow{plan.Update, Plural(len(f.Packages), "package"), o.diffField(f.Field)})
	}
	for _, r := range g.Rebuilt {
		rows = append(rows, diffRow{plan.Refresh, Plural(len(r.Packages), "package"), o.diffRebuilt(r)})
	}
	if len(rows)+len(others) <= openDiffRows {
		rows, others = append(rows, others...), nil
	}
	c.rows("", rows)
	c.rows(Plural(len(others), "dependency change"), others)
	c.rebuiltNames(g.Rebuilt)
}

// addedRows adds the packages that only one side has.
func addedRows(rows, others []diffRow, g *compare.GroupDifference) ([]diffRow, []diffRow) {
	for _, list := range []struct {
		action   plan.Action
		packages []*compare.Package
	}{{plan.Create, g.Added}, {plan.Remove, g.Removed}} {
		for _, p := range list.packages {
			row := diffRow{list.action, p.Name, p.Version}
			if p.Asked {
				rows = append(rows, row)
			} else {
				others = append(others, row)
			}
		}
	}
	return rows, others
}

// rows writes a table, folded if it has a title, as many rows as fit.
func (c *diffComment) rows(title string, rows []diffRow) {
	if len(rows) == 0 {
		return
	}
	open, end := "", "\n"
	if title != "" {
		open, end = "<details><summary>"+title+"</summary>\n\n", "\n</details>\n\n"
	}
	open += "| | Package | What |\n|---|---|---|\n"
	if len(open)+2*tableEnd > c.left {
		c.add("Left out, as this comment would get too long: " + Plural(len(rows), "line") + ".\n\n")
		return
	}
	c.add(open)
	c.left -= tableEnd
	n := 0
	for n < len(rows) && n < maxDiffTable && c.add(rows[n].markdown()) {
		n++
	}
	c.left += tableEnd
	if n < len(rows) {
		c.add(fmt.Sprintf("| … | %s more | left out, as this comment would get too long |\n", Number(len(rows)-n)))
	}
	c.add(end)
}

func (r diffRow) markdown() string {
	return fmt.Sprintf("| %s | %s | %s |\n", escapeMarkdown(lookOf(r.action).unicode),
		code(shorten(r.name, maxCommentAddress)), escapeMarkdown(shorten(r.text, maxCommentReason)))
}

// rebuiltNames lists the packages that are other builds, folded.
func (c *diffComment) rebuiltNames(list []compare.Rebuilt) {
	for _, r := range list {
		title := escapeMarkdown(shorten(Options{Unicode: true}.diffRebuilt(r), maxCommentReason))
		open, end := fmt.Sprintf("<details><summary>%s, %s</summary>\n\n", Plural(len(r.Packages), "package"), title), "\n\n</details>\n\n"
		if len(open)+2*tableEnd > c.left || !c.add(open) {
			continue
		}
		c.left -= tableEnd
		for i, name := range packageNames(r.Packages) {
			text := code(shorten(name, maxCommentAddress))
			if i > 0 {
				text = ", " + text
			}
			if i == maxDiffTable || !c.add(text) {
				c.left += tableEnd / 2
				c.add(fmt.Sprintf(", and %s more", Number(len(r.Packages)-i)))
				c.left -= tableEnd / 2
				break
			}
		}
		c.left += tableEnd
		c.add(end)
	}
}
