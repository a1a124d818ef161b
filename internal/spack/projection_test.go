package spack_test

import (
	"testing"

	"esd/internal/spack"
)

const hdf5Hash = "5he7a765o7auue4266g64dnpk263snaf"

func hdf5() *spack.Spec {
	return &spack.Spec{
		Name: "hdf5", Version: "1.14.6-rc1", Namespace: "builtin", Hash: hdf5Hash, SpecfileVersion: 4,
		Arch:       spack.Arch{Platform: "linux", OS: "debian12", Target: "x86_64_v3"},
		Compiler:   &spack.Compiler{Name: "gcc", Version: "12.2.0"},
		Parameters: []spack.Parameter{{Name: "api", Values: []string{"default"}}, {Name: "mpi", Values: []string{"false"}, Bool: true}},
	}
}

func TestAProjectionIsAPathBelowTheRoot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		projection spack.Projection
		want       string
	}{
		"the default of Spack 1":            {spack.DefaultProjection, "linux-x86_64_v3/hdf5-1.14.6-rc1-" + hdf5Hash},
		"the default of Spack 0.23":         {spack.DefaultProjection023, "linux-debian12-x86_64_v3/gcc-12.2.0/hdf5-1.14.6-rc1-" + hdf5Hash},
		"short hashes":                      {"{name}-{hash:7}", "hdf5-5he7a76"},
		"parts of versions":                 {"{name}/{version.up_to_2}/{version.joined}", "hdf5/1.14/1146rc1"},
		"variants":                          {"{name}{variants.mpi}-{variants.api.value}", "hdf5_mpi-default"},
		"upper case is not kept":            {"HPC/{NAME}", "hpc/hdf5"},
		"what is no good in names of files": {"{name}@{version}", "hdf5_1.14.6-rc1"},
		"empty components go":               {"a//./{name}/", "a/hdf5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.projection.Path(hdf5(), nil)
			if err != nil || got != c.want {
				t.Errorf("%s gives %q, %v; want %q", c.projection, got, err, c.want)
			}
		})
	}
}

func TestAProjectionThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for name, projection := range map[string]spack.Projection{
		"unknown field":             "{name}-{colour}",
		"unknown attribute":         "{architecture.colour}",
		"attribute of an attribute": "{version.up_to_1.up_to_1}",
		"absolute":                  "/{name}",
		"out of the root":           "../{name}",
		"brace not closed":          "{name",
		"brace not opened":          "name}",
		"nothing":                   "",
		"only slashes":              "//",
		"variable":                  "$user/{name}",
		"unknown variant":           "{variants.colour}",
		"wrong sigil":               "{@name}",
		"long hash":                 "{hash:33}",
		"nothing for this package":  "{name}/{compiler_flags}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := projection.Path(hdf5(), nil); err == nil {
				t.Errorf("%q gives %q", projection, got)
			}
		})
	}
}
