package lockfile_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/lockfile"
)

// told puts a difference into lines.
func told(d lockfile.Difference) []string {
	var lines []string
	for _, s := range d.RootsAdded {
		lines = append(lines, "root + "+s)
	}
	for _, s := range d.RootsRemoved {
		lines = append(lines, "root - "+s)
	}
	for _, s := range d.Added {
		lines = append(lines, "+ "+s.Name+" "+s.Version)
	}
	for _, s := range d.Removed {
		lines = append(lines, "- "+s.Name+" "+s.Version)
	}
	for _, c := range d.Changed {
		lines = append(lines, "~ "+c.String())
	}
	return lines
}

func TestDifferencesAreToldInWordsOfPackages(t *testing.T) {
	t.Parallel()
	base := func() *kit {
		return newKit().add("zlib", "1.3", `"shared":true`).add("hdf5", "1.14", `"mpi":true,"api":"default"`, "zlib").root("hdf5")
	}
	for name, c := range map[string]struct {
		from, to *kit
		want     []string
	}{
		"nothing": {base(), base(), nil},
		"another order": {
			newKit().add("a", "1", "").add("b", "1", "").root("a").root("b"),
			newKit().add("b", "1", "").add("a", "1", "").root("b").root("a"), nil,
		},
		"a new version": {
			newKit().add("neuron", "8.2.4", "").root("neuron"), newKit().add("neuron", "8.2.6", "").root("neuron"),
			[]string{"~ neuron 8.2.4 → 8.2.6"},
		},
		"a variant": {
			newKit().add("nest", "3.0", `"mpi":true`).root("nest"), newKit().add("nest", "3.0", `"mpi":false`).root("nest"),
			[]string{"~ nest +mpi → ~mpi"},
		},
		"variants that come and go": {
			newKit().add("nest", "3.0", `"gsl":true,"cflags":[]`).root("nest"),
			newKit().add("nest", "3.1", `"libs":["a","b"],"cflags":["-O2","-g"]`).root("nest"),
			[]string{"~ nest 3.0 → 3.1, +gsl gone, cflags='' → cflags='-O2 -g', libs:=a,b new"},
		},
		"what only follows": {
			base(), newKit().add("zlib", "1.3.1", `"shared":true`).add("hdf5", "1.14", `"mpi":true,"api":"default"`, "zlib").root("hdf5"),
			[]string{"~ hdf5 (hash only: dependency zlib changed)", "~ zlib 1.3 → 1.3.1"},
		},
		"another root and its package": {
			base(), base().add("nest", "3.0", "", "hdf5").root("nest"), []string{"root + nest", "+ nest 3.0"},
		},
		"a package less": {
			base().add("nest", "3.0", "", "hdf5").root("nest"), base(), []string{"root - nest", "- nest 3.0"},
		},
		"a recipe": {
			newKit().addMore("x", "1", "", `,"package_hash":"a===="`).root("x"), newKit().addMore("x", "1", "", `,"package_hash":"b===="`).root("x"),
			[]string{"~ x recipe changed"},
		},
		"external no more": {
			newKit().addMore("x", "1", "", `,"external":{"path":"/usr","module":null,"extra_attributes":{}}`).root("x"), newKit().add("x", "1", "").root("x"),
			[]string{"~ x external at /usr → built"},
		},
		"a dependency more, one less and one used otherwise": {
			newKit().add("a", "1", "").add("b", "1", "").add("c", "1", "").add("x", "1", "", "a", "b").root("x").root("c"),
			newKit().add("a", "1", "").add("b", "1", "").add("c", "1", "").add("x", "1", "", "b:run", "c").root("x").root("a").root("c"),
			[]string{"root + a", "~ x needs a no more, needs b for build,link → run, needs c now"},
		},
		"two of one name": {
			newKit().add("cmake", "3.20", "").root("cmake").add("cmake", "3.30", `"doc":true`).root("cmake"),
			newKit().add("cmake", "3.30", `"doc":false`).root("cmake").add("cmake", "3.21", "").root("cmake"),
			[]string{"~ cmake 3.20 → 3.21", "~ cmake +doc → ~doc"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lockfile.Diff(c.from.lock(t), c.to.lock(t))
			if diff := cmp.Diff(c.want, told(d)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if d.Empty() != (len(c.want) == 0) {
				t.Errorf("Empty is %v", d.Empty())
			}
		})
	}
}

func TestManyPackagesOfOneNameAreComparedInReasonableTime(t *testing.T) {
	t.Parallel()
	many := func(variant string) *lockfile.Lock {
		k := newKit()
		for i := range 300 {
			k.add("x", fmt.Sprint(i), variant)
		}
		return k.root("x").lock(t)
	}
	if d := lockfile.Diff(many(`"a":true`), many(`"a":false`)); len(d.Changed) != 300 || d.Changed[7].String() != "x +a → ~a" {
		t.Errorf("%d changes", len(d.Changed))
	}
}

func TestLocksOfTwoGenerationsCanBeCompared(t *testing.T) {
	t.Parallel()
	from, err := lockfile.Parse(read(t, "v023-small"))
	if err != nil {
		t.Fatal(err)
	}
	to, err := lockfile.Parse(read(t, "v12-small"))
	if err != nil {
		t.Fatal(err)
	}
	lines := told(lockfile.Diff(from, to))
	if len(lines) != 21 || lines[0] != "+ compiler-wrapper 1.0" {
		t.Errorf("%d lines:\n%q", len(lines), lines)
	}
}
