package state_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

func key(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func object(address string, deps ...string) *state.Object {
	kind := "recipe"
	if strings.Contains(address, "target.image") {
		kind = "target.image"
	}
	return &state.Object{
		Address: address, Kind: kind, Key: key(address), Dependencies: deps,
		Attributes: state.Attributes{"prefix": "/opt/esd/" + address, "size": 123456},
		Inputs:     map[string]string{"script": "1f2e3d4c5b6a"},
		When:       "2026-11-21T10:00:00Z",
	}
}

// large makes a state of n objects with 4 dependencies each, as a real one has.
func large(n int) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = 1
	address := func(i int) string { return fmt.Sprintf("recipe.package-%06d", i) }
	for i := range n {
		o := &state.Object{Address: address(i), Kind: "recipe", Key: key(address(i)), When: "2026-11-21T10:00:00Z"}
		o.Attributes = state.Attributes{
			"digest": "sha256:" + key("digest"+address(i)), "prefix": "/opt/esd/package-" + o.Key[:12], "size": 1000000 + i,
		}
		o.Inputs = map[string]string{"script": o.Key[:12], "source": o.Key[12:24], "version": o.Key[24:36]}
		for d := 1; d <= 4 && i-d*7 >= 0; d++ {
			dep := address(i - d*7)
			o.Dependencies = append(o.Dependencies, dep)
			o.Inputs["needs "+dep[len("recipe."):]] = key(dep)[:12]
		}
		s.Put(o)
	}
	return s
}

func full() *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = 7
	s.Put(object("recipe.libgreet"))
	s.Put(object("recipe.greet", "recipe.libgreet"))
	s.Put(object(`target.image.lab["zen3"]`, "recipe.libgreet", "recipe.greet"))
	s.Put(object(`module.x["a.b"].recipe.y`))
	s.Get("recipe.greet").Tainted = true
	s.Get("recipe.libgreet").PreventDestroy = true
	s.Caches["cache.buildcache.ebrains"] = state.CacheSeen{
		Location: "oci://registry.example.org/c", Revision: "sha256:abc", Entries: map[string]string{"b": "2", "a": "1"},
	}
	s.Durations["greet"] = state.Duration{Seconds: 12.25, PeakMemory: 1 << 30, Size: 4096}
	s.Outputs["lab"] = state.NewOutput(json.RawMessage(`"string"`), json.RawMessage(`"sha256:1"`))
	s.Outputs["token"] = state.NewSensitiveOutput(json.RawMessage(`"string"`))
	return s
}

func encode(t testing.TB, s *state.State) string {
	t.Helper()
	data, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func decode(t testing.TB, text string) *state.State {
	t.Helper()
	s, err := state.Decode([]byte(text), "test.state.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAStateSurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	s := full()
	text := encode(t, s)
	back := decode(t, text)
	if !back.Equal(s) {
		t.Errorf("came back different:\n%s\n%s", text, encode(t, back))
	}
	if diff := cmp.Diff(text, encode(t, back)); diff != "" {
		t.Errorf("second encoding differs (-first +second):\n%s", diff)
	}
	if !json.Valid([]byte(text)) {
		t.Error("not JSON")
	}
	if n, ok := back.Get("recipe.greet").Attributes.Int("size"); !ok || n != 123456 {
		t.Errorf("size is %d, %v", n, ok)
	}
}

func TestOneObjectStandsOnOneLine(t *testing.T) {
	t.Parallel()
	s := full()
	before := strings.Split(encode(t, s), "\n")
	changed := *s.Get("recipe.greet")
	changed.Key = key("another")
	s.Put(&changed)
	after := strings.Split(encode(t, s), "\n")
	if len(before) != len(after) {
		t.Fatalf("%d lines became %d", len(before), len(after))
	}
	differ := 0
	for i := range before {
		if before[i] != after[i] {
			differ++
		}
	}
	if differ != 1 {
		t.Errorf("changing one object changed %d lines", differ)
	}
}

func TestTheFormatIsFrozen(t *testing.T) {
	t.Parallel()
	s := state.New(lineage, "0.1.0")
	s.Serial = 3
	s.Put(&state.Object{
		Address: `target.image.lab["zen3"]`, Kind: "target.image", Key: key("k"),
		Attributes:   state.Attributes{"size": 5, "digest": "sha256:1", "tags": []string{"a<b"}},
		Inputs:       map[string]string{"files": "b2", "base": "a1"},
		Dependencies: []string{"recipe.b", "recipe.a"}, Tainted: true, PreventDestroy: true, When: "2026-11-21T10:00:00Z",
	})
	s.Durations["b"] = state.Duration{Seconds: 0.5}
	s.Durations["a"] = state.Duration{Seconds: 90, PeakMemory: 2, Size: 3}
	s.Outputs["o"] = state.NewOutput(json.RawMessage(`"number"`), json.RawMessage(` 1 `))
	want := `{
"format_version": 1,
"esd_version": "0.1.0",
"lineage": "` + lineage + `",
"serial": 3,
"objects": [
{"address":"target.image.lab[\"zen3\"]","kind":"target.image","key":"` + key("k") + `",` +
		`"attributes":{"digest":"sha256:1","size":5,"tags":["a<b"]},"inputs":{"base":"a1","files":"b2"},` +
		`"dependencies":["recipe.a","recipe.b"],"tainted":true,"prevent_destroy":true,"when":"2026-11-21T10:00:00Z"}
],
"caches": {},
"durations": {
"a":{"seconds":90,"peak_memory":2,"size":3},
"b":{"seconds":0.5}
},
"outputs": {
"o":{"value":1,"type":"number"}
}
}
`
	if diff := cmp.Diff(want, encode(t, s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestFieldsOfALaterVersionSurviveARoundTrip(t *testing.T) {
	t.Parallel()
	text := encode(t, full())
	text = strings.Replace(text, `"tainted":true`, `"tainted":true,"signed_by":{"key":[1.50,null]}`, 1)
	text = strings.Replace(text, `"objects"`, `"features": ["x"], "objects"`, 1)
	back := encode(t, decode(t, text))
	for _, want := range []string{`"signed_by":{"key":[1.50,null]}`, `"features": ["x"]`} {
		if !strings.Contains(back, want) {
			t.Errorf("lost %s in\n%s", want, back)
		}
	}
	if again := encode(t, decode(t, back)); again != back {
		t.Errorf("not stable:\n%s\n%s", back, again)
	}
}

func TestBadDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	good := encode(t, full())
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %s in the good state", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	first := strings.Split(good, "\n")[6]
	for name, tc := range map[string]struct {
		text string
		is   error
		says string
	}{
		"an empty file":                   {"", state.ErrTruncated, "empty"},
		"zero bytes after a power cut":    {"\x00\x00\x00", state.ErrTruncated, "zero bytes"},
		"half a file":                     {good[:len(good)/2], state.ErrTruncated, "test.state.json:"},
		"a file cut in a word":            {good[:strings.Index(good, "true")+2], state.ErrTruncated, "boolean|true"},
		"a state of Terraform":            {`{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "resources": []}`, state.ErrForeign, "Terraform"},
		"a lock file of Spack":            {`{"_meta": {"file-type": "spack-lockfile"}, "roots": [], "concrete_specs": {}}`, state.ErrForeign, "Spack"},
		"a page to log in":                {"<!DOCTYPE html><html></html>", state.ErrForeign, "HTML"},
		"a JSON array":                    {"[1]", state.ErrForeign, "no JSON object"},
		"an empty object":                 {"{}", state.ErrForeign, "empty JSON object"},
		"an address that stands twice":    {edit(first, first+"\n"+first), state.ErrInvalid, "recorded twice"},
		"a name that stands twice":        {edit(`"kind":"recipe"`, `"kind":"recipe","kind":"recipe"`), state.ErrInvalid, `"kind" stands twice`},
		"a key that is too short":         {edit(key("recipe.greet"), "abc"), state.ErrInvalid, "no content key"},
		"a key in upper case":             {edit(key("recipe.greet"), strings.ToUpper(key("recipe.greet"))), state.ErrInvalid, "no content key"},
		"a number for a string":           {edit(`"kind":"recipe"`, `"kind":5`), state.ErrInvalid, "found a number where a string"},
		"a string for a boolean":          {edit(`"tainted":true`, `"tainted":"true"`), state.ErrInvalid, "found a string where true or false"},
		"no key":                          {edit(`"key":"`+key("recipe.greet")+`",`, ""), state.ErrInvalid, `without "address", "kind" or "key"`},
		"a list for objects' place":       {edit(`"objects": [`, `"objects": 5, "x": [`), state.ErrInvalid, "an array"},
		"a negative serial":               {edit(`"serial": 7`, `"serial": -7`), state.ErrInvalid, "whole number"},
		"a fractional serial":             {edit(`"serial": 7`, `"serial": 7.5`), state.ErrInvalid, "whole number"},
		"no serial":                       {edit(`"serial": 7,`, ``), state.ErrInvalid, "missing"},
		"a lineage that is no UUID":       {edit(lineage, "mine"), state.ErrInvalid, "no lineage"},
		"a time that is none":             {edit("2026-11-21T10:00:00Z", "yesterday"), state.ErrInvalid, "RFC 3339"},
		"a trailing comma":                {edit("\n],", ",\n],"), state.ErrInvalid, ""},
		"text after the end":              {good + "x", state.ErrInvalid, "after the end"},
		"two documents":                   {good + good, state.ErrInvalid, "after the end"},
		"a conflict marker of git":        {edit("\n"+first, "\n<<<<<<< HEAD\n"+first), state.ErrInvalid, "'<'"},
		"a sensitive output with a value": {edit(`"sensitive":true`, `"sensitive":true,"value":"s3cret"`), state.ErrInvalid, "sensitive output with a value"},
		"nesting without end":             {edit(`"size":123456`, `"size":`+strings.Repeat("[", 100000)), state.ErrInvalid, "nested"},
		"a format nobody wrote":           {edit(`"format_version": 1`, `"format_version": 0`), state.ErrInvalid, "no esd ever wrote format 0"},
		"a negative duration":             {edit(`12.25`, `-12.25`), state.ErrInvalid, "below zero"},
		"a duration beyond floats":        {edit(`12.25`, `1e999`), state.ErrInvalid, "seconds"},
		"bytes that are not UTF-8":        {edit(`/opt/esd/recipe.greet`, "/opt/\xff"), state.ErrInvalid, "UTF-8"},
		"an address with a line feed":     {edit(`"recipe.greet"`, `"recipe.\ngreet"`), state.ErrInvalid, "no address"},
		"a newer format":                  {edit(`"format_version": 1`, `"format_version": 2`), state.ErrNewerFormat, "use esd 0.1.0 or newer"},
		"a newer format, all different":   {`{"format_version": 9, "lineage": {}, "serial": "x"}`, state.ErrNewerFormat, "format 9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := state.Decode([]byte(tc.text), "test.state.json")
			if !errors.Is(err, tc.is) {
				t.Fatalf("got %v, want %v", err, tc.is)
			}
			if !strings.Contains(err.Error(), "test.state.json") {
				t.Errorf("does not name the file: %v", err)
			}
			found := false
			for _, says := range strings.Split(tc.says, "|") {
				found = found || strings.Contains(err.Error(), says)
			}
			if !found {
				t.Errorf("does not say %q: %v", tc.says, err)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("shows the secret: %v", err)
			}
		})
	}
}

func TestEveryTruncationIsNoticed(t *testing.T) {
	t.Parallel()
	good := strings.TrimSpace(encode(t, full()))
	for i := range len(good) {
		_, err := state.Decode([]byte(good[:i]), "f")
		if !errors.Is(err, state.ErrTruncated) {
			t.Fatalf("cut at %d of %d (%q): %v", i, len(good), good[max(0, i-20):i], err)
		}
	}
}

func TestAnErrorNamesLineColumnAndObject(t *testing.T) {
	t.Parallel()
	text := strings.Replace(encode(t, full()), `"inputs":{"script":"1f2e3d4c5b6a"},"dependencies":["recipe.libgreet"]`, `"inputs":5`, 1)
	_, err := state.Decode([]byte(text), "f")
	var format *state.FormatError
	if !errors.As(err, &format) {
		t.Fatal(err)
	}
	line := strings.Split(text, "\n")[format.Line-1]
	if !strings.HasPrefix(line[format.Column-1:], "5") || !strings.Contains(format.Detail, "recipe.greet") {
		t.Errorf("%d:%d %s: %s", format.Line, format.Column, format.Detail, line)
	}
}

func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*state.State){
		"a bad key":             func(s *state.State) { s.Put(&state.Object{Address: "recipe.x", Kind: "recipe", Key: "1"}) },
		"a bad address":         func(s *state.State) { o := object("recipe.x"); o.Address = "recipe x"; s.Put(o) },
		"a moved address":       func(s *state.State) { s.Objects["recipe.z"] = object("recipe.y") },
		"no object":             func(s *state.State) { s.Objects["recipe.z"] = nil },
		"a function":            func(s *state.State) { s.Get("recipe.greet").Attributes["f"] = func() {} },
		"not a number":          func(s *state.State) { s.Get("recipe.greet").Attributes["f"] = json.Number("NaN") },
		"bytes that are binary": func(s *state.State) { s.Get("recipe.greet").Attributes["f"] = "\xff" },
		"an output that is cut": func(s *state.State) { s.Outputs["x"] = state.NewOutput(nil, json.RawMessage(`{"a":`)) },
		"a lineage that is bad": func(s *state.State) { s.Lineage = "x" },
		"a negative duration":   func(s *state.State) { s.Durations["x"] = state.Duration{Seconds: -1} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := full()
			change(s)
			if _, err := state.Encode(s); err == nil {
				t.Error("written")
			}
		})
	}
}

func TestChangingACloneLeavesTheOriginal(t *testing.T) {
	t.Parallel()
	s := full()
	before := encode(t, s)
	c := s.Clone()
	c.Put(object("recipe.new"))
	if _, err := c.Move("recipe.libgreet", "recipe.other"); err != nil {
		t.Fatal(err)
	}
	c.Durations["new"] = state.Duration{Seconds: 1}
	if diff := cmp.Diff(before, encode(t, s)); diff != "" {
		t.Error(diff)
	}
	if c.SameContent(s) || !s.SameContent(s.Clone()) {
		t.Error("SameContent is wrong")
	}
}

func TestIDsAreRandomUUIDs(t *testing.T) {
	t.Parallel()
	a, b := state.NewID(), state.NewID()
	if a == b || !state.IsID(a) || a[14] != '4' {
		t.Error(a, b)
	}
	if state.IsID(strings.ToUpper(a)) || state.IsID(a[1:]) || state.IsID(strings.Replace(a, "-", "0", 1)) {
		t.Error("IsID takes what is no UUID")
	}
}
