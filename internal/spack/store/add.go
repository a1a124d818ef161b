package store

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"esd/internal/spack"
)

// addition is a package that is to be recorded as installed.
type addition struct {
	spec     *spack.Spec
	prefix   string
	explicit bool
}

// addInstalled records a package, as _add in Spack's database.py does: all
// that it depends on in any way gets a record too, of something that is not
// installed unless it is known to be or the system provides it.
func (s *Store) addInstalled(r *Records, a addition, all spack.Specs, now time.Time) error {
	if r.Get(a.spec.Hash) == nil {
		if err := s.addNode(r, a.spec, all, now); err != nil {
			return err
		}
	}
	rec := r.change(a.spec.Hash)
	rec.Path, rec.Installed, rec.Explicit, rec.InstallationTime = a.prefix, true, a.explicit, now
	return nil
}

// addNode makes the record of a package that has none, and of what it needs,
// and counts it in theirs.
func (s *Store) addNode(r *Records, spec *spack.Spec, all spack.Specs, now time.Time) error {
	recorded, err := recordedSpec(r.Version, spec)
	if err != nil {
		return err
	}
	rec := &Record{Spec: recorded, Installed: spec.External != nil, InstallationTime: now}
	if spec.External != nil || !missingHasNoPath(r.Version) {
		if rec.Path, err = s.prefixAmong(spec, all); err != nil {
			return err
		}
	}
	r.add(rec)
	counted := make(map[spack.Hash]bool, len(spec.Dependencies))
	for _, e := range spec.Dependencies {
		if counted[e.Hash] {
			continue
		}
		counted[e.Hash] = true
		if r.Get(e.Hash) == nil {
			child := all[e.Hash]
			if child == nil {
				return fmt.Errorf("record %s: %w: %s/%s; give the specs of build dependencies too, as a lock file has them",
					label(spec), ErrMissingSpec, e.Name, e.Hash.Short())
			}
			if err := s.addNode(r, child, all, now); err != nil {
				return err
			}
		}
		r.change(e.Hash).RefCount++
	}
	return nil
}

// missingHasNoPath tells whether a package that is not installed is recorded
// without a path, as Spack's reindex does it. Spack 1.x installs such a package
// where the record says, even if the record is one of an upstream: into a tree
// of others. Spack 0.23 fails when the path of an upstream's record is missing.
func missingHasNoPath(version int) bool { return version >= Version8 }

// remove takes a package out, as _remove in Spack's database.py does: what
// others still refer to is kept as not installed, and what nobody refers to
// any more and is not installed goes too.
func (r *Records) remove(h spack.Hash) {
	rec := r.change(h)
	rec.Installed = false
	if missingHasNoPath(r.Version) {
		rec.Path = ""
	}
	if rec.RefCount > 0 {
		return
	}
	r.drop(h)
	children := make(map[spack.Hash]bool)
	for _, e := range rec.Spec.Dependencies {
		children[e.Hash] = true
	}
	if rec.DeprecatedFor != "" {
		r.forget(rec.DeprecatedFor)
	}
	for child := range children {
		r.forget(child)
	}
}

// forget counts one reference less.
func (r *Records) forget(h spack.Hash) {
	if r.Get(h) == nil {
		return
	}
	rec := r.change(h)
	rec.RefCount = max(0, rec.RefCount-1)
	if rec.RefCount == 0 && !rec.Installed {
		r.remove(h)
	}
}

// recordedSpec is a spec as a database of the given version has it. Version 8
// takes specs of Spack 0.23 and older the way Spack 1.x writes them; version 7
// is for these alone.
func recordedSpec(version int, spec *spack.Spec) (*spack.Spec, error) {
	raw := jsontext.Value(bytes.Clone(spec.Raw))
	if err := raw.Compact(); err != nil {
		return nil, fmt.Errorf("the spec of %s cannot be recorded: %w", label(spec), err)
	}
	annotated := hasMember(raw, "annotations")
	switch {
	case spec.SpecfileVersion < 4:
		return nil, fmt.Errorf("%w: %s is a spec of Spack 0.19 or older; concretize it again", ErrVersion, label(spec))
	case version == Version7 && (spec.SpecfileVersion != 4 || annotated):
		return nil, fmt.Errorf("%w: %s is a spec of Spack 1.x, and the database of the install tree is of Spack 0.23 or older; use another root, or run `spack reindex` with Spack 1.x", ErrVersion, label(spec))
	case version == Version8 && spec.SpecfileVersion == 4 && !annotated:
		raw = annotate(raw, spec)
	}
	recorded := *spec
	recorded.Raw = []byte(raw)
	return &recorded, nil
}

func hasMember(raw jsontext.Value, name string) bool {
	found := false
	_ = members(raw, func(n string, _ jsontext.Value) { found = found || n == name })
	return found
}

// annotate turns a spec of specfile 4 into what Spack 1.x makes of it when it
// records it: the compiler becomes an annotation (to_node_dict in spec.py).
func annotate(raw jsontext.Value, spec *spack.Spec) jsontext.Value {
	note := []byte(`"annotations":{"original_specfile_version":4`)
	if c := spec.Compiler; c != nil {
		note = append(note, `,"compiler":`...)
		note, _ = jsontext.AppendQuote(note, c.Name+"@="+c.Version)
	}
	note = append(note, '}')
	b := []byte{'{'}
	add := func(text []byte) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	_ = members(raw, func(name string, value jsontext.Value) {
		switch name {
		case "compiler":
			return
		case "hash":
			add(note)
		}
		quoted, _ := jsontext.AppendQuote(nil, name)
		add(append(append(quoted, ':'), value...))
	})
	return append(b, '}')
}

// members calls f for each member of an object.
func members(raw jsontext.Value, f func(name string, value jsontext.Value)) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		f(name, value)
	}
	return nil
}
