package environment

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// adopted says what a lock has that is taken as it is, and what nobody has
// checked about it.
func adopted(e *env, lock *lockfile.Lock, sum string) []string {
	lines := []string{fmt.Sprintf("%s for %s, as Spack %s wrote them",
		count(len(lock.Order), "package"), count(len(lock.AllRoots()), "spec"), spackVersion(lock.Spack.Version))}
	if e.locked != nil && e.locked.SHA256 != sum {
		lines = append(lines, "in place of another lock, which is not there any more to compare with")
	} else if e.locked != nil {
		if what := changedInput(*e.locked, e.inputs); what != "" {
			lines = append(lines, "the same packages as before; "+what)
		}
	}
	if len(e.config) > 0 {
		line := "nothing checked them against config: only Spack can"
		if targets := requiredTargets(e.config); len(targets) > 0 {
			line = "nothing but target=" + strings.Join(targets, ", target=") + " was checked of config: only Spack can check the rest"
		}
		lines = append(lines, line)
	}
	return lines
}

// spackVersion is the version of the Spack that wrote a lock.
func spackVersion(version string) string { return cmp.Or(version, "of an unknown version") }

// fitting refuses a lock that has not what the environment asks for.
func fitting(e *env, data []byte) error {
	lock, err := lockfile.Parse(data)
	if err != nil {
		return err
	}
	if err := checkTargets(e.config, lock); err != nil {
		return err
	}
	if e.from != "" {
		return nil // its specs are written in Spack's own terms
	}
	roots := lock.AllRoots()
	used := make([]bool, len(roots))
	for _, spec := range e.specs {
		match, err := spack.Match(spec)
		if err != nil {
			return err
		}
		found := false
		for i, r := range roots {
			if match.Matches(lock.Specs[r.Hash], lock.Specs) {
				used[i], found = true, true
			}
		}
		if !found {
			return fmt.Errorf("the lock has no %s among what it was asked for", spec)
		}
	}
	for i, r := range roots {
		if !used[i] {
			return fmt.Errorf("the lock was asked for %s, which is not among the specs", r.Spec)
		}
	}
	return nil
}

// checkTargets refuses a lock that contradicts the target which the
// configuration requires of all packages. Packages with requirements of their
// own are none of those: such requirements take the place of those of all.
func checkTargets(config json.RawMessage, lock *lockfile.Lock) error {
	packages := packagesOf(config)
	for _, target := range requiredTargets(config) {
		var names, targets []string
		for _, h := range lock.Order {
			s := lock.Specs[h]
			if s.IsExternal() || s.Arch.Target == target || member(packages[s.Name], "require") != nil {
				continue
			}
			names, targets = append(names, s.Name), append(targets, s.Arch.Target)
		}
		if len(names) > 0 {
			slices.Sort(names)
			slices.Sort(targets)
			return fmt.Errorf("config requires target=%s of all packages, but %s of the lock %s for %s (%s): "+
				"change the requirement, or let Spack concretize anew with `esd lock`", target, count(len(names), "package"),
				verb(len(names)), strings.Join(slices.Compact(targets), " or "), abridged(slices.Compact(names)))
		}
	}
	return nil
}

func verb(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// requiredTargets are those that packages:all:require asks for without
// alternatives or conditions.
func requiredTargets(config json.RawMessage) []string {
	var targets []string
	require := member(packagesOf(config)["all"], "require")
	list, ok := require.([]any)
	if !ok {
		list = []any{require}
	}
	for _, r := range list {
		if o, ok := r.(map[string]any); ok && o["when"] == nil {
			r = o["spec"]
		}
		text, _ := r.(string)
		if end := strings.IndexAny(text, "%^"); end >= 0 {
			text = text[:end] // from there on it is about a dependency
		}
		for _, word := range strings.Fields(text) {
			// Ranges and lists are left to Spack, which knows what is below what.
			if t, ok := strings.CutPrefix(word, "target="); ok && t != "" && !strings.ContainsAny(t, ":,*\"'") && !slices.Contains(targets, t) {
				targets = append(targets, t)
			}
		}
	}
	return targets
}

func packagesOf(config json.RawMessage) map[string]any {
	var sections map[string]any
	if len(config) == 0 || json.Unmarshal(config, &sections) != nil {
		return nil
	}
	packages, _ := member(sections, "packages").(map[string]any)
	if all := member(packages, "all"); all != nil {
		packages["all"] = all
	}
	return packages
}

// member is a member of an object, also where it is written with the colon by
// which it takes the place of what other files say.
func member(object any, name string) any {
	m, _ := object.(map[string]any)
	if v, ok := m[name]; ok {
		return v
	}
	return m[name+":"]
}
