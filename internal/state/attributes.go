package state

import "encoding/json"

// Attributes are the recorded facts about an object, as JSON values. What was
// put in as an int comes back from a file as a json.Number, so read through the
// methods.
type Attributes map[string]any

// String returns the attribute when it is a string, "" otherwise.
func (a Attributes) String(name string) string {
	s, _ := a[name].(string)
	return s
}

// Bool returns the attribute when it is a boolean, false otherwise.
func (a Attributes) Bool(name string) bool {
	b, _ := a[name].(bool)
	return b
}

// Int returns the attribute and true when it is a whole number that fits.
func (a Attributes) Int(name string) (int64, bool) {
	switch v := a[name].(type) {
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		n := int64(v)
		return n, float64(n) == v
	}
	return 0, false
}
