package spack_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

// TestSpecsAreFormattedAsBySpack compares with what Spack 1.2 and 0.23 made of
// templates and projections, for each package of small locks; Spack 1.2 also
// of the lock of 0.23.
func TestSpecsAreFormattedAsBySpack(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/formats.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded []struct {
		Lock, By             string
		Formats, Projections map[string][]string
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, r := range recorded {
		lock := specsOf(t, r.Lock)
		hashes := slices.Sorted(slices.Values(lock.Order))
		each := func(t *testing.T, want []string, format func(*spack.Spec) (string, error)) {
			t.Helper()
			var got []string
			for _, h := range hashes {
				text, err := format(lock.Specs[h])
				if err != nil {
					text = "error"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-Spack +ours:\n%s", diff)
			}
		}
		for source, want := range r.Formats {
			t.Run(r.By+" "+r.Lock+" "+source, func(t *testing.T) {
				t.Parallel()
				template, err := spack.ParseTemplate(source)
				if err != nil {
					t.Fatal(err)
				}
				if r.By == "0.23" {
					template = template.In(spack.Syntax023)
				}
				each(t, want, func(s *spack.Spec) (string, error) { return template.Format(s, lock.Specs) })
			})
		}
		for source, want := range r.Projections {
			t.Run(r.By+" "+r.Lock+" projection "+source, func(t *testing.T) {
				t.Parallel()
				each(t, want, func(s *spack.Spec) (string, error) { return spack.Projection(source).Path(s, lock.Specs) })
			})
		}
	}
}

func TestFlagsAndOddValuesAreQuoted(t *testing.T) {
	t.Parallel()
	s := hdf5()
	s.Parameters = append(s.Parameters,
		spack.Parameter{Name: "empty", List: true},
		spack.Parameter{Name: "list", List: true, Values: []string{"c", "c++"}},
		spack.Parameter{Name: "quoted", Values: []string{`it's "so"`}},
		spack.Parameter{Name: "cflags", List: true, Values: []string{"-O2", "-g"}})
	for syntax, want := range map[spack.Syntax]string{
		spack.Syntax1:   `hdf5@1.14.6-rc1 cflags='-O2 -g' ~mpi api=default empty:='*' list:='c,c++' quoted="it's \"so\""`,
		spack.Syntax023: `hdf5@1.14.6-rc1 cflags='-O2 -g' ~mpi api=default empty='' list='c,c++' quoted="it's \"so\""`,
	} {
		template, err := spack.ParseTemplate("{name}{@version}{compiler_flags}{variants}")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.In(syntax).Format(s, nil); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, t := range []string{"{name}-{version.up_to_2}", "{@version}{%compiler}{ x=arch}", "{^zlib.hash:7}\\{", "{variants.mpi}", "/a/../{name}"} {
		f.Add(t)
	}
	lock := specsOf(f, "v12-small")
	f.Fuzz(func(t *testing.T, source string) {
		for _, s := range lock.Specs {
			if template, err := spack.ParseTemplate(source); err == nil {
				_, _ = template.Format(s, lock.Specs)
			}
			path, err := spack.Projection(source).Path(s, lock.Specs)
			if err == nil && (path == "" || path[0] == '/' || slices.Contains([]string{".", ".."}, path)) {
				t.Errorf("%q leads to %q", source, path)
			}
		}
	})
}
