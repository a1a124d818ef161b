package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes one harmless line of a text from outside: escape sequences and
// control characters go, line breaks and tabs become spaces, and so do no
// bytes that are not UTF-8. Without Unicode, arrows and dots are spelled out.
func (o Options) clean(s string) string {
	if isPlainASCII(s) {
		return s
	}
	s = cleanLine(s)
	if !o.Unicode {
		s = spellOut(s)
	}
	return s
}

// cleanLine is clean without the choice of characters.
func cleanLine(s string) string {
	if isPlainASCII(s) {
		return s
	}
	s = stripSequences(s)
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case isUnprintable(r):
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cleanLines cleans a text line by line and keeps the lines apart. What a
// carriage return would overwrite on a terminal is left out.
func (o Options) cleanLines(s string) []string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		if at := strings.LastIndexByte(line, '\r'); at >= 0 {
			line = line[at+1:]
		}
		lines[i] = o.clean(strings.ReplaceAll(line, "\t", "    "))
	}
	return lines
}

func isPlainASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isUnprintable reports characters that a terminal acts on instead of showing
// them, and those that make text look other than it is (the bidirectional
// controls of Unicode's UAX 9, byte-order marks, tags).
func isUnprintable(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r >= 0x200e && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x061c, r == 0xfeff, r == 0x200b:
		return true
	case r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// spellOut gives the characters that esd's own texts use in ASCII.
func spellOut(s string) string {
	return strings.NewReplacer("→", "->", "…", "...", "–", "-", "×", "x", "“", `"`, "”", `"`, "’", "'").Replace(s)
}

// stripSequences removes terminal control sequences as ECMA-48 defines them,
// with both forms of their introducers, and makes the rest valid UTF-8.
func stripSequences(s string) string {
	if !strings.ContainsAny(s, "\x1b\u0090\u0098\u009b\u009d\u009e\u009f") {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if n := sequenceLength(s, r); n > 0 {
			s = s[n:]
			continue
		}
		b.WriteString(s[:size])
		s = s[size:]
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

// sequenceLength is the length in bytes of the control sequence at the start
// of s, whose first rune is r; 0 if there is none. One that is cut off ends
// with its line.
func sequenceLength(s string, r rune) int {
	introducer := utf8.RuneLen(r)
	if r == 0x1b {
		if len(s) == 1 {
			return 1
		}
		if s[1] < 0x40 || s[1] > 0x5f {
			return escapeLength(s)
		}
		r, introducer = rune(s[1])+0x40, 2 // the two-byte form of a C1 control
	}
	switch r {
	case 0x9b:
		return controlLength(s, introducer)
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
		return stringLength(s, introducer)
	}
	if s[0] == 0x1b {
		return introducer
	}
	return 0
}

// escapeLength measures ESC, intermediate bytes, final byte.
func escapeLength(s string) int {
	i := 1
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x2f {
		i++
	}
	if i < len(s) && s[i] >= 0x30 && s[i] <= 0x7e {
		i++
	}
	return i
}

// controlLength measures a control sequence: parameters, intermediates, and a
// final byte.
func controlLength(s string, i int) int {
	for i < len(s) && s[i] >= 0x20 && s[i] <= 0x3f {
		i++
	}
	if i < len(s) && s[i] >= 0x40 && s[i] <= 0x7e {
		i++
	}
	return i
}

// stringLength measures a control string, which ends with ST, or with BEL as
// xterm has it.
func stringLength(s string, i int) int {
	for i < len(s) {
		switch {
		case s[i] == '\n':
			return i
		case s[i] == 0x07:
			return i + 1
		case strings.HasPrefix(s[i:], "\x1b\\"):
			return i + 2
		case strings.HasPrefix(s[i:], "\u009c"):
			return i + len("\u009c")
		}
		i++
	}
	return i
}

// isWordRune reports whether r can stand in a word.
func isWordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
