package artifact

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordComesBackAsItWasWritten(t *testing.T) {
	want := newProduct(t, "a", "x").rec
	data, err := want.encode()
	must(t, err)
	got, err := ParseRecord(data)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRecordIgnoresFieldsItDoesNotKnow(t *testing.T) {
	data, err := newProduct(t, "a", "x").rec.encode()
	must(t, err)
	if _, err := ParseRecord([]byte(strings.Replace(string(data), "{", `{"added_later": [1], `, 1))); err != nil {
		t.Error(err)
	}
}

func TestRecordRefusesWhatCannotBeRight(t *testing.T) {
	for name, change := range map[string]func(r *Record){
		"no version":                 func(r *Record) { r.FormatVersion = 0 },
		"a negative version":         func(r *Record) { r.FormatVersion = -1 },
		"a key that is a path":       func(r *Record) { r.Key = "../../etc/passwd" },
		"a key in capitals":          func(r *Record) { r.Key = strings.ToUpper(r.Key) },
		"no kind":                    func(r *Record) { r.Kind = "" },
		"a name with escape codes":   func(r *Record) { r.Name = "\x1b[31mred" },
		"a name without end":         func(r *Record) { r.Name = strings.Repeat("n", 5000) },
		"a relative prefix":          func(r *Record) { r.Prefix = "opt/esd" },
		"a prefix with ..":           func(r *Record) { r.Prefix = "/opt/../etc" },
		"the root as prefix":         func(r *Record) { r.Prefix = "/" },
		"another kind of digest":     func(r *Record) { r.Archive.Digest = "md5:d41d8cd98f00b204e9800998ecf8427e" },
		"a digest that is a path":    func(r *Record) { r.Archive.Digest = "sha256:../../x" },
		"no diff ID":                 func(r *Record) { r.Archive.DiffID = "" },
		"an archive of no bytes":     func(r *Record) { r.Archive.Size = 0 },
		"an archive of negative":     func(r *Record) { r.Archive.Size = -5 },
		"an absurd size":             func(r *Record) { r.Archive.Size = math.MaxInt64 },
		"an absurd size inside":      func(r *Record) { r.Archive.Uncompressed = math.MaxInt64 },
		"another media type":         func(r *Record) { r.Archive.MediaType = "text/html" },
		"a negative number of files": func(r *Record) { r.Files = -1 },
		"negative time":              func(r *Record) { r.Seconds = -1 },
		"negative memory":            func(r *Record) { r.PeakMemory = -1 },
		"an input with a newline":    func(r *Record) { r.Inputs = []Input{{Name: "a\nb"}} },
	} {
		r := newProduct(t, "a", "x").rec
		change(&r)
		data, err := json.Marshal(r)
		must(t, err)
		if _, err := ParseRecord(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := ParseRecord(make([]byte, maxRecord+1)); err == nil {
		t.Error("too large: accepted")
	}
}

func TestRecordOfANewerFormatSaysSo(t *testing.T) {
	_, err := ParseRecord([]byte(`{"format_version": 2, "key": {"of": "another shape"}}`))
	var version *VersionError
	if !errors.As(err, &version) || version.Found != 2 {
		t.Errorf("got %v", err)
	}
}

func FuzzParseRecord(f *testing.F) {
	data, err := newProduct(f, "a", "x").rec.encode()
	must(f, err)
	f.Add(data)
	f.Add([]byte(`{"format_version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRecord(data)
		if err != nil {
			return
		}
		out, err := r.encode()
		if err != nil {
			return // too large once written out
		}
		again, err := ParseRecord(out)
		if err != nil || !cmp.Equal(r, again) {
			t.Errorf("%v\n%+v\n%+v", err, r, again)
		}
	})
}
