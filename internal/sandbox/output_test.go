package sandbox

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestOutputKeepsBothEndsOfALog(t *testing.T) {
	lines := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "line %06d\n", i)
		}
		return b.String()
	}
	for _, chunk := range []int{1, 7, 100, 5000, 1 << 20} {
		for _, n := range []int{0, 1, 80, 83, 84, 90, 2000} {
			text := lines(n)
			var got bytes.Buffer
			o := newOutput(&got, 1000)
			for rest := []byte(text); len(rest) > 0; {
				k := min(chunk, len(rest))
				if w, err := o.Write(rest[:k]); w != k || err != nil {
					t.Fatal(w, err)
				}
				rest = rest[k:]
			}
			truncated := o.close()
			if truncated != (len(text) > 1000) {
				t.Errorf("%d lines in chunks of %d: truncated %v", n, chunk, truncated)
			}
			if !truncated {
				if got.String() != text {
					t.Errorf("%d lines in chunks of %d: got %q", n, chunk, got.String())
				}
				continue
			}
			want := fmt.Sprintf("%s\n[esd: log limit reached, %d bytes dropped here; the last 250 bytes follow]\n%s",
				text[:750], len(text)-1000, text[len(text)-250:])
			if got.String() != want {
				t.Errorf("%d lines in chunks of %d: got %q, want %q", n, chunk, got.String(), want)
			}
		}
	}
}

func TestOutputWithoutALimitOrAReaderIsFine(t *testing.T) {
	var got bytes.Buffer
	o := newOutput(&got, 0)
	fmt.Fprint(o, strings.Repeat("x", 1<<20))
	if o.close() || got.Len() != 1<<20 {
		t.Errorf("got %d bytes", got.Len())
	}
	o = newOutput(nil, 10)
	fmt.Fprint(o, strings.Repeat("x", 100))
	if !o.close() || o.total != 100 {
		t.Errorf("got %+v", o)
	}
}
