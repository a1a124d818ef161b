package view

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextFromOutsideCannotMoveTheCursor(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"plain text stays":                         {"gcc -O2 a.c", "gcc -O2 a.c"},
		"colours go as a whole":                    {"\x1b[31;1mred\x1b[0m text", "red text"},
		"a C1 introducer is one too":               {"\u009b31mred", "red"},
		"a title goes with its text":               {"\x1b]0;evil\x07after", "after"},
		"a title may end with ST":                  {"\x1b]0;evil\x1b\\after", "after"},
		"a hyperlink leaves its text":              {"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		"a device control string goes":             {"a\x1bPq#0;2\x1b\\b", "ab"},
		"a string that does not end ends the line": {"a\x1b]0;evil\nnext", "a next"},
		"a lone escape at the end goes":            {"a\x1b", "a"},
		"character sets go":                        {"a\x1b(0b", "ab"},
		"line breaks become spaces":                {"a\nb\tc", "a b c"},
		"bells and backspaces go":                  {"a\a\bb\x7f", "ab"},
		"bidirectional overrides go":               {"a\u202egnp.exe", "agnp.exe"},
		"other alphabets stay":                     {"日本語 é 🚀", "日本語 é 🚀"},
		"bytes that are no text are marked":        {"a\xffb", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (Options{Unicode: true}).clean(test.in); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWithoutUnicodeArrowsAreSpelledOut(t *testing.T) {
	if got := (Options{}).clean("1.0 → 1.1…"); got != "1.0 -> 1.1..." {
		t.Error(got)
	}
}

func TestALogLineShowsWhatATerminalWouldShow(t *testing.T) {
	got := Options{}.cleanLines("10%\r50%\rdone\r\n\tindented\n")
	if want := "done|    indented"; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}
}

func FuzzCleanTextIsHarmless(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m", 10)
	f.Add("\x1b]0;title\x07\u009bx\xff\x1b", 3)
	f.Add("日本語\r\n🚀\u202e", 5)
	f.Fuzz(func(t *testing.T, s string, room int) {
		room = room&0xff + 2
		o := Options{Unicode: true}
		clean := o.clean(s)
		if !utf8.ValidString(clean) || strings.ContainsFunc(clean, isUnprintable) {
			t.Fatalf("%q became %q", s, clean)
		}
		for _, line := range wrap(clean, room) {
			if displayWidth(line) > room {
				t.Fatalf("%q is wider than %d", line, room)
			}
		}
		if n := displayWidth(o.cut(clean, room)); n > room {
			t.Fatalf("cut to %d, not %d", n, room)
		}
		if n := displayWidth(o.cutMiddle(clean, room)); n > room {
			t.Fatalf("cut to %d, not %d", n, room)
		}
		if o.clean(clean) != clean {
			t.Fatalf("cleaning %q again gives %q", clean, o.clean(clean))
		}
	})
}

func TestWidthsAreThoseOfATerminal(t *testing.T) {
	for s, want := range map[string]int{"abc": 3, "日本": 4, "é": 1, "e\u0301": 1, "🚀": 2, "→": 1, "": 0} {
		if got := displayWidth(s); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
	}
}

func FuzzEscapedMarkdownIsText(f *testing.F) {
	f.Add("</details><script>@all `x` | y\n\n# h #12 !3 ~label www.x.org https://y")
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{escapeMarkdown(s), strings.TrimSuffix(strings.TrimPrefix(code(s), "<code>"), "</code>")} {
			bare := strings.ReplaceAll(out, "&#", "")
			if strings.ContainsAny(bare, "<>|`*_[]@~!$\\\n\"'") || !utf8.ValidString(out) {
				t.Fatalf("%q became %q", s, out)
			}
		}
	})
}
