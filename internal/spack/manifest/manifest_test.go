package manifest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/manifest"
)

func parse(t *testing.T, src string) *manifest.Manifest {
	t.Helper()
	m, err := manifest.Parse([]byte(src), "spack.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func texts(t *testing.T, m *manifest.Manifest) []string {
	t.Helper()
	list, err := m.SpecList()
	if err != nil {
		t.Fatal(err)
	}
	specs := []string{}
	for _, s := range list.Specs {
		specs = append(specs, s.Text)
	}
	return specs
}

func TestSpecsAreExpandedAsSpackDoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		src  string
		want []string
	}{
		"a plain list":  {"specs: [zlib, 'hdf5@1.14: +mpi']", []string{"zlib", "hdf5@1.14: +mpi"}},
		"nothing":       {"view: false", []string{}},
		"empty entries": {"specs: [zlib, null, ~]", []string{"zlib"}},
		"a definition": {`
  definitions:
  - tools: [cmake, ninja]
  specs: [$tools, zlib]`, []string{"cmake", "ninja", "zlib"}},
		"parts of a definition add up": {`
  definitions:
  - tools: [cmake]
  - libs: [zlib]
  - tools: [ninja]
  specs: [$tools, $libs]`, []string{"cmake", "ninja", "zlib"}},
		"a definition of definitions": {`
  definitions:
  - tools: [cmake]
  - all: [$tools, zlib]
  specs: [$all]`, []string{"cmake", "zlib"}},
		"a matrix": {"specs: [{matrix: [[zlib, hdf5], ['%gcc@12', '%clang']]}]",
			[]string{"zlib %gcc@12", "zlib %clang", "hdf5 %gcc@12", "hdf5 %clang"}},
		"a matrix of references with sigils": {`
  definitions:
  - compilers: [gcc@12, gcc@13]
  - mpis: [openmpi, mpich@4]
  - packages: [hdf5+mpi]
  specs:
  - matrix: [[$packages], [$^mpis], [$%compilers]]`, []string{
			"hdf5+mpi %gcc@12 ^openmpi", "hdf5+mpi %gcc@13 ^openmpi", "hdf5+mpi %gcc@12 ^mpich@4", "hdf5+mpi %gcc@13 ^mpich@4"}},
		"what follows a dependency is still the root's": {"specs: [{matrix: [['hdf5 ^zlib@1.2'], ['+mpi', '~mpi'], ['target=zen3']]}]",
			[]string{"hdf5+mpi target=zen3 ^zlib@1.2", "hdf5~mpi target=zen3 ^zlib@1.2"}},
		"constraints first, names after": {"specs: [{matrix: [['^openmpi'], [hdf5, netcdf-c]]}]",
			[]string{"hdf5 ^openmpi", "netcdf-c ^openmpi"}},
		"excluded combinations": {`
  specs:
  - matrix: [[hdf5@1.12.1, hdf5@1.14.3, zlib], ['%gcc@11.2', '%gcc@12.3', '%clang']]
    exclude: ['hdf5@:1.13 %gcc@12', 'zlib%clang', '%gcc@:11 ^foo']`, []string{
			"hdf5@1.12.1 %gcc@11.2", "hdf5@1.12.1 %clang", "hdf5@1.14.3 %gcc@11.2", "hdf5@1.14.3 %gcc@12.3", "hdf5@1.14.3 %clang",
			"zlib %gcc@11.2", "zlib %gcc@12.3"}},
		"a matrix in a definition, with a sigil": {`
  definitions:
  - mpi: [{matrix: [[openmpi, mpich], [+cuda, ~cuda]]}]
  specs:
  - matrix: [[hdf5], [$^mpi]]`, []string{
			"hdf5 ^openmpi+cuda", "hdf5 ^openmpi~cuda", "hdf5 ^mpich+cuda", "hdf5 ^mpich~cuda"}},
		"values of a variant are collected": {"specs: [{matrix: [[gcc languages=c], [languages=fortran], ['cflags=\"-O2 -g\"']]}]",
			[]string{"gcc languages=c,fortran cflags='-O2 -g'"}},
		"virtuals and edge properties": {"specs: [{matrix: [[hdf5], ['%c,cxx=gcc@14'], ['^[virtuals=mpi] openmpi+x']]}]",
			[]string{"hdf5 %c,cxx=gcc@14 ^[virtuals=mpi] openmpi+x"}},
		"as Spack narrows versions": {"specs: [{matrix: [[hdf5@1.12], [hdf5@1.12.1, '@1.12:1.13'], ['^zlib+a'], ['^zlib@1.2']]}]",
			[]string{"hdf5@1.12.1 ^zlib@1.2+a", "hdf5@1.12 ^zlib@1.2+a"}},
		"as Spack orders versions": {`
  specs:
  - matrix: [[hdf5@1.12, hdf5@1.12.1, hdf5@=1.12, hdf5@develop, hdf5@1.13rc1, hdf5@1.13]]
    exclude: ['@:1.12.0', '@1.13:1.14']`, []string{"hdf5@1.12", "hdf5@1.12.1", "hdf5@develop", "hdf5@1.13rc1"}},
		"compilers of dependencies stay with them": {"specs: [{matrix: [[hdf5], ['^openmpi %gcc'], ['%clang', '+x']]}]",
			[]string{"hdf5 %clang ^openmpi %gcc", "hdf5+x ^openmpi %gcc"}},
		"empty constraints": {`
  specs:
  - matrix: [[hdf5~mpi, hdf5+mpi, hdf5 api=v18, hdf5 api=default], ["", target=x86_64]]
    exclude: ['~mpi', 'api=v18', 'hdf5+mpi target=x86_64']`, []string{"hdf5+mpi", "hdf5 api=default", "hdf5 api=default target=x86_64"}},
		"a spec group": {`
  specs:
  - group: compilers
    specs: [gcc@14]
    override: {concretizer: {unify: false}}
  - group: apps
    needs: [compilers]
    specs: [hdf5 %gcc@14]
  - zlib`, []string{"gcc@14", "hdf5 %gcc@14", "zlib"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, texts(t, parse(t, "spack:\n  "+strings.TrimSpace(test.src)+"\n"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecordedManifestsAreWrittenToTheSameEnvironment(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/manifests/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := parse(t, string(src))
			out, err := manifest.Write(texts(t, m), m.Config())
			if err != nil {
				t.Fatal(err)
			}
			again := parse(t, string(out))
			if diff := cmp.Diff(m.Config(), again.Config()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(texts(t, m), texts(t, again)); diff != "" {
				t.Error(diff)
			}
			twice, err := manifest.Write(texts(t, again), again.Config())
			if err != nil || string(twice) != string(out) {
				t.Errorf("written again it differs: %v\n%s", err, twice)
			}
		})
	}
}
