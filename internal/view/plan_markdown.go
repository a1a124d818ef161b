package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"esd/internal/plan"
)

// MarkdownOptions limits a comment.
type MarkdownOptions struct {
	// Bytes is the size that the comment stays below; 0 is 65,000, which
	// fits the forges.
	Bytes int
	// ID tells the comments of several plans in one merge request apart; empty
	// is the name of the configuration.
	ID string
}

// Limits of single texts in a comment, in characters.
const (
	maxCommentAddress = 160
	maxCommentReason  = 240
	maxCommentLines   = 20 // warnings, outputs
	maxCommentCauses  = 10
	minCaused         = 3 // changes from which on their cause is named apart
	defaultComment    = 65000
)

// MarkdownMarker is the hidden first line of a comment, by which a later run
// finds the one that it replaces.
func MarkdownMarker(id string) string {
	keep := func(r rune) rune {
		if isWordRune(r) && r < 0x80 || strings.ContainsRune("./-", r) {
			return r
		}
		return '_'
	}
	if id == "" {
		return "<!-- esd-plan -->"
	}
	id = strings.ReplaceAll(strings.Map(keep, id), "--", "__") // two dashes end comments for some
	return "<!-- esd-plan " + shorten(id, 100) + " -->"
}

// PlanMarkdown writes a plan as a comment for a merge request: the numbers,
// what changes and why, the forecast. However large the plan is, the comment
// stays below the limit, keeps the most important lines, and says what it
// left out. What changes from run to run without a reason in the plan, the
// forecast, stands at the end, so that the comments of two pushes compare well.
func PlanMarkdown(w io.Writer, p *plan.Plan, o MarkdownOptions) error {
	if o.Bytes <= 0 {
		o.Bytes = defaultComment
	}
	name := p.Config.Name
	c := comment{left: o.Bytes - 1, plan: p, users: usersOf(p)}
	outputs, tail := c.outputs(), c.tail()
	for _, part := range []*string{&tail, &outputs} { // room is kept for them, if they are not too long
		if len(*part) > o.Bytes/4 {
			*part = ""
		}
		c.left -= len(*part)
	}
	c.add(MarkdownMarker(cmp.Or(o.ID, name)) + "\n")
	c.add("### " + markdownTitle(p, name) + "\n\n")
	c.add(markdownCounts(p))
	for _, note := range planNotes(p) {
		c.add("> " + escapeMarkdown(shorten(note, maxCommentReason)) + "\n\n")
	}
	c.warnings()
	c.causes()
	c.changes()
	_, err := io.WriteString(w, c.b.String()+outputs+tail)
	return err
}

// markdownTitle names what was planned.
func markdownTitle(p *plan.Plan, name string) string {
	what := "Plan"
	switch p.Mode {
	case plan.Destroy:
		what = "Plan to destroy"
	case plan.RefreshOnly:
		what = "Plan to refresh"
	case plan.Apply:
	}
	if name == "" {
		return what
	}
	return what + ": " + escapeMarkdown(shorten(name, maxCommentAddress))
}

// markdownCounts are the numbers of the summary line; those that ask for
// attention are bold.
func markdownCounts(p *plan.Plan) string {
	if p.Empty() {
		return noChanges(p.Mode) + "\n\n"
	}
	var halves []string
	for half := range strings.SplitSeq(summaryCounts(p.Summary), "; ") {
		var counts []string
		for count := range strings.SplitSeq(half, ", ") {
			if p.Mode != plan.Destroy || !strings.HasPrefix(count, "0 ") {
				counts = append(counts, boldCount(count))
			}
		}
		if len(counts) > 0 {
			halves = append(halves, strings.Join(counts, ", "))
		}
	}
	return strings.Join(halves, "; ") + ".\n\n"
}

// boldCount makes `3 to build` bold, and leaves `0 to build` and `3 reused`.
func boldCount(s string) string {
	if strings.HasPrefix(s, "0 ") || !strings.Contains(s, " to ") {
		return s
	}
	return "**" + s + "**"
}

// comment is a comment being written within a budget of bytes.
type comment struct {
	b     strings.Builder
	left  int
	plan  *plan.Plan
	users users
}

// add writes a part if it fits.
func (c *comment) add(s string) bool {
	if len(s) > c.left {
		return false
	}
	c.b.WriteString(s)
	c.left -= len(s)
	return true
}

// tail is the end of the comment, for which room is kept.
func (c *comment) tail() string {
	lines := forecastLines(c.plan, " → ")
	if len(lines) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("**Forecast**\n\n")
	for _, line := range lines {
		b.WriteString("- " + escapeMarkdown(shorten(line, 1000)) + "\n")
	}
	return b.String()
}

func (c *comment) warnings() {
	for i, warning := range c.plan.Warnings {
		if i == maxCommentLines {
			c.add(fmt.Sprintf("> … and %s more\n", Plural(len(c.plan.Warnings)-i, "warning")))
			break
		}
		if i > 0 {
			c.add(">\n")
		}
		c.add("> ⚠ **Warning:** " + escapeMarkdown(shorten(warning, maxCommentReason)) + "\n")
	}
	if len(c.plan.Warnings) > 0 {
		c.add("\n")
	}
}

// causes names the objects at the root of what many others change for.
func (c *comment) causes() {
	var list []*plan.Change
	for i := range c.plan.Changes {
		list = append(list, &c.plan.Changes[i])
	}
	roots := rootCauses(c.plan, list, len(list))
	roots = slices.DeleteFunc(roots, func(r causeCount) bool { return r.n < minCaused })
	if len(list) <= maxPackages || len(roots) == 0 {
		return
	}
	c.add("**Causes**\n\n")
	for i, root := range roots {
		if i == maxCommentCauses {
			c.add(fmt.Sprintf("- … and %s more\n", Number(len(roots)-i)))
			break
		}
		reason := ""
		if change, ok := c.plan.Change(root.address); ok {
			reason = ", " + escapeMarkdown(shorten(Options{Unicode: true}.reason(&change, c.users), maxCommentReason))
		}
		c.add(fmt.Sprintf("- %s%s: %s because of it\n", code(shorten(root.address, maxCommentAddress)), reason, Plural(root.n, "change")))
	}
	c.add("\n")
}

// outputs tells what becomes of the outputs.
func (c *comment) outputs() string {
	if len(c.plan.Outputs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("**Outputs**\n\n")
	v := planView{printer: newPrinter(io.Discard, Options{Unicode: true})}
	for i, out := range c.plan.Outputs {
		if i == maxCommentLines {
			fmt.Fprintf(&b, "- … and %s more\n", Number(len(c.plan.Outputs)-i))
			break
		}
		fmt.Fprintf(&b, "- %s = %s\n", code(shorten(out.Name, maxCommentAddress)), code(shorten(v.outputChange(out), maxCommentReason)))
	}
	return b.String() + "\n"
}
