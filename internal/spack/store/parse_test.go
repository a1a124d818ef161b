package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack"
)

// node is a spec that a database can have.
func node(t testing.TB, name string) *spack.Spec { return newDAG(t).add(name) }

func document(version, installs string) string {
	return fmt.Sprintf(`{"database":{"version":%q,"installs":{%s}}}`, version, installs)
}

func TestDamagedDatabasesAreRefused(t *testing.T) {
	t.Parallel()
	a, b := node(t, "a"), node(t, "b")
	record := func(s *spack.Spec, rest string) string {
		return fmt.Sprintf(`%q:{"spec":%s%s}`, s.Hash, s.Raw, rest)
	}
	good := document("8", record(a, `,"ref_count":0,"path":"/x","installed":true`))
	if _, err := parseRecords([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text, says string
		want       error
	}{
		"nothing":                        {"", "", ErrCorrupt},
		"cut short":                      {good[:len(good)-20], "", ErrCorrupt},
		"something after the end":        {good + "{}", "after its end", ErrCorrupt},
		"rubbish after the end":          {good + "x", "after its end", ErrCorrupt},
		"null":                           {"null", "not an object", ErrCorrupt},
		"a list":                         {"[]", "not an object", ErrCorrupt},
		"no database":                    {"{}", "no \"database\"", ErrCorrupt},
		"no version":                     {`{"database":{"installs":{}}}`, "no \"version\"", ErrCorrupt},
		"a number for a version":         {`{"database":{"version":8,"installs":{}}}`, "not a string", ErrCorrupt},
		"an odd version":                 {document("eight", ""), "eight", ErrCorrupt},
		"a newer version":                {document("9", ""), "newer", ErrVersion},
		"an older version":               {document("6", ""), "reindex", ErrVersion},
		"a very old version":             {document("0.9.3", ""), "reindex", ErrVersion},
		"two databases":                  {`{"database":{"version":"8"},"database":{"version":"8"}}`, "duplicate", ErrCorrupt},
		"one hash twice":                 {document("8", record(a, "")+","+record(a, "")), "duplicate", ErrCorrupt},
		"one member twice":               {document("8", record(a, `,"path":"/a","path":"/b"`)), "duplicate", ErrCorrupt},
		"the wrong key":                  {document("8", strings.Replace(record(a, ""), string(a.Hash), string(b.Hash), 1)), "has the spec of", ErrCorrupt},
		"a key that is no hash":          {document("8", `"../../etc":{}`), "no hash", ErrCorrupt},
		"a record that is a list":        {document("8", fmt.Sprintf(`%q:[]`, a.Hash)), "not an object", ErrCorrupt},
		"a record without spec":          {document("8", fmt.Sprintf(`%q:{"path":"/x"}`, a.Hash)), "no spec", ErrCorrupt},
		"a spec that is null":            {document("8", fmt.Sprintf(`%q:{"spec":null}`, a.Hash)), "", ErrCorrupt},
		"a number for a path":            {document("8", record(a, `,"path":3`)), "path", ErrCorrupt},
		"a word for installed":           {document("8", record(a, `,"installed":"yes"`)), "installed", ErrCorrupt},
		"a broken reference count":       {document("8", record(a, `,"ref_count":1.5`)), "ref_count", ErrCorrupt},
		"an endless reference count":     {document("8", record(a, `,"ref_count":1e300`)), "ref_count", ErrCorrupt},
		"a time before all times":        {document("8", record(a, `,"installation_time":-1`)), "installation_time", ErrCorrupt},
		"deprecated for what is no hash": {document("8", record(a, `,"deprecated_for":"x"`)), "no hash", ErrCorrupt},
		"bytes that are no text":         {document("8", record(a, ",\"path\":\"\xff\"")), "", ErrCorrupt},
		"endless nesting":                {strings.Repeat(`{"database":`, 20000), "", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(root, ".spack-db"), 0o755), os.WriteFile(filepath.Join(root, ".spack-db", "index.json"), []byte(c.text), 0o644)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(root, Options{})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatOlderSpacksWroteIsRead(t *testing.T) {
	t.Parallel()
	a := node(t, "a")
	records, err := parseRecords([]byte(document("8", fmt.Sprintf(
		`%q: {"origin":"external-db","path":"None","explicit":null,"spec":%s, "installation_time":12.5 }`, a.Hash, a.Raw))))
	if err != nil {
		t.Fatal(err)
	}
	rec := records.Get(a.Hash)
	if rec.Path != "" || rec.Installed || rec.Explicit || rec.InstallationTime.UnixMilli() != 12500 {
		t.Errorf("%+v", rec)
	}
	// What is not known to us is kept when the record changes.
	changed := records.clone()
	changed.change(a.Hash).Path = "/new"
	text, err := appendRecords(nil, changed)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`%q:{"spec":%s,"ref_count":0,"path":"/new","installed":false,"explicit":false,"installation_time":12.5,"deprecated_for":null,"origin":"external-db"}`, a.Hash, a.Raw)
	if got := string(text); got != document("8", want) {
		t.Errorf("got  %s\nwant %s", got, document("8", want))
	}
}

func TestALargeDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := openStore(t, root, Options{MaxDatabase: 100})
	if err := errors.Join(s.makeTree(), os.WriteFile(s.dbPath("index.json"), make([]byte, 101), 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Records(t.Context()); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "more than 100 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestADatabaseIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	d, root := stack(t), t.TempDir()
	reader, writer := openStore(t, root, Options{}), openStore(t, root, Options{})
	for i, name := range []string{"lib", "left", "right"} {
		mustInstall(t, writer, d.packages(name), d.options())
		installed, err := reader.Installed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(installed) != i+2 { // glibc came with lib
			t.Errorf("%d are seen after %s", len(installed), name)
		}
	}
	first, _ := reader.Records(t.Context())
	second, _ := reader.Records(t.Context())
	if first != second {
		t.Error("it was read again without need")
	}
	if err := os.Remove(reader.dbPath("index_verifier")); err != nil {
		t.Fatal(err)
	}
	if third, err := reader.Records(t.Context()); err != nil || third == second {
		t.Errorf("it was not read again, although the verifier changed: %v", err)
	}
}

func FuzzParseRecords(f *testing.F) {
	d := stack(f)
	s := openStore(f, f.TempDir(), Options{})
	mustInstall(f, s, d.packages("lib", "left", "right", "top"), d.options())
	text, err := os.ReadFile(s.dbPath("index.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(document("7", "")))
	f.Add([]byte(document("9", "")))
	f.Add(text[:len(text)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := parseRecords(data)
		if err != nil {
			return
		}
		again, err := appendRecords(nil, records)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseRecords(again); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		for h := range records.All() {
			changed := records.clone()
			changed.remove(h)
			text, err := appendRecords(nil, changed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parseRecords(text); err != nil {
				t.Fatalf("without %s, what was written cannot be read: %v", h, err)
			}
		}
	})
}
