package inventory

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/compare"
	configlock "esd/internal/config/lockfile"
	"esd/internal/plan"
	"esd/internal/providers/environment"
	"esd/internal/spack/lockfile"
	"esd/internal/state"
)

func readLock(t testing.TB, name string) (*lockfile.Lock, []byte) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "spack", "testdata", "locks", name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return lock, data
}

func find(g *compare.Group, name string) *compare.Package {
	for _, p := range g.Packages {
		if p.Name == name {
			return p
		}
	}
	return &compare.Package{Detail: &compare.Detail{}}
}

func TestALockOfEitherGenerationSaysWhatRunsAndWithWhichCompiler(t *testing.T) {
	t.Parallel()
	for generation, packages := range map[string]int{"v023-small": 19, "v12-small": 21} {
		lock, _ := readLock(t, generation)
		g := Environment("environment.sim", lock)
		hdf5, cmake := find(g, "hdf5"), find(g, "cmake")
		if len(g.Packages) != packages || !hdf5.Asked || !hdf5.Runs || cmake.Runs || cmake.Asked || hdf5.Detail.Compiler != "gcc@12.2.0" {
			t.Errorf("%s: %d packages, hdf5 %+v, cmake %+v", generation, len(g.Packages), hdf5, cmake)
		}
		if diff := cmp.Diff([]string{"hdf5~mpi", "zlib-ng"}, g.Specs); diff != "" {
			t.Error(diff)
		}
	}
}

func TestALockFileBringsTheLocksOfItsEnvironmentsAlong(t *testing.T) {
	t.Parallel()
	_, data := readLock(t, "v12-small")
	lock := configlock.New()
	lock.SetEnvironment("environment.sim", configlock.Environment{Specs: []string{"hdf5~mpi"}, SHA256: digest(data)})
	lock.SetEnvironment(`environment.var["a/b"]`, configlock.Environment{SHA256: digest(data)})
	lock.SetEnvironment("environment.other", configlock.Environment{SHA256: strings.Repeat("a", 64)})
	lock.SetEnvironment("module.m.environment.far", configlock.Environment{SHA256: digest(data)})
	lock.SetImage(configlock.Image{Reference: "debian:12", Platform: "linux/amd64"}, "sha256:"+digest(data))
	files := map[string][]byte{"locks/sim.spack.lock": data, "locks/var-a-b.spack.lock": data, "locks/other.spack.lock": data}
	inv, err := Lock("esd.lock.hcl", lock, func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range inv.Groups {
		got = append(got, strings.TrimSpace(g.Address+map[bool]string{true: " unknown"}[g.Unknown]))
	}
	want := []string{"", "environment.other", "environment.sim", `environment.var["a/b"]`, "module.m.environment.far unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	notes := strings.Join(inv.Notes, "\n")
	for _, note := range []string{"locks/other.spack.lock is not the file that was locked", "module.m.environment.far are not compared: it stands in a module"} {
		if !strings.Contains(notes, note) {
			t.Errorf("%q is missing in %q", note, notes)
		}
	}
	files["locks/sim.spack.lock"] = []byte("{")
	if _, err := Lock("x", lock, func(name string) ([]byte, error) { return files[name], nil }); err == nil {
		t.Error("a damaged lock is accepted")
	}
}

func TestTheNameOfASpackLockSaysWhichEnvironmentItIs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"locks/sim.spack.lock": "environment.sim", "HEAD~1:locks/sim.spack.lock": "environment.sim", "spack.lock": "", "-": "", "a b.spack.lock": "",
	} {
		if got := AddressOfSpackLock(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSpackLocksAreLookedForWhereEnvironmentsHaveThem(t *testing.T) {
	t.Parallel()
	for _, written := range []string{"environment.sim", `environment.sim["zen3"]`, `module.m.environment.sim["x86_64_v3/12.4 a\\b"]`} {
		a, err := addr.Parse(written)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := filepath.Join("locks", SpackLockName(a)), environment.LockPath("", a); got != want {
			t.Errorf("%s: %s, want %s", written, got, want)
		}
	}
}

// recordedState is a state as an image of an environment and a recipe leaves it.
func recordedState() *state.State {
	st := state.New("0", "1")
	key := strings.Repeat("ab", 32)
	st.Put(&state.Object{Address: "recipe.lib", Kind: "recipe", Key: key, Attributes: state.Attributes{"version": "1.0"},
		Inputs: map[string]string{"version": "=1.0", "script": "1111", "env SECRET": "2222"}})
	st.Put(&state.Object{Address: "recipe.app", Kind: "recipe", Key: key, Attributes: state.Attributes{"version": "2.0"},
		Inputs: map[string]string{"recipe.lib": key[:16]}, Dependencies: []string{"recipe.lib"}})
	st.Put(&state.Object{
		Address: "target.image.lab", Kind: "target.image", Key: key,
		Attributes:   state.Attributes{"published": []any{"oci:dist/lab:1", 7}, "digest": "sha256:abc"},
		Inputs:       map[string]string{"base image": "=sha256:aabbccddeeff", "package zlib": "=1.2/4tuln3e", "recipe.app": "x", "label a": "3333", "user": "=root"},
		Dependencies: []string{"environment.sim", "environment.sim/zlib@1.2/4tuln3e", "recipe.app"},
	})
	return st
}

func TestAStateSaysWhatItsTargetsAreMadeOf(t *testing.T) {
	t.Parallel()
	inv := State("state", recordedState())
	var got []string
	for _, g := range inv.Groups {
		line := string(g.Kind) + " " + g.Address + ":"
		for _, p := range g.Packages {
			line += " " + p.Name + "@" + p.Version
			for _, e := range p.Needs {
				line += "^" + e.Name
			}
		}
		for _, f := range g.Facts {
			line += " (" + f.Kind + " " + f.Name + "=" + f.Value + f.ID + ")"
		}
		line += " " + strings.Repeat("*", len(g.Contains))
		got = append(got, line)
	}
	want := []string{
		"environment environment.sim: zlib@1.2 ",
		"recipes : recipe.app@2.0^recipe.lib recipe.lib@1.0 ",
		"target target.image.lab: (base =sha256:aabbccddeeff) (label a =3333) (user =root) (published oci:dist/lab:1=) **",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestALockTellsMoreOfRecordedPackages(t *testing.T) {
	t.Parallel()
	lock, _ := readLock(t, "v12-small")
	full := Environment("environment.sim", lock)
	hdf5 := find(full, "hdf5")
	g := &compare.Group{Packages: []*compare.Package{
		{Name: "hdf5", Version: hdf5.Version, ID: hdf5.ID[:7]}, {Name: "zlib-ng", Version: "0", ID: "aaaaaaa"},
	}}
	Enrich(g, full)
	if find(g, "hdf5").Detail == nil || find(g, "hdf5").ID != hdf5.ID || find(g, "zlib-ng").Detail != nil {
		t.Errorf("%+v %+v", g.Packages[0], g.Packages[1])
	}
}

func TestAPlanSaysWhatItDoesToPackagesAndWhichLocksItWorksFrom(t *testing.T) {
	t.Parallel()
	p := &plan.Plan{
		Mode: plan.Apply, Summary: plan.Summary{Build: 1},
		Changes: []plan.Change{
			{Address: "environment.sim/zlib@1.2/4tuln3e", Kind: "package", Action: plan.Build, Record: &plan.Record{}},
			{Address: "target.image.lab", Kind: "target.image", Action: plan.Create, Record: &plan.Record{Dependencies: []string{"environment.sim/zlib@1.2/4tuln3e"}}},
			{Address: "not an address", Action: plan.Create},
		},
		Steps: []plan.Step{
			{Address: "environment.sim/zlib@1.2/4tuln3e", Spec: json.RawMessage(`{"lock":{"path":"/x/sim.spack.lock","sha256":"aa"}}`)},
			{Address: "target.image.lab", Spec: json.RawMessage(`{"image":{"environments":[{"address":"environment.viz","lock":"/x/viz.spack.lock","lock_sha256":"bb"}]}}`)},
			{Address: "target.image.lab", Spec: json.RawMessage(`[]`)},
		},
	}
	inv, refs := Plan("p", p)
	want := []LockRef{{"environment.sim", "/x/sim.spack.lock", "aa"}, {"environment.viz", "/x/viz.spack.lock", "bb"}}
	if diff := cmp.Diff(want, refs); diff != "" {
		t.Error(diff)
	}
	if len(inv.Groups) != 3 || inv.Groups[1].Packages[0].Action != "build" || !inv.Groups[1].Packages[0].Runs || !inv.Partial {
		t.Errorf("%+v", inv.Groups)
	}
}

func TestADatabaseOfSpackSaysWhatIsInstalled(t *testing.T) {
	t.Parallel()
	lock, _ := readLock(t, "v12-small")
	g := &compare.Group{}
	if err := readDatabase(database(lock), g); err != nil {
		t.Fatal(err)
	}
	if hdf5 := find(g, "hdf5"); !hdf5.Asked || hdf5.Detail.Compiler != "gcc@12.2.0" || find(g, "cmake").Name != "" {
		t.Errorf("%+v", hdf5)
	}
	damaged := strings.Replace(string(database(lock)), `"name":"hdf5","version"`, `"name":"hdf5","no-version"`, 1)
	if err := readDatabase([]byte(damaged), g); err == nil {
		t.Error("a damaged database is accepted")
	}
}

// database is what a database would say of a lock of which cmake is not
// installed.
func database(lock *lockfile.Lock) []byte {
	var records []string
	for h, s := range lock.Specs {
		record, err := json.Marshal(map[string]any{"spec": s.Raw, "installed": s.Name != "cmake", "explicit": s.Name == "hdf5"})
		if err != nil {
			return nil
		}
		records = append(records, `"`+string(h)+`":`+string(record))
	}
	return []byte(`{"database":{"version":"8","installs":{` + strings.Join(records, ",") + `}}}`)
}

func TestTheReleaseOfADistributionIsNamed(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]system{
		"debian 12.5":  {osRelease: "ID=debian\nVERSION_ID=\"12\"\n", debianVersion: "12.5\n"},
		"debian 13.1":  {osRelease: "ID=debian\nDEBIAN_VERSION_FULL=13.1\nVERSION_ID=\"13\"\n"},
		"ubuntu 24.04": {osRelease: "ID=ubuntu\nVERSION_ID=\"24.04\"\n", debianVersion: "trixie/sid\n"},
		"alpine 3.20":  {osRelease: "NAME='Alpine Linux'\nID=alpine\nVERSION_ID=3.20\n"},
		"arch":         {osRelease: "ID=arch\n"},
		"":             {},
	} {
		if got := s.release(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTheHistoryOfDebiansImagesNamesTheRelease(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`# debian.sh --arch 'amd64' out/ 'bookworm' '@1728345600'`: "debian bookworm of 2024-10-08",
		`/bin/sh -c #(nop) ADD file:1 in / `:                       "",
		`# debian.sh --arch 'amd64'`:                               "",
		`# debian.sh --arch 'amd64' out/ 'sid' 'x'`:                "debian sid",
	} {
		if got := debianOfHistory(line); got != want {
			t.Errorf("%s: %q", line, got)
		}
	}
}

func TestHashesInPrefixesAreNoDifference(t *testing.T) {
	t.Parallel()
	i := &Image{packages: []*compare.Package{
		{Name: "hdf5", Version: "1.14.6", ID: "5he7a765o7auue4266g64dnpk263snaf"}, {Name: "recipe.spike", Version: "1.0", ID: "c239ce9"},
	}}
	i.index()
	for text, want := range map[string]string{
		"/opt/hdf5-1.14.6-5he7a765o7auue4266g64dnpk263snaf/bin/h5dump": "/opt/hdf5/bin/h5dump",
		"/opt/esd/spike-1.0-c239ce9/bin/spike --x":                     "/opt/esd/spike/bin/spike --x",
		"/opt/other-1.0-c239ce9/bin":                                   "/opt/other-1.0-c239ce9/bin",
		"spike-1.0-c239ce9":                                            "spike-1.0-c239ce9",
		"/spike-/spike-/spike-1-c239ce9 --c239ce9":                     "/spike-/spike-/spike --c239ce9",
		"/opt/a:/opt/esd/spike-1.0-c239ce9:/bin":                       "/opt/a:/opt/esd/spike:/bin",
	} {
		if got := i.withoutHashes(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func FuzzReadStanzas(f *testing.F) {
	f.Add("Package: libc6\nVersion: 2.36\nArchitecture: amd64\nDescription: x\n more\n\nPackage: dash\nVersion: 1\n")
	f.Add("P:musl\nV:1.2\nA:x86_64\n\n")
	f.Add(strings.Repeat("Package: a\nVersion: 1\n\n", 9))
	f.Fuzz(func(t *testing.T, text string) {
		for _, fields := range []stanzaFields{dpkgFields, apkFields} {
			list, _ := readStanzas(strings.NewReader(text), fields, 3)
			if len(list) > 3 {
				t.Errorf("%d packages", len(list))
			}
			for _, p := range list {
				if p.Name == "" || p.Version == "" || strings.Contains(p.Name, "\n") {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}

func FuzzReadDatabase(f *testing.F) {
	lock, _ := readLock(f, "v12-small")
	f.Add(database(lock))
	f.Add([]byte(`{"database":{"version":"7","installs":{"x":{"spec":{}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &compare.Group{}
		if err := readDatabase(data, g); err != nil && errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

func FuzzWithoutHashes(f *testing.F) {
	f.Add("/opt/esd/spike-1.0-c239ce9/bin/spike", "spike", "c239ce9")
	f.Add("/a-/a-b", "a", "b")
	f.Fuzz(func(t *testing.T, text, name, id string) {
		i := &Image{packages: []*compare.Package{{Name: name, Version: "1.0", ID: id}}}
		i.index()
		if got := i.withoutHashes(text); len(got) > len(text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}
