package relocate

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTextIsReplacedWhereAPathBegins(t *testing.T) {
	t.Parallel()
	m := mapOf(t, "/opt/s/bin/sbang", "/n/bin/sbang", "/opt/s/a-1", "/new/a", "/opt/s", "/n")
	for name, c := range map[string]struct{ in, want string }{
		"at the start":                         {"/opt/s/x", "/n/x"},
		"the first in order wins":              {"/opt/s/a-1/lib", "/new/a/lib"},
		"behind a flag":                        {"-I/opt/s/x", "-I/n/x"},
		"behind a word":                        {"prefix=/opt/s", "prefix=/n"},
		"behind words without blank":           {"a_b-c/opt/s", "a_b-c/n"},
		"not below another directory":          {"/chroot/opt/s", "/chroot/opt/s"},
		"not behind a slash":                   {"//opt/s", "//opt/s"},
		"twice on a line":                      {"/opt/s:/opt/s", "/n:/n"},
		"not again in the rest of a path":      {"/opt/s/opt/s", "/n/opt/s"},
		"behind a dot":                         {"./opt/s", "./n"},
		"without a boundary at the end":        {"/opt/s2", "/n2"},
		"behind bytes that are no text":        {"\xff/opt/s\x00/opt/s", "\xff/n\x00/n"},
		"sbang":                                {"#!/bin/sh /opt/s/bin/sbang\n", "#!/bin/sh /n/bin/sbang\n"},
		"what is only nearly there is nothing": {"/opt/S /opt /opt/", "/opt/S /opt /opt/"},
	} {
		got, changed := m.Text([]byte(c.in))
		if string(got) != c.want || changed != (c.in != c.want) {
			t.Errorf("%s: %q became %q, want %q", name, c.in, got, c.want)
		}
	}
}

func TestStreamsGiveWhatTextGives(t *testing.T) {
	t.Parallel()
	m := mapOf(t, "/opt/s/a-1", "/a/longer/path", "/opt/s", "/n")
	for name, in := range map[string]string{
		"many lines":    strings.Repeat("see /opt/s/a-1/lib and /chroot/opt/s\n", 100_000),
		"one long line": strings.Repeat("/opt/s/a-1/lib/", 200_000),
		"one word":      strings.Repeat("word", 1<<20) + "/opt/s",
		"nothing":       "",
	} {
		want, changed := m.Text([]byte(in))
		var got bytes.Buffer
		did, err := m.TextStream(&got, strings.NewReader(in))
		if err != nil || did != changed || !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: changed %v, want %v: %v", name, did, changed, err)
		}
	}
}

func TestStringsInBinariesKeepTheirLength(t *testing.T) {
	t.Parallel()
	m := mapOf(t, "/opt/old/store/pkg-abcdefg", "/o/pkg-abcdefg", "/opt/old/store", "/o", "/a/bcd", "/b/xyz", "/p/qrstu", "/p/x")
	for name, c := range map[string]struct{ in, want string }{
		"slashes in front when the end is the same":  {"\x00/opt/old/store/pkg-abcdefg\x00", "\x00////////////" + "/o/pkg-abcdefg\x00"},
		"slashes in front of a long string":          {"/opt/old/store/share/doc\x00", "////////////" + "/o/share/doc\x00"},
		"an early end when only the front is wanted": {"/opt/old/store\x00", "/o\x00t/old/store\x00"},
		"an early end with a short rest":             {"/opt/old/store/lib\x00", "/o/lib\x00d/store/lib\x00"},
		"a rest without end":                         {"/opt/old/store/lib", "////////////" + "/o/lib"},
	} {
		b := &Buffer{[]byte(c.in)}
		if _, _, err := m.Binary("f", b, int64(len(c.in))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, string(b.Data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var shrink *CannotShrinkStringError
	b := &Buffer{[]byte("/p/qrstu/l\x00")}
	if _, _, err := m.Binary("lib/f", b, int64(len(b.Data))); !errors.As(err, &shrink) || shrink.String != "/p/qrstu/l" || shrink.File != "lib/f" {
		t.Errorf("got %v", err)
	}
}

func TestStringsAcrossChunksAreFound(t *testing.T) {
	t.Parallel()
	m := mapOf(t, "/opt/old/store/pkg-abcdefg", "/o/pkg-abcdefg")
	const text = "/opt/old/store/pkg-abcdefg/lib\x00"
	for shift := range 2 * len(text) {
		at := binaryChunk - len(text) + shift
		data := make([]byte, 3*binaryChunk)
		copy(data[at:], text)
		copy(data[len(data)-len(text):], text)
		b := &Buffer{data}
		if _, changed, err := m.Binary("f", b, int64(len(data))); err != nil || !changed {
			t.Fatal(changed, err)
		}
		want := strings.Repeat("/", 12) + "/o/pkg-abcdefg/lib\x00"
		if string(data[at:at+len(text)]) != want || !bytes.HasSuffix(data, []byte(want)) {
			t.Fatalf("at %d: %q", at, data[at:at+len(text)])
		}
	}
}

func TestLongFirstLinesCallSbang(t *testing.T) {
	t.Parallel()
	long := "/" + strings.Repeat("x", 120)
	const call = "#!/bin/sh /o/bin/sbang\n"
	for name, c := range map[string]struct{ in, want string }{
		"a short line stays":        {"#!/bin/sh\nrest", "#!/bin/sh\nrest"},
		"126 bytes and an end stay": {"#!" + strings.Repeat("x", 124) + "\n", "#!" + strings.Repeat("x", 124) + "\n"},
		"127 and an end do not":     {"#!" + strings.Repeat("x", 125) + "\n", call + "#!" + strings.Repeat("x", 125) + "\n"},
		"perl":                      {"#!" + long + "/bin/perl -w\nx", call + "#!" + long + "/bin/perl -w\nx"},
		"blanks in front":           {"#! \t" + long + "/lua\nx", call + "--! \t" + long + "/lua\nx"},
		"luajit":                    {"#!" + long + "/luajit\nx", call + "--!" + long + "/luajit\nx"},
		"node":                      {"#!" + long + "/node\nx", call + "//!" + long + "/node\nx"},
		"php":                       {"#!" + long + "/php\nx", call + "<?php #!" + long + "/php\n ?>x"},
		"only blanks":               {"#!" + strings.Repeat(" ", 200) + "\nx", "#!" + strings.Repeat(" ", 200) + "\nx"},
		"a line without end":        {"#!" + strings.Repeat("x", 5000), "#!" + strings.Repeat("x", 5000)},
		"no script":                 {"# " + long, "# " + long},
	} {
		beginning, n, err := Sbang([]byte(c.in), "/o/bin/sbang")
		if got := string(beginning) + c.in[n:]; got != c.want || err != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	var tooLong *SbangPathError
	if _, _, err := Sbang([]byte("#!"+long+"/perl\n"), long+long); !errors.As(err, &tooLong) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoPrefixIsRefused(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"", "/", "opt", "/opt/", "/opt/../x", "//x", "/a\nb", "/a\x00b", "/" + strings.Repeat("x", 5000)} {
		var bad *PrefixError
		if _, err := New([]Replacement{{p, "/n"}}); !errors.As(err, &bad) {
			t.Errorf("%.20q: got %v", p, err)
		}
	}
}

func TestLinksAreReplacedAtTheirStart(t *testing.T) {
	t.Parallel()
	m := mapOf(t, "/opt/s/a", "/n/a", "/opt/s", "/n", "/same", "/same")
	for in, want := range map[string]string{
		"/opt/s/a/b": "/n/a/b", "/opt/s": "/n", "../opt/s": "../opt/s", "/x/opt/s": "/x/opt/s", "/same/x": "/same/x", "": "",
	} {
		if got, changed := m.Link(in); got != want || changed != (in != want) {
			t.Errorf("%q became %q", in, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("-I/opt/s/x /opt/s/a-1\n/chroot/opt/s"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := mapOf(t, "/opt/s/a-1", "/new", "/opt/s", "/n")
		want, changed := m.Text(data)
		var got bytes.Buffer
		did, err := m.TextStream(&got, bytes.NewReader(data))
		if err != nil || did != changed || !bytes.Equal(got.Bytes(), want) {
			t.Fatalf("streamed %q, want %q: %v", got.Bytes(), want, err)
		}
		finder, err := NewFinder([]string{"/opt/s/a-1", "/opt/s"})
		if err != nil {
			t.Fatal(err)
		}
		if finder.InText(data) != changed {
			t.Fatalf("%q: found %v, changed %v", data, !changed, changed)
		}
	})
}
