package archive

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestRelocation(t *testing.T) {
	r := &Relocation{From: "/tmp/e3x1", To: "/opt/esd1"}
	for name, c := range map[string]struct{ in, want string }{
		"replaces below":                 {"/tmp/e3x1/bin", "/opt/esd1/bin"},
		"replaces the root itself":       {"/tmp/e3x1", "/opt/esd1"},
		"replaces in lists":              {"/tmp/e3x1:/tmp/e3x1/b;/tmp/e3x1\x00x", "/opt/esd1:/opt/esd1/b;/opt/esd1\x00x"},
		"replaces after flags":           {"-I/tmp/e3x1/include", "-I/opt/esd1/include"},
		"replaces before binary bytes":   {"/tmp/e3x1\xda", "/opt/esd1\xda"},
		"leaves longer names":            {"/tmp/e3x12 /tmp/e3x1.old /tmp/e3x1-b /tmp/e3x1_ /tmp/e3x1+", "/tmp/e3x12 /tmp/e3x1.old /tmp/e3x1-b /tmp/e3x1_ /tmp/e3x1+"},
		"leaves what is only a part":     {"/tmp/e3x", "/tmp/e3x"},
		"replaces one behind another":    {"/tmp/e3x1/tmp/e3x1", "/opt/esd1/opt/esd1"},
		"replaces after a part of it":    {"/tmp/e3/tmp/e3x1/", "/tmp/e3/opt/esd1/"},
		"replaces after a longer name":   {"/tmp/e3x1a/tmp/e3x1/", "/tmp/e3x1a/opt/esd1/"},
		"leaves what has nothing of it":  {"nothing", "nothing"},
		"leaves what is empty as it was": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := r.String(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, shift := range []int{0, 1, relocateBuffer - 5, relocateBuffer, relocateBuffer + 3} {
				pad := strings.Repeat(" ", shift)
				got, err := io.ReadAll(r.Reader(iotest.HalfReader(strings.NewReader(pad + c.in))))
				must(t, err)
				if string(got) != pad+c.want {
					t.Errorf("after %d bytes: got %q, want %q", shift, got[shift:], c.want)
				}
			}
		})
	}
}

func TestRelocationNeedsPathsOfOneLength(t *testing.T) {
	for name, r := range map[string]Relocation{
		"another length": {"/opt/esd", "/tmp/longer"},
		"not absolute":   {"opt/esd1", "tmp/esd1"},
		"the root":       {"/", "/"},
		"trailing slash": {"/opt/esd/", "/tmp/abc/"},
	} {
		if err := r.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRelocationPassesReadErrorsOn(t *testing.T) {
	r := &Relocation{From: "/a/b", To: "/c/d"}
	_, err := io.ReadAll(r.Reader(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrClosedPipe))))
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

// FuzzRelocation compares the streaming reader with the rule read off one byte at a time.
func FuzzRelocation(f *testing.F) {
	f.Add([]byte("/a/a/a/a:/a/a"), uint16(3))
	f.Add([]byte("x/a/ab/a/a/"), uint16(0))
	f.Fuzz(func(t *testing.T, in []byte, shift uint16) {
		r := &Relocation{From: "/a/a", To: "/a/b"}
		in = append(bytes.Repeat([]byte{' '}, relocateBuffer-8+int(shift%16)), in...)
		want := bytes.Clone(in)
		for i := 0; i+4 <= len(in); i++ {
			if string(in[i:i+4]) == r.From && (i+4 == len(in) || !continuesName(in[i+4])) {
				copy(want[i:], r.To)
				i += 3
			}
		}
		got, err := io.ReadAll(r.Reader(bytes.NewReader(in)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("err %v\n got %q\nwant %q", err, got[relocateBuffer-16:], want[relocateBuffer-16:])
		}
	})
}
