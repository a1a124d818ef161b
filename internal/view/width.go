package view

import (
	"sort"
	"strings"
	"unicode"
)

// wideRunes are the ranges of characters that take two columns: those of the
// classes W and F in Unicode's EastAsianWidth.txt, joined where only
// unassigned or rare ones lie between. Taking a character for wide that is not
// only makes a line shorter.
var wideRunes = [...][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615},
	{0x2648, 0x2653}, {0x267f, 0x267f}, {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be},
	{0x26c4, 0x26c5}, {0x26ce, 0x26ce}, {0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26fd}, {0x2705, 0x2705},
	{0x270a, 0x270b}, {0x2728, 0x2728}, {0x274c, 0x274e}, {0x2753, 0x2757}, {0x2795, 0x2797}, {0x27b0, 0x27bf},
	{0x2b1b, 0x2b1c}, {0x2b50, 0x2b55}, {0x2e80, 0x303e}, {0x3041, 0x4dbf}, {0x4e00, 0xa4cf}, {0xa960, 0xa97c},
	{0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6f}, {0xff01, 0xff60}, {0xffe0, 0xffe6},
	{0x16fe0, 0x18cff}, {0x1aff0, 0x1b2ff}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf}, {0x1f18e, 0x1f19a},
	{0x1f1e6, 0x1f1ff}, {0x1f200, 0x1f6ff}, {0x1f7e0, 0x1f7f0}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd},
}

// runeWidth is the number of columns that a character takes.
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case r == 0x200d || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	i := sort.Search(len(wideRunes), func(i int) bool { return wideRunes[i][1] >= r })
	if i < len(wideRunes) && wideRunes[i][0] <= r {
		return 2
	}
	return 1
}

// displayWidth is the number of columns that a clean text takes.
func displayWidth(s string) int {
	if isPlainASCII(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// cut shortens a clean text to a number of columns; dots say that it did. A
// room of 0 or less is no limit.
func (o Options) cut(s string, room int) string {
	if room <= 0 || displayWidth(s) <= room {
		return s
	}
	dots := o.pick("...", "…")
	if room <= displayWidth(dots) {
		return head(s, room)
	}
	return head(s, room-displayWidth(dots)) + dots
}

// cutMiddle shortens a clean text, such as an address or a path, whose two
// ends both tell something.
func (o Options) cutMiddle(s string, room int) string {
	dots := o.pick("...", "…")
	keep := room - displayWidth(dots)
	if room <= 0 || displayWidth(s) <= room {
		return s
	}
	if keep < 4 {
		return o.cut(s, room)
	}
	return head(s, keep/2) + dots + tail(s, keep-keep/2)
}

// head is the beginning of s that fits into room columns.
func head(s string, room int) string {
	for i, r := range s {
		if room -= runeWidth(r); room < 0 {
			return s[:i]
		}
	}
	return s
}

// tail is the end of s that fits into room columns.
func tail(s string, room int) string {
	over := displayWidth(s) - room
	for i, r := range s {
		if over <= 0 {
			return s[i:]
		}
		over -= runeWidth(r)
	}
	return ""
}

// pad fills s up to a number of columns.
func pad(s string, columns int) string {
	if n := columns - displayWidth(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// wrap breaks a clean text into lines of at most room columns, at spaces where
// there are any. A room of 0 is no limit.
func wrap(s string, room int) []string {
	if room <= 0 || displayWidth(s) <= room {
		return []string{s}
	}
	var lines []string
	line, used := "", 0
	flush := func() {
		lines = append(lines, strings.TrimRight(line, " "))
		line, used = "", 0
	}
	for word := range strings.SplitSeq(s, " ") {
		width := displayWidth(word)
		if used > 0 && used+width > room {
			flush()
		}
		for width > room {
			part := head(word, room)
			if part == "" {
				break // one character is wider than the room
			}
			line, word = part, word[len(part):]
			flush()
			width = displayWidth(word)
		}
		line += word + " "
		used += width + 1
	}
	flush()
	return lines
}
