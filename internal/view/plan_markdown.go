package view

import (
	"fmt"
	"io"
	"path/filepath"
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
	defaultComment    = 65000
)

// MarkdownMarker is the hidden first line of a comment, by which a later run
// finds the one that it replaces.
func MarkdownMarker(id string) string {
	keep := func(r rune) rune {
		if isWordRune(r) && r < 0x80 || strings.ContainsRune("./", r) {
			return r
		}
		return '_'
	}
	if id == "" {
		return "<!-- esd-plan -->"
	}
	return "<!-- esd-plan " + shorten(strings.Map(keep, id), 100) + " -->"
}

// PlanMarkdown writes a plan as a comment for a merge request: the numbers,
// what changes and why, the forecast. However large the plan is, the comment
// stays below the limit, keeps the most important lines, and says what it
// left out.
func PlanMarkdown(w io.Writer, p *plan.Plan, o MarkdownOptions) error {
	if o.Bytes <= 0 {
		o.Bytes = defaultComment
	}
	if o.ID == "" {
		o.ID = configName(p.Config.Path)
	}
	c := comment{left: o.Bytes - 1, plan: p, users: usersOf(p)}
	tail := c.tail()
	if len(tail) > o.Bytes/4 {
		tail = ""
	}
	c.left -= len(tail)
	c.add(MarkdownMarker(o.ID) + "\n")
	c.add("### " + markdownTitle(p) + "\n\n")
	for _, note := range planNotes(p) {
		c.add("> " + escapeMarkdown(shorten(note, maxCommentReason)) + "\n\n")
	}
	c.warnings()
	if !p.Empty() {
		c.changes()
		c.outputs()
	}
	_, err := io.WriteString(w, c.b.String()+tail)
	return err
}

// configName is what a configuration is called: its directory, or its file
// without the extension.
func configName(path string) string {
	name := filepath.Base(path)
	if name == "." || name == string(filepath.Separator) {
		return ""
	}
	return strings.TrimSuffix(name, ".hcl")
}

func markdownTitle(p *plan.Plan) string {
	if p.Empty() {
		return noChanges(p.Mode)
	}
	return SummaryLine(p.Summary)
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
			c.add(fmt.Sprintf("- … and %s more\n", Plural(len(c.plan.Warnings)-i, "warning")))
			break
		}
		c.add("- ⚠ " + escapeMarkdown(shorten(warning, maxCommentReason)) + "\n")
	}
	if len(c.plan.Warnings) > 0 {
		c.add("\n")
	}
}

func (c *comment) outputs() {
	if len(c.plan.Outputs) == 0 || !c.add("**Outputs**\n\n") {
		return
	}
	v := planView{printer: newPrinter(io.Discard, Options{Unicode: true})}
	for i, out := range c.plan.Outputs {
		line := fmt.Sprintf("- %s = %s\n", code(shorten(out.Name, maxCommentAddress)), code(shorten(v.outputChange(out), maxCommentReason)))
		if i == maxCommentLines || !c.add(line) {
			c.add(fmt.Sprintf("- … and %s more\n", Number(len(c.plan.Outputs)-i)))
			break
		}
	}
	c.add("\n")
}
