package state

import (
	"errors"
	"strings"
	"testing"
)

// The format 0 of these tests never existed: objects in a map, keys with an
// algorithm in front.
const v0 = `{"format_version": 0, "esd_version": "0.0.1", "lineage": "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11", "serial": 4,
 "things": {"recipe.a": {"kind": "recipe", "id": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "size": 9007199254740993}}}`

func fromV0(doc map[string]any) (map[string]any, error) {
	things, ok := doc["things"].(map[string]any)
	if !ok {
		return nil, errors.New(`"things" is no object`)
	}
	var objects []any
	for address, thing := range things {
		t := thing.(map[string]any)
		id, _ := t["id"].(string)
		objects = append(objects, map[string]any{"address": address, "kind": t["kind"],
			"key": strings.TrimPrefix(id, "sha256:"), "attributes": map[string]any{"size": t["size"]}})
	}
	delete(doc, "things")
	doc["objects"] = objects
	return doc, nil
}

func TestAnOlderFormatIsMigrated(t *testing.T) {
	t.Parallel()
	s, err := decode([]byte(v0), "f", map[int]migration{0: fromV0})
	if err != nil {
		t.Fatal(err)
	}
	if from, migrated := s.MigratedFrom(); !migrated || from != 0 {
		t.Errorf("migrated from %d, %v", from, migrated)
	}
	data, err := Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"format_version": 1`, `"serial": 4`, `"size":9007199254740993`, `"recipe.a"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
	if again, err := Decode(data, "f"); err != nil {
		t.Error(err)
	} else if _, migrated := again.MigratedFrom(); migrated {
		t.Error("what was written is still called old")
	}
}

func TestAMigrationThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"the migration refuses":           strings.Replace(v0, "things", "sings", 1),
		"the result is wrong":             strings.Replace(v0, "sha256:aa", "sha256:zz", 1),
		"the rest of the document is cut": v0[:len(v0)-5],
	} {
		if _, err := decode([]byte(text), "f", map[int]migration{0: fromV0}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
