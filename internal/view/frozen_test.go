package view

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/plan"
)

// free are the members whose names are the user's or a provider's.
var free = map[string]bool{
	"outputs": true, "output_changes": true, "before": true, "after": true, "after_unknown": true, "before_sensitive": true,
	"after_sensitive": true, "values": true, "inputs": true, "spec": true, "type": true, "value": true,
}

// fieldsOf collects the paths of all members of a document: "steps[].needs".
func fieldsOf(into map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			at := strings.TrimPrefix(path+"."+name, ".")
			_, object := member.(map[string]any)
			into[at] = true
			switch {
			case !free[name] || !object:
				fieldsOf(into, at, member)
			case name == "outputs" || name == "output_changes":
				for _, one := range member.(map[string]any) {
					fieldsOf(into, at+".*", one)
				}
			}
		}
	case []any:
		for _, element := range v {
			fieldsOf(into, path+"[]", element)
		}
	}
}

// everyField is a plan in which each field of the document has a value.
func everyField() *plan.Plan {
	p := oneFileChanged()
	p.Config.Variables, p.Config.VarFiles, p.Config.Withheld = []string{"a=1"}, []string{"b.esdvars"}, []string{"c"}
	p.Selection = plan.Selection{Targets: []string{"a"}, Excludes: []string{"b"}, Replaces: []string{"c"}, NoRefresh: true, Only: "sources"}
	p.Summary = plan.Summary{Build: 1, Fetch: 1, Reused: 1, Push: 1, Create: 1, Update: 1, Destroy: 1, Adopt: 1, Forget: 1, Refresh: 1, Move: 1, Unchanged: 1}
	f := &p.Forecast
	f.Memory, f.CoreSeconds, f.CriticalSeconds, f.UnknownDownload, f.PeakMemory, f.PeakStep, f.UnknownMemory = 1, 1, 1, 1, 1, "x", 1
	s := &p.Steps[0]
	s.Resources.Memory, s.Resources.Timeout, s.PeakMemory, s.Size, s.Reason, s.Spec = 1, 1, 1, 1, "x", json.RawMessage(`{"a":1}`)
	p.Changes = append(p.Changes,
		plan.Change{Address: `module.m.environment.sim/nest@3.8/gdxtm43`, Kind: packageKind, Action: plan.Build, Asked: true, Drift: true, Title: "x", Reason: "x"},
		plan.Change{Address: "recipe.gone", Kind: "recipe", Action: plan.Forget, From: "recipe.before", Reason: "x"},
		plan.Change{Address: "target.image.there", Kind: "target.image", Action: plan.Adopt, Key: key("a")})
	return p
}

// TestNoFieldGoesAway compares what documents and streams hold with the list of
// fields that readers rely on. -update adds to the list and takes nothing away.
func TestNoFieldGoesAway(t *testing.T) {
	documents := map[string][]byte{"plan": written(t, func(b *bytes.Buffer) error { return PlanJSON(b, everyField()) })}
	e := anEnd(t, everyField(), 1)
	documents["summary"] = written(t, func(b *bytes.Buffer) error { return SummaryJSON(b, e) })
	documents["gitlab"] = written(t, func(b *bytes.Buffer) error { return GitLabReport(b, everyField()) })
	for name, file := range map[string]string{"state": "state_json", "diagnostics": "diagnostics_json"} {
		data, err := os.ReadFile(filepath.Join("testdata", file+".golden"))
		if err != nil {
			t.Fatal(err)
		}
		documents[name] = data
	}
	fields := map[string]bool{}
	add := func(name string, data []byte) {
		var v any
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(name, err)
		}
		found := map[string]bool{}
		fieldsOf(found, "", v)
		for field := range found {
			fields[name+" "+field] = true
		}
	}
	for name, data := range documents {
		add(name, data)
	}
	stream, err := os.ReadFile(filepath.Join("testdata", "stream.golden"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(stream) {
		var m struct{ Type string }
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		add("stream "+m.Type, line)
	}
	compareFields(t, fields)
	documented(t, fields)
}

func compareFields(t *testing.T, fields map[string]bool) {
	t.Helper()
	path := filepath.Join("testdata", "fields.txt")
	list, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	frozen := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		frozen[strings.TrimSpace(line)] = true
	}
	for field := range frozen {
		if !fields[field] {
			t.Errorf("%s has gone away: that needs a new major version of the format", field)
		}
	}
	for field := range fields {
		if !frozen[field] && !*update {
			t.Errorf("%s is new: run with -update, and describe it in formats.md", field)
		}
		frozen[field] = true
	}
	if *update {
		if err := os.WriteFile(path, []byte(strings.Join(slices.Sorted(maps.Keys(frozen)), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// documented checks that formats.md names each field.
func documented(t *testing.T, fields map[string]bool) {
	t.Helper()
	text, err := os.ReadFile("formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for field := range fields {
		name := strings.TrimRight(field[strings.LastIndexAny(field, ". ")+1:], "[]")
		if name != "" && !bytes.Contains(text, []byte("`"+name)) && !bytes.Contains(text, []byte("."+name+"`")) && !bytes.Contains(text, []byte(`"`+name+`"`)) {
			t.Errorf("formats.md does not say what %s is", field)
		}
	}
}
