package state

import "encoding/json"

// maxSerial bounds the whole numbers of a state: the largest that every JSON
// reader can hold exactly (RFC 8259, section 6).
const maxSerial = 1<<53 - 1

// integer reads a whole number from 0 to limit.
func (d *decoder) integer(limit int64) (int64, error) {
	start := d.pos
	n, err := d.number()
	if err != nil {
		return 0, err
	}
	i, err := n.Int64()
	if err != nil || i < 0 || i > limit {
		return 0, d.failAt(start, "%s is no whole number from 0 to %d", n, limit)
	}
	return i, nil
}

// checked reads a string and applies a check, which returns what is wrong or "".
func (d *decoder) checked(check func(string) string) (string, error) {
	start := d.pos
	s, err := d.str()
	if err != nil {
		return "", err
	}
	if fault := check(s); fault != "" {
		return "", d.failAt(start, "%s", fault)
	}
	return s, nil
}

// addresses reads a list of addresses and puts it in order.
func (d *decoder) addresses() ([]string, error) {
	var list []string
	err := d.array(func() error {
		a, err := d.checked(checkAddress)
		list = append(list, a)
		return err
	})
	return sortedSet(list), err
}

func (d *decoder) mapping() (map[string]any, error) {
	m := map[string]any{}
	err := d.object(func(name string) (err error) {
		m[name], err = d.value()
		return err
	})
	if len(m) == 0 {
		return nil, err
	}
	return m, err
}

// readMap reads an object as a map. An empty one is nil.
func readMap[V any](d *decoder, read func() (V, error)) (map[string]V, error) {
	m := map[string]V{}
	err := d.object(func(name string) (err error) {
		m[name], err = read()
		return err
	})
	return m, err
}

// unknown keeps a field that a later esd added to this format.
func (d *decoder) unknown(extra *map[string]any, name string) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	if *extra == nil {
		*extra = map[string]any{}
	}
	(*extra)[name] = v
	return nil
}

// raw reads any value and returns it in canonical form.
func (d *decoder) raw() (json.RawMessage, error) {
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	var e encoder
	e.any(v)
	return e.buf, e.err
}
