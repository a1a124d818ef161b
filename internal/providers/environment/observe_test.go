package environment_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
)

func (s *stack) spec(name string) *spack.Spec {
	s.Helper()
	for _, p := range s.packages() {
		if p.Name == name {
			return p
		}
	}
	s.Fatalf("there is no %s", name)
	return nil
}

func ops(steps []providers.Step) []string {
	var list []string
	for _, s := range steps {
		list = append(list, s.Op)
	}
	return list
}

func TestWhatCachesHaveDecidesWhatIsDone(t *testing.T) {
	t.Parallel()
	const with = `cache "buildcache" "c" { url = "cache" }
cache "buildcache" "other" { url = "other" }
cache "sources" "m" { url = "mirror" }
environment "sim" {
  specs  = ["hdf5~mpi", "zlib-ng"]
  `
	for name, c := range map[string]struct {
		hcl    string
		cached bool
		want   []string
	}{
		"nothing has it": {with + "caches = [cache.buildcache.c]\n}", false, []string{"build"}},
		"nothing has it, and there are mirrors of sources": {with + "caches = [cache.buildcache.c, cache.sources.m]\n}", false, []string{"sources", "build"}},
		"all have it":             {with + "caches = [cache.buildcache.c]\n}", true, nil},
		"one of two has it":       {with + "caches = [cache.buildcache.c, cache.buildcache.other]\n}", true, []string{"push"}},
		"a quarantine has it not": {with + "caches = [cache.buildcache.c]\n  quarantine = cache.buildcache.other\n}", true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "v023-small", c.hcl)
			if c.cached {
				s.fill(s.spec("zlib-ng"))
			}
			obs, steps := s.observe("zlib-ng")
			if _, ready := obs.Forms[providers.Archive]; ready {
				steps = nil // the planner does not ask
			}
			if got := ops(steps); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v; seen %+v", got, c.want, obs)
			}
		})
	}
}

func TestWhereNoCacheTakesPackagesALocalOneDoes(t *testing.T) {
	t.Parallel()
	s := newStack(t, "v12-small", sim)
	s.fill(s.spec("zlib-ng"))
	s.write("main.hcl", strings.Replace(sim, `url = "cache"`, "url = \"cache\"\n  push = false\n", 1))
	for _, o := range s.open(t).Objects {
		if e, ok := environment.Of(o); ok {
			if len(e.Caches) != 2 || e.Caches[1].URL != "file://"+filepath.Join(s.work, "buildcache") {
				t.Errorf("the caches are %+v", e.Caches)
			}
		}
	}
	if obs, _ := s.observe("zlib-ng"); obs.Forms[providers.Archive] == "" {
		t.Errorf("what the cache has is to be copied: %+v", obs)
	}
	if _, steps := s.observe("hdf5"); !slices.Equal(ops(steps), []string{"build"}) || !strings.Contains(string(steps[0].Spec), `"write":[{"name":"default"`) {
		t.Errorf("%+v", steps)
	}
}

func TestAnArchiveThatWasOfNoUseIsNotCountedOnUntilItIsMended(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"gone":      os.Remove,
		"cut short": func(path string) error { return os.Truncate(path, 100) },
		"changed": func(path string) error {
			data, err := os.ReadFile(path)
			if err == nil {
				data[len(data)-9] ^= 1
				err = os.WriteFile(path, data, 0o644)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "v12-small", sim)
			s.fill(s.spec("zlib-ng"))
			archive := s.archive("zlib-ng")
			content, err := os.ReadFile(archive)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(archive); err != nil {
				t.Fatal(err)
			}
			if err := s.use("zlib-ng"); err == nil {
				t.Fatal("the archive is read without an error")
			}
			obs, steps := s.observe("zlib-ng")
			if obs.Forms[providers.Archive] != "" || !slices.Equal(ops(steps), []string{"build"}) || !strings.Contains(obs.Problem, "when it was needed last") {
				t.Errorf("after it was of no use: %+v, %v", obs, ops(steps))
			}
			if !strings.Contains(string(steps[0].Spec), `"replaced":["file://`) {
				t.Error("the entry would stay as it is")
			}
			if err := os.WriteFile(archive, content, 0o644); err != nil {
				t.Fatal(err)
			}
			if obs, _ := s.observe("zlib-ng"); obs.Forms[providers.Archive] == "" {
				t.Errorf("after it was mended: %+v", obs)
			}
		})
	}
}

// archive is the file of the one archive in the cache.
func (s *stack) archive(name string) string {
	s.Helper()
	blobs, _ := filepath.Glob(filepath.Join(s.dir, "cache", "blobs", "sha256", "*", "*"))
	manifests, _ := filepath.Glob(filepath.Join(s.dir, "cache", "v3", "manifests", "spec", name, "*"))
	text, err := os.ReadFile(manifests[0])
	if err != nil {
		s.Fatal(err)
	}
	for _, b := range blobs {
		first, _, _ := strings.Cut(string(text), "vnd.spack.spec") // the archive stands before it
		if strings.Contains(first, filepath.Base(b)) {
			return b
		}
	}
	s.Fatal("there is no archive")
	return ""
}

// use reads the archive of a package as targets do.
func (s *stack) use(name string) error {
	s.Helper()
	c := s.open(s)
	for _, o := range c.Objects {
		e, ok := environment.Of(o)
		if !ok {
			continue
		}
		archives := c.Kind(environment.PackageKind).(*environment.Packages).Archives()
		found, err := archives.Find(s.Context(), e, s.lock, []*spack.Spec{s.spec(name)})
		if err != nil {
			s.Fatal(err)
		}
		r, err := found[s.spec(name).Hash].Open(s.Context())
		if err != nil {
			return err
		}
		defer r.Close()
		buffer := make([]byte, 1<<16)
		for err == nil {
			_, err = r.Read(buffer)
		}
		if err.Error() == "EOF" {
			return nil
		}
		return err
	}
	return nil
}
