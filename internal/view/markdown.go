package view

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// escapeMarkdown makes a text from outside harmless in GitLab's and GitHub's
// Markdown, in tables and HTML too. Entities are text wherever they stand
// (CommonMark 0.31, 2.5), so they cannot open or close anything; a zero-width
// space after the signs of mentions and references keeps those from being
// found in the text that comes out.
func escapeMarkdown(s string) string {
	s = cleanLine(s)
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i, r := range s {
		switch {
		case strings.ContainsRune("@#!~$%&^", r):
			fmt.Fprintf(&b, "&#%d;", r)
			if next, _ := utf8.DecodeRuneInString(s[i+1:]); isWordRune(next) || next == '"' {
				b.WriteString("&#8203;")
			}
		case strings.ContainsRune("<>\"'`*_[](){}|\\:", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("www.", "www&#46;", "WWW.", "WWW&#46;").Replace(b.String())
}

// code writes a text from outside as code, in which nothing is looked for.
// The HTML element is used because a code span cannot hold every text within
// a table.
func code(s string) string {
	s = cleanLine(s)
	var b strings.Builder
	b.WriteString("<code>")
	for _, r := range s {
		if strings.ContainsRune("&<>\"'`*_[](){}|\\:@#!~$%^", r) {
			fmt.Fprintf(&b, "&#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteString("</code>")
	return b.String()
}

// shorten keeps a text from outside to a number of characters.
func shorten(s string, runes int) string {
	if len(s) <= runes || utf8.RuneCountInString(s) <= runes {
		return s
	}
	n := 0
	for i := range s {
		if n == runes-1 {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
