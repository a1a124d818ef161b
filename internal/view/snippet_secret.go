package view

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/schema"
)

// withheld is what is shown in place of a value that may be a secret.
const withheld = "(not shown)"

// secretLines tells how much may be shown of some lines of a source: so many bytes
// of each, or -1 for all. It goes by the text, not by what was parsed, since
// quotes that are missing are what most of these snippets are about. Lines count
// from 1.
func secretLines(filename string, source []byte, first, last int) map[int]int {
	lines := strings.Split(string(source), "\n")
	scan := secretScan{everything: isVariableFile(filename)}
	shown := map[int]int{}
	for i, line := range lines[:min(last, len(lines))] {
		n := scan.line(line, lines[i:])
		if i+1 < first {
			continue
		}
		if n < 0 && schema.HoldsSecret(line) {
			n = strings.IndexAny(line, `="`) + 1
		}
		shown[i+1] = n
	}
	return shown
}

// isVariableFile reports whether a file has nothing but values: what they are for
// is not known, and any of them may be a secret.
func isVariableFile(name string) bool { return strings.HasSuffix(name, ".esdvars") }

// Patterns of lines. A key is a name or a string in front of = or :, but not of
// a comparison.
var (
	keyPattern       = regexp.MustCompile(`([A-Za-z_][A-Za-z0-9_-]*)"?\)?\s*(=>?|:)(?:[^=]|$)`)
	settingPattern   = regexp.MustCompile(`^\s*[A-Za-z_][A-Za-z0-9_-]*\s*=`)
	variablePattern  = regexp.MustCompile(`^\s*variable\s+"?([^"\s{]*)`)
	sensitivePattern = regexp.MustCompile(`\bsensitive\s*=\s*true\b`)
	heredocPattern   = regexp.MustCompile(`<<-?([A-Za-z_][A-Za-z0-9_-]*)\s*$`)
	harmlessPattern  = regexp.MustCompile(`^\s*(var|local|each|module|recipe|data)\.[A-Za-z0-9_.-]*\s*$|^\s*(bool|string|number|any|true|false|null)?\s*[{\[(]?\s*$`)
)

// secretScan goes through the lines of a file.
type secretScan struct {
	everything bool // is secret

	heredoc string // what ends the value that is withheld
	depth   int    // of brackets within the value that is withheld
	hides   bool   // the default of the variable block around
}

// line is how many bytes of a line may be shown, or -1; rest begins with it.
func (s *secretScan) line(line string, rest []string) int {
	switch {
	case s.heredoc != "":
		if strings.TrimSpace(line) == s.heredoc {
			s.heredoc = ""
			return -1
		}
		return 0
	case s.depth > 0:
		s.depth = max(s.depth+brackets(line), 0)
		return 0
	}
	if m := variablePattern.FindStringSubmatch(line); m != nil {
		s.hides = schema.IsSecretKey(m[1]) || saysSensitive(rest)
	} else if strings.HasPrefix(line, "}") {
		s.hides = false
	}
	if at := s.secretValue(line); at >= 0 {
		if m := heredocPattern.FindStringSubmatch(line); m != nil {
			s.heredoc = m[1]
		}
		s.depth = max(brackets(line[at:]), 0)
		return at
	}
	if s.everything {
		return 0
	}
	return -1
}

// secretValue is where the value of the first secret key in a line begins, or -1.
func (s *secretScan) secretValue(line string) int {
	if s.everything {
		if m := settingPattern.FindStringIndex(line); m != nil {
			return m[1]
		}
		return -1
	}
	for _, m := range keyPattern.FindAllStringSubmatchIndex(line, -1) {
		key, end := line[m[2]:m[3]], m[5]
		if !schema.IsSecretKey(key) && (!s.hides || key != "default") {
			continue
		}
		if !harmlessPattern.MatchString(line[end:]) || strings.ContainsAny(line[end:], "{[(") {
			return end
		}
	}
	return -1
}

// saysSensitive reports whether the block that begins with the first line is that
// of a sensitive variable.
func saysSensitive(lines []string) bool {
	for i, line := range lines {
		if sensitivePattern.MatchString(line) {
			return true
		}
		if strings.HasPrefix(line, "}") || i > 0 && variablePattern.MatchString(line) {
			return false
		}
	}
	return false
}

// brackets is how many brackets a line opens and does not close, outside of
// strings.
func brackets(line string) int {
	depth, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("{[(", c) >= 0:
			depth++
		case strings.IndexByte("}])", c) >= 0:
			depth--
		}
	}
	return depth
}

// withholds reports whether nothing of the source of a diagnostic may be shown.
func withholds(d *hcl.Diagnostic) bool {
	_, secret := hcl.DiagnosticExtra[*schema.SecretError](d)
	return secret
}

// withhold leaves out what may not be shown of a line.
func (l snippetLine) withhold(shown int) snippetLine {
	if shown < 0 || shown >= len(strings.TrimRight(l.text, "\r\n ")) {
		return l
	}
	kept := l.text[:shown]
	switch {
	case !l.marked:
		l.before, l.mark = "", ""
	case len(l.before) >= shown: // the mark begins in what is left out
		l.before, l.mark = kept+spaceAfter(kept), withheld
	case len(l.before)+len(l.mark) > shown:
		l.mark = kept[len(l.before):] + spaceAfter(kept) + withheld
	}
	l.text = kept + spaceAfter(kept) + withheld
	return l
}

// spaceAfter is what stands between an equals sign and a value.
func spaceAfter(kept string) string {
	if kept == "" || strings.HasSuffix(kept, " ") || strings.HasSuffix(kept, `"`) {
		return ""
	}
	return " "
}
