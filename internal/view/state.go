package view

import (
	"io"
	"maps"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/state"
)

// StateList writes the addresses of objects, one a line, in the given order.
func StateList(w io.Writer, addresses []string, o Options) error {
	p := newPrinter(w, o)
	for _, address := range addresses {
		p.line(p.clean(address))
	}
	return p.flush()
}

// StateShow writes one recorded object in the manner of the language.
func StateShow(w io.Writer, object *state.Object, o Options) error {
	p := newPrinter(w, o)
	p.object(object)
	return p.flush()
}

// State writes all recorded objects, sorted by address, and the outputs.
func State(w io.Writer, s *state.State, o Options) error {
	p := newPrinter(w, o)
	if len(s.Objects) == 0 && len(s.Outputs) == 0 {
		p.line("The state is empty: nothing is recorded.")
		return p.flush()
	}
	for i, address := range s.Addresses() {
		if i > 0 {
			p.line()
		}
		p.object(s.Objects[address])
	}
	if len(s.Outputs) > 0 {
		p.line()
		p.line(p.paint(bold, "Outputs"))
		for _, name := range slices.Sorted(maps.Keys(s.Outputs)) {
			p.line(p.clean(name), " = ", p.outputValue(s.Outputs[name]))
		}
	}
	return p.flush()
}

// object writes one object: the block it is an instance of, then what is
// recorded, aligned as the formatter would.
func (p *printer) object(o *state.Object) {
	note := ""
	if o.Tainted {
		note = p.paint(red, " (tainted)")
	}
	p.line(p.paint(bold, "# "+p.clean(o.Address)), note)
	p.line(p.clean(blockHeader(o)), " {")
	fields := map[string]any{}
	maps.Copy(fields, o.Attributes)
	for name, v := range map[string]string{"key": o.Key, "when": o.When} {
		if v != "" {
			fields[name] = v
		}
	}
	if o.PreventDestroy {
		fields["prevent_destroy"] = true
	}
	var tail []string
	if len(o.Dependencies) > 0 {
		tail = append(tail, "dependencies = "+multiline(o.Dependencies))
	}
	if len(o.Inputs) > 0 {
		tail = append(tail, "inputs = "+multiline(o.Inputs))
	}
	p.fields(fields)
	for i, text := range tail {
		if i > 0 || len(fields) > 0 {
			p.line()
		}
		p.line("  ", p.known(text))
	}
	p.line("}")
}

func (p *printer) fields(fields map[string]any) {
	width := 0
	for name := range fields {
		width = max(width, displayWidth(mapKey(name)))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		p.line("  ", pad(mapKey(name), width), " = ", p.known(multiline(fields[name])))
	}
}

// known spells out what the reader's terminal cannot show. The text is clean.
func (p *printer) known(s string) string {
	if p.Unicode {
		return s
	}
	return spellOut(s)
}

func multiline(v any) string {
	var b strings.Builder
	writeValue(&b, v, 1)
	return b.String()
}

// blockHeader is the header of the block that an object is an instance of.
func blockHeader(o *state.Object) string {
	a, err := addr.Parse(o.Address)
	if err != nil {
		return o.Kind + " " + quoteHCL(o.Address)
	}
	typ, kind, hasKind := strings.Cut(a.Kind, ".")
	header := typ
	if hasKind {
		header += " " + quoteHCL(kind)
	}
	return header + " " + quoteHCL(a.Name)
}

// StateJSON writes a state in Terraform's form for readers: values, not the
// document that esd keeps. All objects stand in the root module; those of
// others say so in module_address.
func StateJSON(w io.Writer, s *state.State) error {
	addresses := s.Addresses()
	resources := make([]stateResource, len(addresses))
	for i, address := range addresses {
		resources[i] = stateResourceOf(s.Objects[address])
	}
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("esd_version", s.ESDVersion)
	d.member("lineage", s.Lineage)
	d.member("serial", s.Serial)
	d.member("values", map[string]any{
		"outputs":     documentOutputs(s.Outputs),
		"root_module": map[string]any{"resources": resources},
	})
	return d.close()
}

// ObjectJSON writes one recorded object as it stands in [StateJSON].
func ObjectJSON(w io.Writer, o *state.Object) error { return indented(w, stateResourceOf(o)) }

type stateResource struct {
	Address        string            `json:"address"`
	ModuleAddress  string            `json:"module_address,omitempty"`
	Mode           string            `json:"mode"`
	Type           string            `json:"type"`
	Name           string            `json:"name"`
	Index          *string           `json:"index,omitempty"`
	Values         map[string]any    `json:"values"`
	DependsOn      []string          `json:"depends_on,omitempty"`
	Tainted        bool              `json:"tainted,omitempty"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
	Inputs         map[string]string `json:"inputs,omitempty"`
	When           string            `json:"when,omitempty"`
}

func stateResourceOf(o *state.Object) stateResource {
	r := resourceOf(o.Address, o.Kind)
	return stateResource{
		Address: o.Address, ModuleAddress: r.ModuleAddress, Mode: r.Mode, Type: r.Type, Name: r.Name, Index: r.Index,
		Values: withKey(o.Attributes, o.Key), DependsOn: o.Dependencies, Tainted: o.Tainted,
		PreventDestroy: o.PreventDestroy, Inputs: o.Inputs, When: o.When,
	}
}
