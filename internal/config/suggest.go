package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// suggest finds the candidate that name is most likely a misspelling of, and
// returns a sentence to append to a diagnostic, or nothing.
func suggest(name string, candidates []string) string {
	best, distance := "", min(3, len([]rune(name)))
	for _, candidate := range slices.Sorted(slices.Values(candidates)) {
		d := levenshtein.Distance(name, candidate, nil)
		if strings.EqualFold(name, candidate) {
			d = 0
		}
		if candidate != name && d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" Did you mean %q?", best)
}

// oneOf lists the names there are as a sentence, or at least the first.
func oneOf(what string, names []string) string {
	const shown = 12
	names = slices.Sorted(slices.Values(names))
	switch {
	case len(names) == 0:
		return ""
	case len(names) > shown:
		return fmt.Sprintf(" %s: %s, and %d more.", what, strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return fmt.Sprintf(" %s: %s.", what, strings.Join(names, ", "))
}

// suggestOr suggests one name or, when none is near, lists what there is.
func suggestOr(name string, candidates []string, what string) string {
	if hint := suggest(name, candidates); hint != "" {
		return hint
	}
	return oneOf(what, candidates)
}
