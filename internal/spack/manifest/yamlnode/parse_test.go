package yamlnode_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/manifest/yamlnode"
)

func parse(t *testing.T, src string) *yamlnode.File {
	t.Helper()
	f, err := yamlnode.Parse([]byte(src), "f.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestValuesAreReadAsTheyAreSpelt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		src  string
		want any
	}{
		"a version keeps its zero":                 {"a: 3.10", map[string]any{"a": "3.10"}},
		"a quoted number is text":                  {"a: '310'", map[string]any{"a": "310"}},
		"a whole number is a number":               {"a: 310", map[string]any{"a": int64(310)}},
		"a number with a zero before is as it is":  {"a: 007", map[string]any{"a": "007"}},
		"a number too large is as it is":           {"a: 99999999999999999999", map[string]any{"a": "99999999999999999999"}},
		"words of YAML 1.1 are words":              {"[yes, no, on, off, y]", []any{"yes", "no", "on", "off", "y"}},
		"true, false and null are what they say":   {"[true, False, ~, null, Null]", []any{true, false, nil, nil, nil}},
		"a date is text":                           {"a: 2024-01-02", map[string]any{"a": "2024-01-02"}},
		"a sign in front is text when alone":       {"[+, -, ~foo, +bar]", []any{"+", "-", "~foo", "+bar"}},
		"keys can be numbers":                      {"3.10: x", map[string]any{"3.10": "x"}},
		"two colons override":                      {"packages::\n  all: x", map[string]any{"packages::": map[string]any{"all": "x"}}},
		"a quoted key overrides too":               {"{\"packages:\": x}", map[string]any{"packages::": "x"}},
		"aliases stand for what they name":         {"a: &x [1]\nb: *x", map[string]any{"a": []any{int64(1)}, "b": []any{int64(1)}}},
		"merged maps give way to what is there":    {"a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3", map[string]any{"a": map[string]any{"k": int64(1), "l": int64(2)}, "b": map[string]any{"k": int64(3), "l": int64(2)}}},
		"several maps are merged, the first first": {"a: &x {k: 1}\nb: &y {k: 2, l: 2}\nc: {<<: [*x, *y]}", map[string]any{"a": map[string]any{"k": int64(1)}, "b": map[string]any{"k": int64(2), "l": int64(2)}, "c": map[string]any{"k": int64(1), "l": int64(2)}}},
		"text over lines is folded or kept":        {"a: >\n  x\n  y\nb: |\n  x\n  y\n", map[string]any{"a": "x y\n", "b": "x\ny\n"}},
		"nothing is nothing":                       {"a:\nb: x", map[string]any{"a": nil, "b": "x"}},
		"an empty file is nothing":                 {"# only this\n", nil},
		"a beginning of a document changes nothing": {
			"---\na: 1\n...\n", map[string]any{"a": int64(1)}},
		"lines of Windows are lines": {"a: 1\r\nb: [x,\r\n  y]\r\n", map[string]any{"a": int64(1), "b": []any{"x", "y"}}},
		"a tag of text makes text":   {"a: !!str 3", map[string]any{"a": "3"}},
		"JSON is YAML":               {`{"a": [1, "b\u00e9", {"c": null}]}`, map[string]any{"a": []any{int64(1), "bé", map[string]any{"c": nil}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, parse(t, test.src).Root.Plain()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMistakesNameTheirPlace(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ src, want string }{
		"a key twice":                      {"a: 1\nb:\n  c: 1\n  c: 2\n", `f.yaml:4:3: mapping key "c" already defined at [3:3]`},
		"an override beside its key":       {"a: 1\na::\n  - 2\n", `f.yaml:2:1: the key "a" stands in this map twice`},
		"an alias to nothing":              {"a: [*x]\n", "f.yaml:1:5: *x is used, and no &x stands before it"},
		"an alias in itself":               {"a: &x [1, *x]\n", "f.yaml:1:11: *x stands within &x itself"},
		"a merge of text":                  {"a:\n  <<: text\n", "f.yaml:2:7: only maps can be merged with <<, and this is text"},
		"two documents":                    {"a: 1\n---\nb: 2\n", "f.yaml:3: a second document begins here; one is accepted"},
		"a bracket that is not closed":     {"a: [1, 2\nb: 3\n", "f.yaml:"},
		"bytes that are no text":           {"a: \xff\n", "f.yaml: the file is not UTF-8 text"},
		"a zero byte":                      {"a: 1\nb: \x00\n", "f.yaml:2: there is a zero byte; this is no text"},
		"a tag that would make an object":  {"a: !!python/object:os.system x\n", "f.yaml:1:4: the tag !!python/object:os.system is not known here"},
		"a key that is a list":             {"? [a]\n: b\n", "f.yaml:"},
		"a file too large":                 {strings.Repeat("#", yamlnode.MaxSize+1), "f.yaml: the file has 1048577 bytes; more than 1048576 are not read"},
		"brackets without end":             {strings.Repeat("[", 1<<16), "f.yaml:1:65: lists and maps are nested more than 64 deep"},
		"braces without end":               {strings.Repeat("{a: ", 1<<14), "nested more than 64 deep"},
		"dashes without end":               {strings.Repeat("- ", 1<<15), "nested more than 64 deep"},
		"question marks without end":       {strings.Repeat("? ", 1<<15), "f.yaml:"},
		"tags without end":                 {strings.Repeat("!!a ", 1<<14), "f.yaml:"},
		"anchors without end":              {strings.Repeat("&a ", 1<<14), "f.yaml:"},
		"deeper and deeper":                {deeper(1000), "f.yaml:"},
		"keys without end":                 {strings.Repeat("a: b\n", yamlnode.MaxKeys+1), "f.yaml:20001:2: the file has more than 20000 keys"},
		"aliases of aliases (a bomb)":      {bomb(20), "f.yaml:"},
		"aliases of aliases within limits": {"a: &a [1]\nb: &b [*a, *a]\nc: {", "f.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := yamlnode.Parse([]byte(test.src), "f.yaml")
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(time.Since(began))
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %.200v\nwant %s", err, test.want)
			}
			var where *yamlnode.Error
			if !errors.As(err, &where) {
				t.Errorf("%T tells no place", err)
			}
		})
	}
}

func deeper(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

func bomb(n int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	return b.String()
}

func TestPlacesAndCommentsAreKept(t *testing.T) {
	t.Parallel()
	f := parse(t, "# first\n\n# about\n# specs\nspecs: # the list\n- a # alone\n# above b\n- b\n- 'c # no comment'\n")
	specs := f.Root.Get("specs")
	got := []any{
		f.Root.Entries[0].Position, specs.Items[2].Position, f.Above(5), f.Beside(5), f.Beside(6), f.Above(8), f.Beside(9), f.Above(1),
	}
	want := []any{
		yamlnode.Position{5, 1}, yamlnode.Position{9, 3}, []string{"about", "specs"}, "the list", "alone", []string{"above b"}, "", []string(nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommentsBelongToWhatTheyAreIndentedAs(t *testing.T) {
	t.Parallel()
	f := parse(t, "a:\n  - b\n  # - c  not now\n  # - d\n# about e\ne:\n  - f\n  # above g\n  - g\n  # the end\n")
	got := [][]string{f.Above(2), f.Below(2), f.Above(6), f.Below(7), f.Above(9), f.Below(9)}
	want := [][]string{nil, {"- c  not now", "- d"}, {"about e"}, nil, {"above g"}, {"the end"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAWrongTypeIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	f := parse(t, "specs: [a, {b: c}]\nview: [x]\n")
	_, err := f.Root.Get("specs").Strings(f.Name, "specs")
	if got, want := fmt.Sprint(err), "f.yaml:1:12: an element of specs must be text, and is a map"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	err = f.Root.Get("view").Expect(yamlnode.Map, f.Name, "view")
	if got, want := fmt.Sprint(err), "f.yaml:2:7: view must be a map, and is a list"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"spack:\n  specs: [a@3.10, b]\n  packages::\n    all: {require: ['%gcc']}\n", "a: &x [*x]", "? a\n: b", "- - - a", "<<: {a: b}",
		"a: !!str 3", "a: |\n  x\n", "a: >-\n  x\n\n  y\n", "{a: [}", "# c\n", "---\n...\n---\n", "a: \"\\u00e9\\x41\"", "%YAML 1.2\n---\na: b",
		bomb(4), deeper(20),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, err := yamlnode.Parse(src, "f.yaml")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml:") {
				t.Errorf("no place: %v", err)
			}
			return
		}
		file.Root.Plain()
		file.Above(1)
	})
}
