package state

import (
	"bytes"
	"encoding/json"
)

// Output is the recorded value of an output block. Its fields are closed, so
// that there is no way to make one that is sensitive and holds a value.
type Output struct {
	typ       json.RawMessage
	value     json.RawMessage
	sensitive bool
}

// NewOutput returns an output with its type and value, both in the JSON
// encoding of cty.
func NewOutput(typ, value json.RawMessage) Output {
	return Output{typ: typ, value: value}
}

// NewSensitiveOutput returns an output of which only the type is recorded.
func NewSensitiveOutput(typ json.RawMessage) Output {
	return Output{typ: typ, sensitive: true}
}

// Type is the type of the value in the JSON encoding of cty.
func (o Output) Type() json.RawMessage { return o.typ }

// Value is the value in the JSON encoding of cty, nil for a sensitive output.
func (o Output) Value() json.RawMessage { return o.value }

// Sensitive reports whether the value was left out because it is sensitive.
func (o Output) Sensitive() bool { return o.sensitive }

// Equal reports whether both outputs record the same.
func (o Output) Equal(p Output) bool {
	return o.sensitive == p.sensitive && bytes.Equal(o.typ, p.typ) && bytes.Equal(o.value, p.value)
}
