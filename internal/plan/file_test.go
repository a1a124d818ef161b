package plan_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
)

// saved is a plan that has something of everything, and its file.
func saved(t testing.TB) (*plan.Plan, string) {
	t.Helper()
	c := stack("1.1")
	w, s := deployed(stack("1.0"))
	p := mustPlan(t, request(c, w, s, func(r *plan.Request) {
		r.Outputs = []plan.OutputValue{{Name: "a", Value: json.RawMessage(`12345678901234567890`)}}
	}))
	path := filepath.Join(t.TempDir(), "x.plan")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	return p, path
}

func TestASavedPlanComesBackAsItWas(t *testing.T) {
	p, path := saved(t)
	got, err := plan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(toJSON(t, p), toJSON(t, got)); diff != "" {
		t.Error(diff)
	}
	if !plan.IsFile(path) {
		t.Error("it is not recognised")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others can read it: %v %v", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("something was left behind: %v", entries)
	}
}

func TestNumbersOfASavedPlanKeepAllDigits(t *testing.T) {
	p, path := saved(t)
	p.Changes[0].Record.Attributes = map[string]any{"size": int64(9007199254740993)}
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := plan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Changes[0].Record.Attributes["size"]; toJSON(t, n) != "9007199254740993" {
		t.Error(n)
	}
}

// seal makes a plan file whose checksum is right, whatever is in it.
func seal(body []byte) []byte {
	body = append(slices.Clip(body), '\n')
	sum := sha256.Sum256(body)
	return fmt.Appendf(nil, "{\"format\":\"esd-plan\",\"format_version\":2,\"esd_version\":\"1.0.0\",\"sha256\":\"%x\",\"plan\":\n%s}\n", sum, body)
}

func TestPlansThatCannotBeAppliedAreRefused(t *testing.T) {
	p, path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// changed gives the plan with something changed, under a right checksum.
	changed := func(f func(*plan.Plan)) []byte {
		var q plan.Plan
		if err := json.Unmarshal([]byte(toJSON(t, p)), &q); err != nil {
			t.Fatal(err)
		}
		f(&q)
		return seal([]byte(toJSON(t, q)))
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                          {nil, "it is not a saved plan, or was cut off"},
		"cut in the middle":              {whole[:len(whole)/2], "it was cut off"},
		"edited":                         {bytes.Replace(whole, []byte(`"op":"build"`), []byte(`"op":"burnt"`), 1), "it was changed after it was saved"},
		"of a newer version":             {bytes.Replace(whole, []byte(`"format_version":2,"esd_version":"1.0.0"`), []byte(`"format_version":9,"esd_version":"7.1"`), 1), `it was saved by esd "7.1", whose format this version does not know`},
		"of an older version":            {bytes.Replace(whole, []byte(`"format_version":2,`), []byte(`"format_version":1,`), 1), "whose format is no longer known"},
		"not a plan but other JSON":      {[]byte(`{"format":"esd-state","format_version":1}`), "it is not a saved plan"},
		"not JSON":                       {[]byte("recipe \"a\" {}\n"), "it is not a saved plan, or was cut off"},
		"with a field nobody knows":      {seal([]byte(`{"format_version":2,"esd_version":"1.0.0","mode":"apply","color":"red"}`)), "it is damaged"},
		"with something behind the plan": {seal([]byte(toJSON(t, p) + "}")), "something follows the plan"},
		"with a list that stands twice":  {seal([]byte(`{"changes":[],"changes":[]}`)), "stands in it twice"},
		"with a list that is none":       {seal([]byte(`{"changes":{}}`)), "a list is expected"},
		"without a mode":                 {seal([]byte(`{"format_version":2,"esd_version":"1.0.0"}`)), `it is damaged: "" is no mode`},
		"with the plan being null":       {seal([]byte(`null`)), "it is damaged"},
		"with a step listed twice":       {changed(func(p *plan.Plan) { p.Steps = append(p.Steps, p.Steps[0]) }), "is listed twice"},
		"with a step that needs itself":  {changed(func(p *plan.Plan) { p.Steps[0].Needs = []string{p.Steps[0].ID} }), "it is damaged"},
		"with steps in a circle": {changed(func(p *plan.Plan) {
			p.Steps[0].Needs = []string{p.Steps[len(p.Steps)-1].ID}
		}), "it is damaged"},
		"with a need that is not there":       {changed(func(p *plan.Plan) { p.Steps[0].Needs = []string{"recipe.x#build"} }), "which is not there"},
		"with a step that belongs to nothing": {changed(func(p *plan.Plan) { p.Steps[0].Address, p.Steps[0].ID = "recipe.x", "recipe.x#"+p.Steps[0].Op }), "belongs to no change"},
		"with a step of another kind":         {changed(func(p *plan.Plan) { p.Steps[0].Kind = "executor" }), "is not one of"},
		"with a step named otherwise":         {changed(func(p *plan.Plan) { p.Steps[0].Op = "burn" }), "is not one of"},
		"with a step that frees memory":       {changed(func(p *plan.Plan) { p.Steps[0].Resources.Memory = -1 }), "less than nothing"},
		"with two changes of one object":      {changed(func(p *plan.Plan) { p.Changes = append(p.Changes, p.Changes[0]) }), "changes twice"},
		"with an address that cannot be":      {changed(func(p *plan.Plan) { p.Changes[0].Address = "../../etc" }), "it is damaged"},
		"with a moved object that cannot be":  {changed(func(p *plan.Plan) { p.Changes[0].From = "../../etc" }), "it is damaged"},
		"with an object that has no record":   {changed(func(p *plan.Plan) { p.Changes[0].Record = nil }), "has no record"},
		"with an object whose key is no key":  {changed(func(p *plan.Plan) { p.Changes[0].Key = "k" }), "is no content key"},
		"with an action that nobody knows":    {changed(func(p *plan.Plan) { p.Changes[0].Action = "explode" }), "is no action"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.plan")
			if err := os.WriteFile(path, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := plan.Load(path)
			var problem *plan.FileError
			if !errors.As(err, &problem) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "esd plan --out") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
	t.Run("a file that is not there", func(t *testing.T) {
		_, err := plan.Load(filepath.Join(t.TempDir(), "none"))
		var problem *plan.FileError
		if !errors.As(err, &problem) {
			t.Error(err)
		}
	})
}

func TestAPlanThatWasCutAnywhereIsRefused(t *testing.T) {
	_, path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, problem := plan.Parse(whole[:n]); problem == "" {
			t.Fatalf("%d of %d bytes are accepted", n, len(whole))
		}
	}
	for _, more := range []string{"\n", " ", "}", "{}", string(whole)} {
		if _, problem := plan.Parse(append(slices.Clone(whole), more...)); problem == "" {
			t.Errorf("%q behind it is accepted", more)
		}
	}
}

func TestAPlanOfWhichOneBitWasChangedIsRefused(t *testing.T) {
	_, path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n')
	for i := range whole {
		for bit := range 8 {
			if i > first && bit != i%8 {
				continue // the checksum does not care which
			}
			whole[i] ^= 1 << bit
			if _, problem := plan.Parse(whole); problem == "" {
				t.Fatalf("bit %d of byte %d (%q) is not missed", bit, i, whole[max(i-20, 0):i+1])
			}
			whole[i] ^= 1 << bit
		}
	}
}

func TestAPlanThatCannotBeReadIsNotCalledDamaged(t *testing.T) {
	_, path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is broken")
	_, problem, err := plan.Read(io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || problem != "" {
		t.Errorf("%q, %v", problem, err)
	}
}

func TestASavedPlanIsOneJSONDocument(t *testing.T) {
	p, path := saved(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Plan json.RawMessage }
	if err := json.Unmarshal(whole, &document); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(document.Plan)); got != toJSON(t, p) {
		t.Error(got)
	}
}

func TestWhatLooksLikeASavedPlan(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"main.hcl": "recipe \"a\" {}", "empty": "", "state": `{"format_version":1}`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if plan.IsFile(path) {
			t.Errorf("%s does not", name)
		}
	}
	if plan.IsFile(dir) || plan.IsFile(filepath.Join(dir, "none")) {
		t.Error("neither a directory nor nothing does")
	}
}

func TestSavingToWhereNothingCanBeWrittenLeavesNothing(t *testing.T) {
	p, path := saved(t)
	if err := p.Save(filepath.Join(path, "below-a-file")); err == nil || !strings.Contains(err.Error(), "saving the plan") {
		t.Error(err)
	}
	before, _ := os.ReadFile(path)
	if err := p.Save(path); err != nil {
		t.Error(err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the same plan gives another file")
	}
}

func FuzzParse(f *testing.F) {
	p, path := saved(f)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(toJSON(f, p)))
	m, w := upgrade()
	now := m.request(f, w, plan.Apply)
	now.Config.Digest = "another"
	f.Add(seal([]byte(`{"mode":"apply","changes":[{"address":"recipe.a"}],"steps":[{"id":"a","address":"recipe.a","needs":["a"]}]}`)))
	f.Add([]byte(`{"format":"esd-plan","format_version":2,"plan":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		// What stands in the file may be anything under a right checksum.
		for _, in := range [][]byte{data, seal(data)} {
			p, problem, err := plan.Read(bytes.NewReader(in))
			if err != nil {
				t.Fatal(err)
			}
			if problem != "" {
				continue
			}
			if _, err := p.Graph(); err != nil {
				t.Errorf("a plan that was accepted has no graph: %v", err)
			}
			verified, err := p.Verify(now) // must not panic, whatever it says
			if err == nil && verified.Plan == nil {
				t.Error("a plan that may be done is none")
			}
		}
	})
}

func TestAPlanWithAnEndlessPartDoesNotFillTheMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	head := fmt.Sprintf("{\"format\":\"esd-plan\",\"format_version\":2,\"esd_version\":\"1.0.0\",\"sha256\":\"%064d\",\"plan\":\n", 0)
	endless := io.LimitReader(repeated('x'), 200<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, problem, err := plan.Read(io.MultiReader(strings.NewReader(head+`{"mode":"`), endless, strings.NewReader("\"}\n}\n")))
	runtime.ReadMemStats(&after)
	if err != nil || !strings.Contains(problem, "checksum does not fit") {
		t.Error(problem, err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 400<<20 {
		t.Errorf("%d bytes of memory were asked for", taken)
	}
}

func TestAPlanOfManyChangesThatSayNothingDoesNotFillTheMemory(t *testing.T) {
	data := seal([]byte(`{"format_version":2,"changes":[{}` + strings.Repeat(",{}", 1<<20) + `]}`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, problem := plan.Parse(data)
	runtime.ReadMemStats(&after)
	if !strings.Contains(problem, "it is damaged") {
		t.Error(problem)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 16<<20 {
		t.Errorf("%d bytes of memory were asked for", taken)
	}
}

// repeated is one byte for ever.
type repeated byte

func (r repeated) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

func TestASavedPlanFindsItsConfigurationWhereItIsTakenTogetherWithIt(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	t.Chdir(here)
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Mode: plan.Apply, Changes: []plan.Change{}, Config: plan.ConfigID{
		Path: "stacks/lab.hcl", Dir: filepath.Join(here, "stacks"), Digest: "d", VarFiles: []string{"vars/a.esdvars", "/etc/b.esdvars"},
	}}
	at := func(dir string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"a":%q,"b":["oci:%[2]s/dist:1","file://%[2]s/cache","%[2]s2/x","see %[2]s/x","sh \"%[2]s/x\"","%[2]s/x;\n true","${configuration}/x"]}`, dir, dir))
	}
	p.Changes = []plan.Change{{Address: "recipe.a", Kind: "recipe", Action: plan.Build, Key: strings.Repeat("0a", 32), Record: &plan.Record{}}}
	p.Steps = []plan.Step{{ID: "recipe.a#build", Address: "recipe.a", Kind: "recipe", Op: "build", Key: strings.Repeat("0a", 32), Spec: at(p.Config.Dir)}}
	if err := os.Mkdir("out", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.Save("out/plan.esd"); err != nil {
		t.Fatal(err)
	}
	if p.Config.Path != "stacks/lab.hcl" {
		t.Errorf("saving has changed the plan: %q", p.Config.Path)
	}
	if err := os.CopyFS(there, os.DirFS(here)); err != nil {
		t.Fatal(err)
	}
	for dir, test := range map[string]struct{ file, path, vars string }{
		here:                        {"out/plan.esd", "stacks/lab.hcl", "vars/a.esdvars"},
		there:                       {"out/plan.esd", "stacks/lab.hcl", "vars/a.esdvars"},
		filepath.Join(there, "out"): {"plan.esd", "../stacks/lab.hcl", "../vars/a.esdvars"},
		string(filepath.Separator):  {filepath.Join(there, "out/plan.esd"), filepath.Join(there, "stacks/lab.hcl"), filepath.Join(there, "vars/a.esdvars")},
	} {
		t.Chdir(dir)
		got, err := plan.Load(test.file)
		if err != nil {
			t.Fatal(err)
		}
		if got.Config.Path != test.path || got.Config.VarFiles[0] != test.vars || got.Config.VarFiles[1] != "/etc/b.esdvars" {
			t.Errorf("in %s: %+v", dir, got.Config)
		}
		want := at(filepath.Join(filepath.Dir(filepath.Dir(mustAbs(t, test.file))), "stacks"))
		want = []byte(strings.NewReplacer(there+"/stacks2", here+"/stacks2", "see "+there, "see "+here,
			`\"`+there, `\"`+here, there+"/stacks/x;", here+"/stacks/x;").Replace(string(want)))
		if diff := cmp.Diff(string(want), string(got.Steps[0].Spec)); diff != "" {
			t.Errorf("in %s: the spec of a step (-want +got):\n%s", dir, diff)
		}
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
