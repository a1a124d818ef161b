package environment

import (
	"fmt"
	"strings"

	"esd/internal/spack/lockfile"
)

// inWords tells what is different between two locks, what was asked for first.
// Packages that have another hash only because of what they depend on are
// counted: hundreds of them say nothing.
func inWords(d lockfile.Difference) []string {
	var lines []string
	for _, spec := range d.RootsAdded {
		lines = append(lines, "spec added: "+spec)
	}
	for _, spec := range d.RootsRemoved {
		lines = append(lines, "spec removed: "+spec)
	}
	var others []string
	for _, c := range d.Changed {
		if len(c.Own) == 0 {
			others = append(others, c.To.Name)
			continue
		}
		line := c.To.Name + " " + strings.Join(c.Own, ", ")
		lines = append(lines, line)
	}
	for _, s := range d.Added {
		lines = append(lines, fmt.Sprintf("%s %s added", s.Name, s.Version))
	}
	for _, s := range d.Removed {
		lines = append(lines, fmt.Sprintf("%s %s removed", s.Name, s.Version))
	}
	if len(others) > 0 {
		lines = append(lines, fmt.Sprintf("%s only because of what they depend on: %s", count(len(others), "package"), abridged(others)))
	}
	return lines
}

// abridged lists the first few names.
func abridged(names []string) string {
	const most = 6
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + ", …"
}
