package state

import "fmt"

// migration changes a document of one format version into one of the next. It
// gets and returns the values that a scanner makes.
type migration func(doc map[string]any) (map[string]any, error)

// migrations returns the known ones, by the version they start from. Format 1
// is the first that was released, so there are none yet.
func migrations() map[int]migration { return nil }

// migrate brings a document to FormatVersion, one version at a time.
func migrate(text, source string, from int, table map[int]migration) (string, error) {
	d := decoder{scanner: scanner{text: text}}
	d.space()
	doc, err := d.mapping()
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return "", d.explain(err, source)
	}
	for version := from; version < FormatVersion; version++ {
		step, ok := table[version]
		if !ok {
			return "", &FormatError{Source: source, Err: ErrInvalid, Fix: fixEdit,
				Detail: fmt.Sprintf("no esd ever wrote format %d", version)}
		}
		if doc, err = step(doc); err != nil {
			return "", &FormatError{Source: source, Err: ErrInvalid, Fix: fixEdit,
				Detail: fmt.Sprintf("migrate from format %d: %v", version, err)}
		}
		doc["format_version"] = version + 1
	}
	var e encoder
	e.any(doc)
	return string(e.buf), e.err
}
