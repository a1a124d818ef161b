package compare_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/compare"
)

func TestPackagesAreToldInTheirOwnWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want []string }{
		"the same packages in another order are the same": {
			[]string{"zlib@1/a", "*app@1/b"}, []string{"*app@1/b", "zlib@1/a"}, nil,
		},
		"a version": {
			[]string{"neuron@8.2.4/a"}, []string{"neuron@8.2.6/b"}, []string{"~ neuron version(8.2.4>8.2.6)"},
		},
		"a switch": {
			[]string{"nest@3/a +mpi"}, []string{"nest@3/b ~mpi"}, []string{"~ nest variant mpi(+mpi>~mpi)"},
		},
		"a variant that comes and one that goes": {
			[]string{"nest@3/a api=default"}, []string{"nest@3/b model=all"},
			[]string{"~ nest variant api(api=default>) variant model(>model=all)"},
		},
		"compiler and target": {
			[]string{"nest@3/a %gcc@12 target=zen2"}, []string{"nest@3/b %gcc@13 target=zen3"},
			[]string{"~ nest compiler(gcc@12>gcc@13) target(zen2>zen3)"},
		},
		"another implementation of the same is one change": {
			[]string{"app@1/a ^openmpi/o=mpi", "openmpi@4/o"}, []string{"app@1/b ^mpich/m=mpi", "mpich@4/m"},
			[]string{"~ app dependency mpi(openmpi>mpich)", "+ mpich 4", "- openmpi 4"},
		},
		"dependencies that come and go": {
			[]string{"app@1/a ^x/x", "x@1/x"}, []string{"app@1/b ^y/y", "y@1/y"},
			[]string{"~ app dependency x(x>) dependency y(>y)", "+ y 1", "- x 1"},
		},
		"what comes from the system now": {
			[]string{"curl@8/a"}, []string{"curl@8/b external=/usr"}, []string{"~ curl external(>/usr)"},
		},
		"the recipe, unless there is another version anyway": {
			[]string{"a@1/a recipe=x", "b@1/b recipe=x"}, []string{"a@1/c recipe=y", "b@2/d recipe=y"},
			[]string{"~ a recipe(>)", "~ b version(1>2)"},
		},
		"what was asked for comes first": {
			[]string{"a@1/a", "*z@1/b"}, []string{"a@2/c", "*z@2/d"}, []string{"~ z version(1>2)", "~ a version(1>2)"},
		},
		"of which no more than the version is known": {
			[]string{"a@1/aaaaaaa nothing-known"}, []string{"a@1/bbbbbbb +pic"}, []string{"rebuilt by unknown: a"},
		},
		"compilers are not compared between ways of writing them": {
			[]string{"a@1/a %gcc@12 generation=4 ^gcc-runtime/r"}, []string{"a@2/b generation=5 ^gcc/g=c ^compiler-wrapper/w"},
			[]string{"~ a version(1>2)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diffOf(t, inventory(compare.SpackLock, "a", group("", test.from...)), inventory(compare.SpackLock, "b", group("", test.to...)))
			if diff := cmp.Diff(test.want, lines(got.Groups[0])); diff != "" {
				t.Error(diff)
			}
			if got.Empty() != (len(test.want) == 0) {
				t.Errorf("Empty is %t", got.Empty())
			}
		})
	}
}

func TestOfSeveralPackagesWithOneNameThoseThatHaveMostInCommonAreTheSame(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want []string }{
		"by variants": {
			[]string{"hdf5@1/a +mpi", "hdf5@1/b ~mpi"}, []string{"hdf5@2/c ~mpi", "hdf5@2/d +mpi"},
			[]string{"~ hdf5 version(1>2)", "~ hdf5 version(1>2)"},
		},
		"by version": {
			[]string{"py@2/a", "py@3/b"}, []string{"py@3/c +x"}, []string{"~ py variant x(>+x)", "- py 2"},
		},
		"what is asked for before what is only needed": {
			[]string{"*py@2/a", "py@3/b"}, []string{"*py@3/c"}, []string{"~ py version(2>3)", "- py 3"},
		},
		"one that stays is no partner": {
			[]string{"py@2/a", "py@3/b"}, []string{"py@3/b", "py@2.1/c"}, []string{"~ py version(2>2.1)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diffOf(t, inventory(compare.SpackLock, "a", group("", test.from...)), inventory(compare.SpackLock, "b", group("", test.to...)))
			if diff := cmp.Diff(test.want, lines(got.Groups[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOtherBuildsAreCountedUnderTheirCause(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want []string }{
		"through others": {
			[]string{"zlib@1.2/z", "curl@8/c ^zlib/z", "git@2/g ^curl/c"},
			[]string{"zlib@1.3/zz", "curl@8/cc ^zlib/zz", "git@2/gg ^curl/cc"},
			[]string{"~ zlib version(1.2>1.3)", "rebuilt by zlib: curl git"},
		},
		"of two causes the one that reaches more": {
			[]string{"zlib@1/z", "ssl@1/s", "a@1/a ^zlib/z", "b@1/b ^zlib/z ^ssl/s", "c@1/c ^zlib/z"},
			[]string{"zlib@2/zz", "ssl@2/ss", "a@1/aa ^zlib/zz", "b@1/bb ^zlib/zz ^ssl/ss", "c@1/cc ^zlib/zz"},
			[]string{"~ ssl version(1>2)", "~ zlib version(1>2)", "rebuilt by zlib: a b c"},
		},
		"each cause has its own": {
			[]string{"x@1/x", "y@1/y", "a@1/a ^x/x", "b@1/b ^y/y", "c@1/c ^y/y"},
			[]string{"x@2/xx", "y@2/yy", "a@1/aa ^x/xx", "b@1/bb ^y/yy", "c@1/cc ^y/yy"},
			[]string{"~ x version(1>2)", "~ y version(1>2)", "rebuilt by y: b c", "rebuilt by x: a"},
		},
		"where nothing below is known to have changed, there is none": {
			[]string{"a@1/a"}, []string{"a@1/aa"}, []string{"rebuilt by unknown: a"},
		},
		"a change in a package that changed itself reaches further": {
			[]string{"z@1/z", "m@1/m ^z/z", "a@1/a ^m/m", "b@1/b ^z/z"},
			[]string{"z@2/zz", "m@2/mm ^z/zz", "a@1/aa ^m/mm", "b@1/bb ^z/zz"},
			[]string{"~ m version(1>2)", "~ z version(1>2)", "rebuilt by z: a b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diffOf(t, inventory(compare.SpackLock, "a", group("", test.from...)), inventory(compare.SpackLock, "b", group("", test.to...)))
			if diff := cmp.Diff(test.want, lines(got.Groups[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatManyPackagesShareIsToldOnce(t *testing.T) {
	t.Parallel()
	var from, to []string
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		from, to = append(from, n+"@1/"+n+" target=zen2"), append(to, n+"@1/"+n+n+" target=zen3")
	}
	to[0] = "a@2/aa target=zen3"
	got := diffOf(t, inventory(compare.SpackLock, "a", group("", from...)), inventory(compare.SpackLock, "b", group("", to...)))
	want := []string{"~ a version(1>2)", "common target(zen2>zen3): a b c d e, 4 alone"}
	if diff := cmp.Diff(want, lines(got.Groups[0])); diff != "" {
		t.Error(diff)
	}
	if got.Summary.Changed != 5 {
		t.Errorf("%d changed", got.Summary.Changed)
	}
}

func TestGroupsAreFoundByTheirAddresses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to *compare.Inventory
		want     []string // addresses on both sides
	}{
		"the same address": {
			inventory(compare.Lock, "a", group("environment.a", "x@1/x"), group("environment.b")),
			inventory(compare.Lock, "b", group("environment.b"), group("environment.a")),
			[]string{"environment.a environment.a true true", "environment.b environment.b true true"},
		},
		"one that comes and one that goes": {
			inventory(compare.Lock, "a", group("environment.a")), inventory(compare.Lock, "b", group("environment.b")),
			[]string{"environment.a  true false", " environment.b false true"},
		},
		"locks of Spack, whatever they are called": {
			inventory(compare.SpackLock, "a", group("environment.a")), inventory(compare.SpackLock, "b", group("environment.b")),
			[]string{"environment.a environment.b true true"},
		},
		"of two, the one of this name": {
			inventory(compare.Lock, "a", group("environment.a"), group("environment.b")), inventory(compare.SpackLock, "b", group("environment.b")),
			[]string{"environment.a  true false", "environment.b environment.b true true"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, g := range diffOf(t, test.from, test.to).Groups {
				got = append(got, g.From+" "+g.To+map[bool]string{true: " true", false: " false"}[g.HasFrom]+map[bool]string{true: " true", false: " false"}[g.HasTo])
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFactsAreComparedByContentWhereItIsKnown(t *testing.T) {
	t.Parallel()
	base := func(value, id string) *compare.Inventory {
		return inventory(compare.Image, "x", &compare.Group{Kind: compare.Target, Facts: []compare.Fact{{Kind: "base", Value: value, ID: id}}})
	}
	for name, test := range map[string]struct {
		from, to *compare.Inventory
		want     []string
	}{
		"the same content under two names": {base("debian 12.5", "sha256:aabbccdd"), base("", "sha256:aabbccdd"), nil},
		"as much of a digest as is known":  {base("", "sha256:aabbccddeeff"), base("", "sha256:aabbccddeeff00112233"), nil},
		"other content of one name":        {base("debian", "sha256:aa"), base("debian", "sha256:bb"), []string{"fact base : debian sha256:aa > debian sha256:bb"}},
		"by value where there is no more":  {base("scratch", ""), base("debian", "sha256:aabbccdd"), []string{"fact base : scratch > debian sha256:aabbccdd"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, lines(diffOf(t, test.from, test.to).Groups[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func diffOf(t *testing.T, from, to *compare.Inventory) *compare.Difference {
	t.Helper()
	d, err := compare.Diff(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
