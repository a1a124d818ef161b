package view

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
)

// FormatVersion is the version of the JSON documents and of the JSON stream,
// in Terraform's notation. The minor number grows with what is added; a field
// that goes away or changes its meaning needs a new major number. The
// documents are described in formats.md.
const FormatVersion = "1.0"

// document writes one JSON object with a member a line, and the elements of
// lists on lines of their own, so that two versions can be compared with any
// diff tool and a large one is not held in memory.
type document struct {
	w     *bufio.Writer
	buf   bytes.Buffer
	enc   *json.Encoder
	comma bool
	err   error
}

func newDocument(w io.Writer) *document {
	d := &document{w: bufio.NewWriterSize(w, 1<<16)}
	d.enc = json.NewEncoder(&d.buf)
	d.enc.SetEscapeHTML(false)
	d.raw("{")
	return d
}

func (d *document) raw(s string) { _, _ = d.w.WriteString(s) } // close reports the error

func (d *document) name(name string) {
	if d.comma {
		d.raw(",")
	}
	d.comma = true
	d.raw("\n")
	d.encode(name)
	d.raw(":")
}

// encode writes a value without the line break of the encoder.
func (d *document) encode(v any) {
	d.buf.Reset()
	if err := d.enc.Encode(v); err != nil {
		if d.err == nil {
			d.err = err
		}
		d.raw("null")
		return
	}
	_, _ = d.w.Write(bytes.TrimSuffix(d.buf.Bytes(), []byte("\n")))
}

// member writes a member of the object.
func (d *document) member(name string, v any) {
	d.name(name)
	d.encode(v)
}

// list writes a member whose value is a list of n elements.
func (d *document) list(name string, n int, element func(i int) any) {
	d.name(name)
	d.raw("[")
	for i := range n {
		if i > 0 {
			d.raw(",")
		}
		d.raw("\n")
		d.encode(element(i))
	}
	if n > 0 {
		d.raw("\n")
	}
	d.raw("]")
}

// close ends the document and reports the first error.
func (d *document) close() error {
	d.raw("\n}\n")
	if err := d.w.Flush(); d.err == nil {
		d.err = err
	}
	return d.err
}
