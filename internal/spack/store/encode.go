package store

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// appendRecords writes a database as _write_to_file in Spack's database.py
// does: compact, one line. Records that did not change keep their text.
func appendRecords(b []byte, r *Records) ([]byte, error) {
	b = append(b, `{"database":{"version":"`...)
	b = strconv.AppendInt(b, int64(r.Version), 10)
	b = append(b, `","installs":{`...)
	first := true
	for h, rec := range r.All() {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, h...)
		b = append(b, `":`...)
		var err error
		if b, err = appendRecord(b, rec); err != nil {
			return nil, err
		}
	}
	return append(b, `}}}`...), nil
}

func appendRecord(b []byte, rec *Record) ([]byte, error) {
	if rec.raw != nil {
		return append(b, rec.raw...), nil
	}
	b = append(b, `{"spec":`...)
	b = append(b, rec.Spec.Raw...)
	b = append(b, `,"ref_count":`...)
	b = strconv.AppendInt(b, int64(rec.RefCount), 10)
	b = append(b, `,"path":`...)
	b, err := appendText(b, rec.Path)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"installed":`...)
	b = strconv.AppendBool(b, rec.Installed)
	b = append(b, `,"explicit":`...)
	b = strconv.AppendBool(b, rec.Explicit)
	b = append(b, `,"installation_time":`...)
	b = appendSeconds(b, rec.InstallationTime)
	b = append(b, `,"deprecated_for":`...)
	if b, err = appendText(b, string(rec.DeprecatedFor)); err != nil {
		return nil, err
	}
	for _, m := range rec.extra {
		b = append(b, ',')
		if b, err = jsontext.AppendQuote(b, m.name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		b = append(b, m.value...)
	}
	return append(b, '}'), nil
}

// appendText writes null for the empty text.
func appendText(b []byte, text string) ([]byte, error) {
	if text == "" {
		return append(b, "null"...), nil
	}
	return jsontext.AppendQuote(b, text)
}

// appendSeconds writes seconds since 1970 as Python does.
func appendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "0.0"...)
	}
	return strconv.AppendFloat(b, float64(t.Unix())+float64(t.Nanosecond())/1e9, 'f', -1, 64)
}
