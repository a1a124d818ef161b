package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// decode reads a plan from its JSON, its changes and steps one by one, so that
// no more than one of them is in memory twice. The problem says what is wrong
// with it.
func decode(r io.Reader) (*Plan, string) {
	p := &Plan{Changes: []Change{}, Steps: []Step{}}
	if err := decodePlan(r, p); err != nil {
		return p, err.Error()
	}
	return p, ""
}

func decodePlan(r io.Reader, p *Plan) error {
	value := &oneValue{r: r}
	d := json.NewDecoder(value)
	d.DisallowUnknownFields()
	d.UseNumber() // records keep their numbers to the last digit
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("it has no plan")
	}
	rest := map[string]json.RawMessage{}
	seen := map[string]bool{}
	for d.More() {
		value.begin()
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("%q stands in it twice", name)
		}
		seen[name] = true
		switch name {
		case "changes":
			err = decodeList(d, value, &p.Changes, (*Change).problem)
		case "steps":
			err = decodeList(d, value, &p.Steps, (*Step).problem)
		default:
			var value json.RawMessage
			err = d.Decode(&value)
			rest[name] = value
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the plan")
	}
	return decodeRest(rest, p)
}

// decodeList reads an array element by element. It ends with the first that has
// a problem: in memory, many that say nothing would take far more room than in
// the file.
func decodeList[T any](d *json.Decoder, value *oneValue, list *[]T, problem func(*T) string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return errors.New("a list is expected")
	}
	for d.More() {
		value.begin()
		var element T
		if err := d.Decode(&element); err != nil {
			return err
		}
		if problem := problem(&element); problem != "" {
			return errors.New(problem)
		}
		*list = append(*list, element)
	}
	_, err = d.Token()
	return err
}

// maxValue bounds one change, one step and what is besides, in bytes: the
// decoder has it in memory as a whole.
const maxValue = 64 << 20

// oneValue reads on as long as one value is not too large.
type oneValue struct {
	r    io.Reader
	read int
}

func (v *oneValue) begin() { v.read = 0 }

func (v *oneValue) Read(b []byte) (int, error) {
	if v.read > maxValue {
		return 0, errors.New("a part of it is larger than any can be")
	}
	n, err := v.r.Read(b)
	v.read += n
	return n, err
}

// decodeRest reads what is not a list of many.
func decodeRest(rest map[string]json.RawMessage, p *Plan) error {
	data, err := json.Marshal(rest)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	d.UseNumber()
	return d.Decode(p)
}
