package environment

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/spack"
)

func TestWhatIsCertainlyNoSpecIsRefused(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"zlib@@1":           "a version is missing behind @",
		"zlib@":             "a version is missing behind @",
		"zlib@1 @2":         "second version",
		"foo bar":           "foo and bar are two packages",
		"hdf5+mpi zlib":     "hdf5 and zlib are two packages",
		"+mpi hdf5":         "the name comes first",
		"%%":                "names no package",
		"hdf5 %%":           "nothing follows %%",
		"hdf5 ^":            "nothing follows ^",
		"hdf5 ^ ^zlib":      "nothing follows ^",
		"^zlib":             "names no package",
		"@1.2":              "names no package",
		"+mpi":              "names no package",
		"hdf5 +":            "variant is missing behind +",
		"hdf5 cflags='-O3":  "quote",
		`hdf5 cflags="-O3`:  "quote",
		"hdf5 api=":         "the value of api is missing",
		"hdf5 ^[virtuals=c": "bracket",
		"hdf5!":             "is not understood",
		"größe":             "is not understood",
		"$specs":            "is not understood",
		"hdf5 ^zlib zstd":   "zlib and zstd are two packages",
	} {
		err := checkSpecs(cty.ListVal([]cty.Value{cty.StringVal("zlib-ng"), cty.StringVal(spec)}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
}

func TestWhatSpackTakesForASpecIsAccepted(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{
		"hdf5", "hdf5@1.12:1.14 +mpi ~cxx", "builtin.hdf5@=1.14.6", "hdf5 ^[virtuals=mpi] openmpi@5", "hdf5 ^mpi=openmpi",
		"hdf5 %[virtuals=c,cxx when='+mpi'] gcc@12", "hdf5 %[when=%c] gcc", "hdf5 %c,cxx=gcc@12 %fortran=llvm", "hdf5 ++mpi ~~cxx cflags==-O3",
		"hdf5 %%gcc", "hdf5 cflags=='-O3 -g' ldflags=\"-L/x y\"", `hdf5 cflags='it\'s'`, "hdf5@git.feature/x=1.14", "hdf5@git.main", "hdf5@1.10, 1.14",
		"hdf5@ 1.10", "hdf5 libs:=shared,static", "hdf5 patches=*", "zlib/abcdefg", "/abcdefg", "hdf5 target=x86_64_v2:", "hdf5 arch=linux-debian12-zen3",
		"hdf5^mpich%gcc", "hdf5 ^ mpich", "hdf5 -mpi", "hdf5 %gcc target=zen3", "./hdf5.spec.json", "^zlib/abc"[1:], "hdf5 ^/abcdef", "hdf5 ^*", "7zip", "_a",
	} {
		if err := checkSpec(spec); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// Queries are compared with Spack elsewhere, so that they are known to be specs.
func TestQueriesThatNameAPackageAreSpecs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../spack/testdata/matches.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]map[string]string
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, queries := range recorded {
		for query := range queries {
			wantSpec(t, query)
		}
	}
}

// wantSpec checks that what can be looked for can be asked for.
func wantSpec(t *testing.T, query string) {
	t.Helper()
	m, err := spack.Match(query)
	if err != nil || m.Name() == "" {
		return
	}
	if err := checkSpec(query); err != nil {
		t.Errorf("%s: %v", query, err)
	}
}

func FuzzWhatCanBeLookedForCanBeAskedFor(f *testing.F) {
	for _, seed := range []string{"hdf5@1.12:1.14+mpi", "a%c,cxx=gcc ^b@1", "a x='y z'", "a@@", "a /b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if !strings.ContainsAny(query, "\n\r\x00|") {
			wantSpec(t, query)
		}
	})
}

func TestSectionsThatSpackDoesNotHaveAreRefused(t *testing.T) {
	t.Parallel()
	object := func(names ...string) cty.Value {
		members := map[string]cty.Value{}
		for _, name := range names {
			members[name] = cty.EmptyObjectVal
		}
		return cty.ObjectVal(members)
	}
	for name, test := range map[string]struct {
		config cty.Value
		want   string
	}{
		"what Spack has":         {object("packages", "concretizer", "toolchains"), ""},
		"what takes precedence":  {object("packages:", "config::", "repos+", "mirrors-"), ""},
		"nothing":                {cty.EmptyObjectVal, ""},
		"a mistake":              {object("package"), `there is no section "package" in the configuration of Spack; did you mean "packages"?`},
		"a mistake with a colon": {object("Packages:"), `there is no section "Packages:" in the configuration of Spack; did you mean "packages"?`},
		"something else":         {object("kubernetes"), `there is no section "kubernetes" in the configuration of Spack; it has bootstrap, cdash`},
		"no object":              {cty.StringVal("packages"), "an object with a member for each section"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkConfig(test.config)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
