package view

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"esd/internal/plan"
	"esd/internal/state"
)

// documentOutput is an output in Terraform's terms. A sensitive one has no
// value, since esd records none. Of a planned one the stream tells the action.
type documentOutput struct {
	Sensitive bool            `json:"sensitive"`
	Action    string          `json:"action,omitempty"`
	Type      json.RawMessage `json:"type,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
}

func documentOutputs(outputs map[string]state.Output) map[string]documentOutput {
	m := make(map[string]documentOutput, len(outputs))
	for name, o := range outputs {
		m[name] = documentOutputOf(o)
	}
	return m
}

func documentOutputOf(o state.Output) documentOutput {
	return documentOutput{Sensitive: o.Sensitive(), Type: o.Type(), Value: o.Value()}
}

// plannedOutputs tells what becomes of outputs, without their values.
func plannedOutputs(list []plan.OutputChange) map[string]documentOutput {
	m := make(map[string]documentOutput, len(list))
	for _, c := range list {
		m[c.Name] = documentOutput{Sensitive: c.Sensitive, Action: terraformActions(&plan.Change{Action: outputAction(c)})[0]}
	}
	return m
}

// Outputs writes outputs in the syntax of the language, sorted.
func Outputs(w io.Writer, outputs map[string]state.Output, o Options) error {
	p := newPrinter(w, o)
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		p.line(p.clean(name), " = ", p.outputValue(outputs[name]))
	}
	return p.flush()
}

func (p *printer) outputValue(out state.Output) string {
	if out.Sensitive() {
		return "(sensitive value)"
	}
	v, err := decodeJSON(out.Value())
	if err != nil {
		return p.clean(string(out.Value()))
	}
	var b strings.Builder
	writeValue(&b, v, 0)
	return b.String()
}

// OutputsJSON writes outputs as `terraform output -json` does: an object by
// name, sorted.
func OutputsJSON(w io.Writer, outputs map[string]state.Output) error {
	return indented(w, documentOutputs(outputs))
}

// OutputJSON writes the value of one output.
func OutputJSON(w io.Writer, name string, out state.Output) error {
	if out.Sensitive() {
		return sensitiveOutput(name)
	}
	return indented(w, out.Value())
}

// OutputRaw writes the value of one output as it is, for scripts, without a
// line break. Only text, numbers and truth values have such a form.
func OutputRaw(w io.Writer, name string, out state.Output) error {
	if out.Sensitive() {
		return sensitiveOutput(name)
	}
	v, err := decodeJSON(out.Value())
	if err != nil {
		return fmt.Errorf("output %q is recorded in a form that cannot be read: %w", name, err)
	}
	switch v := v.(type) {
	case string:
		_, err = io.WriteString(w, v)
	case json.Number, bool:
		_, err = fmt.Fprint(w, v)
	case nil:
		err = fmt.Errorf("output %q is null; use --format=json", name)
	default:
		err = fmt.Errorf("output %q is a list or an object, which has no raw form; use --format=json", name)
	}
	return err
}

func sensitiveOutput(name string) error {
	return fmt.Errorf("output %q is sensitive, and the state does not hold sensitive values; take it from where it comes from", name)
}

// indented writes a JSON document for people and programs.
func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
