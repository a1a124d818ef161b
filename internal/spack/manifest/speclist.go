package manifest

import (
	"fmt"
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// MaxSpecs is how many specs the lists of a manifest may expand to.
const MaxSpecs = 20_000

// Spec is one toplevel spec.
type Spec struct {
	yamlnode.Position // of what it came from
	Text              string
	// Group is the spec group (Spack 1.2) that the spec stands in; empty for
	// none.
	Group string
}

// Condition is something that holds only where Python code says so.
type Condition struct {
	yamlnode.Position
	What string // "definition packages", "include common.yaml"
	When string
}

// Group is a spec group: specs that are concretized with settings of their own.
type Group struct {
	yamlnode.Position
	Name  string
	Needs []string
	// Settings are the keys that are set beside name, needs and specs.
	Settings []string
}

// SpecList are the toplevel specs of a manifest with definitions and matrices
// expanded.
type SpecList struct {
	Specs []Spec
	// Expanded tells that definitions or matrices were used.
	Expanded bool
	// Conditions are definitions that were left out because they hold under a
	// condition.
	Conditions []Condition
	Groups     []Group
}

// SpecList expands the toplevel specs as Spack does
// (lib/spack/spack/environment/list.py).
func (m *Manifest) SpecList() (*SpecList, error) {
	x := &expander{file: m.Name, definitions: map[string][]element{}, list: &SpecList{}}
	if definitions := m.Section("definitions"); definitions != nil {
		if err := x.define(definitions); err != nil {
			return nil, err
		}
	}
	specs := m.Section("specs")
	if specs == nil {
		return x.list, nil
	}
	if err := x.specs(specs.Items, ""); err != nil {
		return nil, err
	}
	return x.list, nil
}

// element is a constraint, or a matrix of them, with references put in.
type element struct {
	yamlnode.Position
	text    string
	matrix  [][]element // nil for a plain constraint
	exclude []string
	sigil   string // "^" or "%", put before the first constraint
}

type expander struct {
	file        string
	definitions map[string][]element
	list        *SpecList
	count       int
}

// define collects the definitions: parts of the same name add up, and each may
// use those before it.
func (x *expander) define(definitions *yamlnode.Node) error {
	parts := map[string][]*yamlnode.Node{}
	var order []string
	for _, item := range definitions.Items {
		if err := item.Expect(yamlnode.Map, x.file, "a definition"); err != nil {
			return err
		}
		var name string
		for _, e := range item.Entries {
			if e.Key == "when" {
				continue
			}
			if name != "" {
				return e.Errorf(x.file, "a definition has one name, and this one has %s and %s", name, e.Key)
			}
			name = e.Key
			if err := e.Value.Expect(yamlnode.List, x.file, "the definition "+name); err != nil {
				return err
			}
		}
		if name == "" {
			return item.Errorf(x.file, "a definition has no name")
		}
		if _, seen := parts[name]; !seen {
			order = append(order, name)
			parts[name] = nil
		}
		if when := item.Get("when"); when.IsScalar() && when.Text != "True" {
			x.list.Conditions = append(x.list.Conditions, Condition{item.Position, "definition " + name, when.Text})
			continue
		}
		parts[name] = append(parts[name], item.Get(name).Items...)
	}
	for _, name := range order {
		elements, err := x.elements(parts[name])
		if err != nil {
			return err
		}
		x.definitions[name] = elements
	}
	return nil
}

// elements puts in what references stand for.
func (x *expander) elements(items []*yamlnode.Node) ([]element, error) {
	var list []element
	for _, item := range items {
		if x.count++; x.count > MaxSpecs {
			return nil, item.Errorf(x.file, "the lists of specs expand to more than %d elements", MaxSpecs)
		}
		switch {
		case item.Kind == yamlnode.Null:
		case item.Kind == yamlnode.Map:
			e, err := x.matrix(item)
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		case !item.IsScalar():
			return nil, item.Errorf(x.file, "a spec must be text, and this is %s", item.Kind)
		case strings.HasPrefix(item.Text, "$"):
			referred, err := x.reference(item)
			if err != nil {
				return nil, err
			}
			list = append(list, referred...)
		default:
			list = append(list, element{Position: item.Position, text: strings.TrimSpace(item.Text)})
		}
	}
	return list, nil
}

// reference is what $name, $^name and $%name stand for.
func (x *expander) reference(item *yamlnode.Node) ([]element, error) {
	name, sigil := item.Text[1:], ""
	if strings.HasPrefix(name, "^") || strings.HasPrefix(name, "%") {
		sigil, name = name[:1], name[1:]
	}
	elements, ok := x.definitions[name]
	if !ok {
		return nil, item.Errorf(x.file, "$%s stands for a definition %s, and there is none before this", item.Text[1:], name)
	}
	x.list.Expanded = true
	if x.count += len(elements); x.count > MaxSpecs {
		return nil, item.Errorf(x.file, "the lists of specs expand to more than %d elements", MaxSpecs)
	}
	elements = slices.Clone(elements)
	if sigil == "" {
		return elements, nil
	}
	for i := range elements {
		if elements[i].matrix != nil {
			elements[i].sigil = sigil
		} else {
			elements[i].text = sigil + elements[i].text
		}
	}
	return elements, nil
}

func (x *expander) matrix(item *yamlnode.Node) (element, error) {
	e := element{Position: item.Position}
	if !item.Has("matrix") {
		return e, item.Errorf(x.file, "a map in a list of specs must have a matrix; a spec that ends with a colon has to stand in quotes")
	}
	for _, entry := range item.Entries {
		switch entry.Key {
		case "matrix":
			if err := entry.Value.Expect(yamlnode.List, x.file, "a matrix"); err != nil {
				return e, err
			}
			for _, row := range entry.Value.Items {
				if row.Kind != yamlnode.List {
					return e, row.Errorf(x.file, "a row of a matrix must be a list, and is %s", row.Kind)
				}
				elements, err := x.elements(row.Items)
				if err != nil {
					return e, err
				}
				e.matrix = append(e.matrix, elements)
			}
		case "exclude":
			var err error
			if e.exclude, err = entry.Value.Strings(x.file, "exclude"); err != nil {
				return e, err
			}
		default:
			return e, entry.Errorf(x.file, "a matrix of specs has matrix and exclude; %s is not known", entry.Name())
		}
	}
	x.list.Expanded = true
	return e, nil
}

// specs expands a list of toplevel specs.
func (x *expander) specs(items []*yamlnode.Node, group string) error {
	for _, item := range items {
		if item.Kind == yamlnode.Map && !item.Has("matrix") && (item.Has("group") || item.Has("specs")) {
			if group != "" {
				return item.Errorf(x.file, "a group stands within a group")
			}
			if err := x.group(item); err != nil {
				return err
			}
			continue
		}
		elements, err := x.elements([]*yamlnode.Node{item})
		if err != nil {
			return err
		}
		for _, e := range elements {
			if err := x.emit(e, group); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *expander) group(item *yamlnode.Node) error {
	g := Group{Position: item.Position, Name: "default"}
	if name := item.Get("group"); name.IsScalar() {
		g.Name = name.Text
	}
	for _, e := range item.Entries {
		var err error
		switch e.Key {
		case "group":
		case "specs":
			err = e.Value.Expect(yamlnode.List, x.file, "the specs of a group")
		case "needs":
			g.Needs, err = e.Value.Strings(x.file, "needs")
		default:
			g.Settings = append(g.Settings, e.Name())
		}
		if err != nil {
			return err
		}
	}
	x.list.Groups = append(x.list.Groups, g)
	if specs := item.Get("specs"); specs != nil {
		return x.specs(specs.Items, g.Name)
	}
	return nil
}

// emit appends the specs that an element stands for.
func (x *expander) emit(e element, group string) error {
	rows, err := x.rows(e)
	if err != nil {
		return err
	}
	for _, constraints := range rows {
		text := constraints[0]
		if len(constraints) > 1 {
			spec, err := combine(constraints)
			if err != nil {
				return e.Errorf(x.file, "%v", err)
			}
			text = spec.String()
		}
		if text == "" {
			return e.Errorf(x.file, "a spec is empty")
		}
		if len(x.list.Specs) == MaxSpecs {
			return e.Errorf(x.file, "the lists of specs expand to more than %d specs", MaxSpecs)
		}
		x.list.Specs = append(x.list.Specs, Spec{e.Position, text, group})
	}
	return nil
}

// rows are the constraints of each spec that an element stands for.
func (x *expander) rows(e element) ([][]string, error) {
	if e.matrix == nil {
		return [][]string{{e.text}}, nil
	}
	exclude := make([]abstract, len(e.exclude))
	for i, text := range e.exclude {
		var err error
		if exclude[i], err = parseAbstract(text); err != nil {
			return nil, e.Errorf(x.file, "%v", err)
		}
	}
	rows := [][]string{nil}
	for _, row := range e.matrix {
		values, err := x.values(row)
		if err != nil {
			return nil, err
		}
		if len(rows)*len(values) > MaxSpecs {
			return nil, e.Errorf(x.file, "the matrix expands to more than %d specs", MaxSpecs)
		}
		next := make([][]string, 0, len(rows)*len(values))
		for _, have := range rows {
			for _, value := range values {
				next = append(next, append(slices.Clip(have), value))
			}
		}
		rows = next
	}
	if len(e.matrix) == 0 {
		return nil, nil
	}
	rows, err := without(rows, exclude)
	if err != nil {
		return nil, e.Errorf(x.file, "exclude: %v", err)
	}
	for _, row := range rows {
		row[0] = e.sigil + row[0]
	}
	return rows, nil
}

// values are the constraints of a row; a matrix in it is flattened.
func (x *expander) values(row []element) ([]string, error) {
	var values []string
	for _, e := range row {
		nested, err := x.rows(e)
		if err != nil {
			return nil, err
		}
		for _, constraints := range nested {
			// Here Spack puts texts together: in [^openmpi, +cuda] the variant
			// is that of openmpi.
			values = append(values, strings.Join(constraints, " "))
		}
		if x.count += len(nested); x.count > 10*MaxSpecs {
			return nil, e.Errorf(x.file, "the matrix expands to more than %d specs", MaxSpecs)
		}
	}
	return values, nil
}

// without takes out the rows that satisfy one of the excluded specs.
func without(rows [][]string, exclude []abstract) ([][]string, error) {
	if len(exclude) == 0 {
		return rows, nil
	}
	var kept [][]string
	for _, row := range rows {
		spec, err := combine(row)
		if err != nil {
			return nil, err
		}
		out := false
		for _, x := range exclude {
			ok, err := spec.satisfies(x)
			if err != nil {
				return nil, fmt.Errorf("%w; write out the specs of this matrix", err)
			}
			out = out || ok
		}
		if !out {
			kept = append(kept, row)
		}
	}
	return kept, nil
}
