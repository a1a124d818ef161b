package importer

import (
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest"
	"esd/internal/spack/manifest/yamlnode"
)

// included merges what the environment includes into its configuration, as
// Spack does: what stands in the environment itself has precedence, then what
// is included first.
func (i *spackImport) included() error {
	if i.m.Section("include") == nil {
		return nil
	}
	followed, err := i.m.Follow(filepath.Dir(i.path))
	if err != nil {
		return err
	}
	for _, in := range followed.Inputs {
		if in.Kind == manifest.InputConfig {
			i.lose(in.Position, "include "+in.Path, "%s", whyNotIncluded(in))
		}
	}
	for _, in := range followed.Missing {
		if in.Kind == manifest.InputConfig && !in.Optional {
			i.lose(in.Position, "include "+in.Path, "nothing is there")
		}
	}
	for _, file := range followed.Files {
		if err := i.mergeFile(file); err != nil {
			return err
		}
	}
	return nil
}

func whyNotIncluded(in manifest.Input) string {
	switch {
	case in.When != "":
		return "it holds only `when: " + in.When + "`, which is Python about the host"
	case in.Git != nil || in.URL != "":
		return "it is not on this machine, and a configuration has to be complete by itself; download it and include the file"
	}
	return in.Why
}

// mergeFile imports an included file by itself and puts below what is there.
func (i *spackImport) mergeFile(file manifest.Included) error {
	other := *i
	other.m, other.path, other.converter = file.Manifest, file.Path, newConverter(file.Manifest.File)
	other.env = &environmentBlock{name: i.env.name, spack: i.env.spack}
	for _, e := range file.Manifest.Sections {
		if e.Key == "specs" || e.Key == "definitions" {
			if !isNothing(e.Value) {
				other.lose(e.Position, e.Name(), "it is included; only the environment itself has it here")
			}
			continue
		}
		if err := other.section(e); err != nil {
			return err
		}
	}
	i.note(file.By.Position, "include "+file.By.Path, "%s is merged into config", filepath.Base(file.Path))
	merge(&i.env.config, other.env.config)
	i.env.notes = append(i.env.notes, other.env.notes...)
	for _, m := range other.env.attributes {
		if !slices.ContainsFunc(i.env.attributes, func(have member) bool { return have.key == m.key }) {
			i.env.attributes = append(i.env.attributes, m)
		}
	}
	i.env.caches = append(i.env.caches, other.env.caches...)
	if i.env.cpus == "" {
		i.env.cpus = other.env.cpus
	}
	return nil
}

// merge puts what is in low under what is in high, as Spack merges its
// configuration scopes (lib/spack/spack/config.py, merge_yaml): objects member
// by member, lists one behind the other, of scalars the higher one; what has
// two colons keeps the lower out.
func merge(high *value, low value) {
	if high.isEmpty() && high.kind != yamlnode.List {
		*high = low
		return
	}
	index := make(map[string]int, len(high.members))
	for n, m := range high.members {
		index[m.key] = n
	}
	for _, m := range low.members {
		if _, overridden := index[m.key+"::"]; overridden {
			continue
		}
		n, ok := index[m.key]
		if !ok {
			n, ok = index[strings.TrimSuffix(m.key, "::")]
		}
		var have *value
		if ok {
			have = &high.members[n].value
		}
		switch {
		case have == nil:
			high.members = append(high.members, m)
		case have.kind == yamlnode.Map && m.value.kind == yamlnode.Map:
			merge(have, m.value)
		case have.kind == yamlnode.List && m.value.kind == yamlnode.List:
			have.members = append(have.members, m.value.members...)
		}
	}
}
