package spack

import (
	"errors"
	"fmt"
	"strings"
)

// node reads the members of a node, as to_node_dict in Spack's spec.py writes
// them. What it has beyond that is kept in Raw only.
func (d *Decoder) node(spec *Spec) error {
	s := &d.s
	return s.object(func(name string) (err error) {
		switch name {
		case "name":
			spec.Name, err = s.text()
		case "version":
			spec.Version, err = s.text()
		case "versions":
			err = errors.New("it has a range of versions; only concrete specs are accepted")
		case "arch":
			spec.Arch, err = d.arch()
		case "compiler":
			spec.Compiler, err = d.compiler()
		case "namespace":
			spec.Namespace, err = s.textOrNull()
		case "parameters":
			spec.Parameters, err = d.parameters()
		case "external":
			spec.External, err = d.external()
		case "patches":
			spec.Patches, err = s.texts()
		case "package_hash":
			spec.PackageHash, err = s.textOrNull()
		case "dependencies":
			spec.Dependencies, err = d.dependencies()
		case "build_spec":
			spec.BuildSpec, err = d.reference()
		case "annotations":
			err = d.annotations(spec)
		case "concrete":
			err = d.concrete()
		case "hash":
			spec.Hash, err = d.hash()
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
}

func (d *Decoder) hash() (Hash, error) {
	text, err := d.s.text()
	if err == nil && !Hash(text).Valid() {
		err = fmt.Errorf("%q is no hash; %d characters of a-z and 2-7 are expected", clip(text), HashLength)
	}
	return Hash(text), err
}

func (d *Decoder) concrete() error {
	if d.s.dec.PeekKind() == 'f' {
		return errors.New("it is abstract; only concrete specs are accepted")
	}
	return d.s.dec.SkipValue()
}

func (d *Decoder) arch() (a Arch, err error) {
	s := &d.s
	err = s.object(func(name string) (err error) {
		switch name {
		case "platform":
			a.Platform, err = s.text()
		case "platform_os":
			a.OS, err = s.text()
		case "target":
			a.Target, err = d.target()
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
	return a, err
}

// target is a name, or an object that describes what archspec calls a generic
// or unknown microarchitecture.
func (d *Decoder) target() (target string, err error) {
	s := &d.s
	if s.dec.PeekKind() != '{' {
		return s.text()
	}
	err = s.object(func(name string) (err error) {
		if name != "name" {
			return s.dec.SkipValue()
		}
		target, err = s.text()
		return err
	})
	return target, err
}

func (d *Decoder) compiler() (*Compiler, error) {
	s, c := &d.s, &Compiler{}
	err := s.object(func(name string) (err error) {
		switch name {
		case "name":
			c.Name, err = s.text()
		case "version":
			c.Version, err = s.text()
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
	return c, err
}

func (d *Decoder) parameters() ([]Parameter, error) {
	parameters := make([]Parameter, 0, 16)
	err := d.s.object(func(name string) error {
		p, err := d.parameter(name)
		parameters = append(parameters, p)
		return err
	})
	return parameters, err
}

func (d *Decoder) parameter(name string) (p Parameter, err error) {
	p.Name = name
	if d.s.dec.PeekKind() == '[' {
		p.List = true
		err = d.s.array(func() error {
			v, err := d.scalar()
			p.Values = append(p.Values, v)
			return err
		})
		return p, err
	}
	v, err := d.scalar()
	p.Values = []string{v}
	// Spack takes strings that are spelt like a switch for one
	// (VariantValue.from_node_dict in variant.py).
	if p.Bool = strings.EqualFold(v, "true") || strings.EqualFold(v, "false"); p.Bool {
		p.Values[0] = strings.ToLower(v)
	}
	return p, err
}

// scalar reads one value of a variant as the text that Spack would show.
func (d *Decoder) scalar() (string, error) {
	switch d.s.dec.PeekKind() {
	case 't', 'f', '0':
		raw, err := d.s.dec.ReadValue()
		return d.s.intern(raw), err
	}
	return d.s.text()
}

func (d *Decoder) external() (*External, error) {
	s := &d.s
	if k := s.dec.PeekKind(); k == 'n' || k == 'f' {
		return nil, s.dec.SkipValue()
	}
	e := &External{}
	err := s.object(func(name string) (err error) {
		switch name {
		case "path":
			e.Path, err = s.textOrNull()
		case "module":
			e.Modules, err = d.modules()
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
	return e, err
}

// modules is a list, one name, or null or false for none.
func (d *Decoder) modules() ([]string, error) {
	switch d.s.dec.PeekKind() {
	case 'n', 'f':
		return nil, d.s.dec.SkipValue()
	case '[':
		return d.s.texts()
	}
	name, err := d.s.text()
	return []string{name}, err
}

func (d *Decoder) dependencies() ([]Edge, error) {
	edges := make([]Edge, 0, 8)
	err := d.s.array(func() error {
		e, err := d.edge()
		edges = append(edges, e)
		return err
	})
	return edges, err
}

func (d *Decoder) edge() (e Edge, err error) {
	s := &d.s
	err = s.object(func(name string) (err error) {
		switch name {
		case "name":
			e.Name, err = s.text()
		case "hash":
			e.Hash, err = d.hash()
		case "type": // specfile 3
			e.Types, err = d.types()
		case "parameters":
			err = d.edgeParameters(&e)
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
	if err == nil && (e.Name == "" || e.Hash == "") {
		err = errors.New("a dependency has no name or no hash")
	}
	return e, err
}

func (d *Decoder) edgeParameters(e *Edge) error {
	return d.s.object(func(name string) (err error) {
		switch name {
		case "deptypes":
			e.Types, err = d.types()
		case "virtuals":
			e.Virtuals, err = d.s.texts()
		default:
			err = d.s.dec.SkipValue()
		}
		return err
	})
}

func (d *Decoder) types() (types DepTypes, err error) {
	err = d.s.array(func() error {
		name, err := d.s.text()
		if err != nil {
			return err
		}
		t, err := parseDepType(name)
		types |= t
		return err
	})
	return types, err
}

func (d *Decoder) reference() (*Reference, error) {
	s, r := &d.s, &Reference{}
	err := s.object(func(name string) (err error) {
		switch name {
		case "name":
			r.Name, err = s.text()
		case "hash":
			r.Hash, err = d.hash()
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
	if err == nil && r.Hash == "" {
		err = errors.New("it has no hash")
	}
	return r, err
}

// annotations tell what a spec was before a later Spack wrote it anew: its
// version, and the compiler that it then had.
func (d *Decoder) annotations(spec *Spec) error {
	s := &d.s
	return s.object(func(name string) (err error) {
		switch name {
		case "original_specfile_version":
			spec.SpecfileVersion, err = s.number()
		case "compiler":
			var text string
			text, err = s.textOrNull()
			spec.Compiler = parseCompiler(text)
		default:
			err = s.dec.SkipValue()
		}
		return err
	})
}

// parseCompiler reads "gcc@=12.2.0"; Spack writes "None" for none.
func parseCompiler(text string) *Compiler {
	if text == "" || text == "None" {
		return nil
	}
	name, version, _ := strings.Cut(text, "@")
	return &Compiler{Name: name, Version: strings.TrimPrefix(version, "=")}
}
