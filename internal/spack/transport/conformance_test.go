package transport_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/transport"
	"esd/internal/spack/transport/s3test"
)

// places are stores that can be written, each time another.
func places() map[string]func(t *testing.T) (string, transport.Options) {
	return map[string]func(t *testing.T) (string, transport.Options){
		"a directory by its path": func(t *testing.T) (string, transport.Options) {
			return t.TempDir() + "/not/there/yet", transport.Options{}
		},
		"a directory by its URL": func(t *testing.T) (string, transport.Options) { return "file://" + t.TempDir(), transport.Options{} },
		"S3": func(t *testing.T) (string, transport.Options) {
			return "s3://bucket", transport.Options{S3: s3test.NewFake().Serve(t)}
		},
		"S3 below a prefix": func(t *testing.T) (string, transport.Options) {
			return "s3://bucket/some/prefix/", transport.Options{S3: s3test.NewFake().Serve(t)}
		},
		"versitygw": func(t *testing.T) (string, transport.Options) {
			return "s3://bucket/prefix", transport.Options{S3: s3test.Versity(t)}
		},
	}
}

func eachPlace(t *testing.T, test func(t *testing.T, s *transport.Store)) {
	for name, where := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, opts := where(t)
			s, err := transport.Open(location, opts)
			if err != nil {
				t.Fatal(err)
			}
			test(t, s)
		})
	}
}

func put(t *testing.T, s *transport.Store, name, text string) {
	t.Helper()
	if err := s.Put(t.Context(), name, transport.Bytes([]byte(text))); err != nil {
		t.Fatal(err)
	}
}

func TestObjectsComeBackAsTheyWerePut(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		for name, text := range map[string]string{
			"a": "text", "a-b_c+d.e/f g/h%2f?x=y#z": "odd name", "empty": "", "dir/large": strings.Repeat("0123456789", 300_000),
		} {
			put(t, s, name, "before")
			put(t, s, name, text)
			got, info, err := s.ReadAll(t.Context(), name, 10<<20, transport.GetOptions{})
			if err != nil || string(got) != text || info.Size != int64(len(text)) {
				t.Errorf("%s: %d bytes, size %d, %v", name, len(got), info.Size, err)
			}
			stat, err := s.Stat(t.Context(), name)
			if err != nil || stat.Size != int64(len(text)) || stat.ETag != info.ETag {
				t.Errorf("%s: stat %+v, %v", name, stat, err)
			}
		}
	})
}

func TestPartsOfObjects(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		put(t, s, "dir/object", "0123456789")
		for name, test := range map[string]struct {
			opts transport.GetOptions
			want string
			err  error
		}{
			"all of it":             {want: "0123456789"},
			"from the middle":       {opts: transport.GetOptions{Offset: 4}, want: "456789"},
			"the beginning":         {opts: transport.GetOptions{Length: 3}, want: "012"},
			"some of the middle":    {opts: transport.GetOptions{Offset: 3, Length: 2}, want: "34"},
			"more than there is":    {opts: transport.GetOptions{Offset: 8, Length: 100}, want: "89"},
			"from beyond the end":   {opts: transport.GetOptions{Offset: 11}, err: transport.ErrRange},
			"when another is known": {opts: transport.GetOptions{IfNoneMatch: `"other"`}, want: "0123456789"},
		} {
			got, info, err := s.ReadAll(t.Context(), "dir/object", 100, test.opts)
			if string(got) != test.want || !errors.Is(err, test.err) || err == nil && info.Size != 10 {
				t.Errorf("%s: %q of %d bytes, %v", name, got, info.Size, err)
			}
		}
		info, err := s.Stat(t.Context(), "dir/object")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "dir/object", transport.GetOptions{IfNoneMatch: info.ETag}); !errors.Is(err, transport.ErrNotModified) {
			t.Errorf("when it is the one that is known: %v", err)
		}
	})
}

func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		put(t, s, "dir/object", "text")
		for _, name := range []string{"absent", "dir/absent", "dir/object/below", "dir"} {
			if _, err := s.Get(t.Context(), name, transport.GetOptions{}); !errors.Is(err, transport.ErrNotFound) {
				t.Errorf("get %s: %v", name, err)
			}
			if _, err := s.Stat(t.Context(), name); !errors.Is(err, transport.ErrNotFound) {
				t.Errorf("stat %s: %v", name, err)
			}
		}
		for range 2 {
			if err := s.Delete(t.Context(), "dir/object"); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
		if _, err := s.Stat(t.Context(), "dir/object"); !errors.Is(err, transport.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
	})
}

func TestNamesThatLeadOutsideAreRefused(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		for _, name := range []string{"", "/", "../a", "a/../b", "/a", "a//b", "./a", "a\\b", "a\x00"} {
			for what, err := range map[string]error{
				"put":    s.Put(t.Context(), name, transport.Bytes(nil)),
				"delete": s.Delete(t.Context(), name),
				"list":   s.List(t.Context(), name, nil),
			} {
				if !errors.Is(err, transport.ErrInvalid) {
					t.Errorf("%s %q: %v", what, name, err)
				}
			}
			if _, err := s.Get(t.Context(), name, transport.GetOptions{}); !errors.Is(err, transport.ErrInvalid) {
				t.Errorf("get %q: %v", name, err)
			}
		}
	})
}

func TestListingGivesWhatIsBelowAPrefix(t *testing.T) {
	t.Parallel()
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		want := []string{"dir/a", "dir/b/c", "dir/b/d", "dir/e"}
		for _, name := range append([]string{"other/x", "direct"}, want...) {
			put(t, s, name, name)
		}
		var got []string
		if err := s.List(t.Context(), "dir/", func(name string, info transport.Info) error {
			if info.Size >= 0 && info.Size != int64(len(name)) {
				t.Errorf("%s: size %d", name, info.Size)
			}
			got = append(got, name)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := s.List(t.Context(), "nothing/", func(name string, _ transport.Info) error { return errors.New(name) }); err != nil {
			t.Errorf("what is not there: %v", err)
		}
		stop := errors.New("enough")
		if err := s.List(t.Context(), "dir/", func(string, transport.Info) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped: %v", err)
		}
	})
}

func TestASourceThatIsNotWhatItSaysIsNotStored(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	reader := func(r io.Reader, size int64) transport.Source {
		return transport.Source{Size: size, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
	}
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		for name, test := range map[string]struct {
			src  transport.Source
			want error // nil: any
			// sends: much is sent before it breaks.
			sends bool
		}{
			"it cannot be opened":       {transport.Source{Size: 4, Open: func() (io.ReadCloser, error) { return nil, broken }}, broken, false},
			"it breaks":                 {reader(io.MultiReader(strings.NewReader("ab"), brokenReader{broken}), 4), broken, false},
			"it breaks at the last":     {reader(io.MultiReader(strings.NewReader("abc"), brokenReader{broken}), 4), broken, false},
			"it is shorter":             {reader(strings.NewReader("ab"), 4), nil, false},
			"it has no size":            {reader(strings.NewReader("ab"), -1), transport.ErrInvalid, false},
			"it is longer":              {reader(strings.NewReader("abcdef"), 4), nil, false},
			"it is shorter by a lot":    {reader(strings.NewReader("ab"), 4<<20), nil, false},
			"there is nothing of it":    {reader(strings.NewReader(""), 4), nil, false},
			"it breaks after megabytes": {reader(io.MultiReader(strings.NewReader(strings.Repeat("x", 3<<20)), brokenReader{broken}), 4<<20), broken, true},
		} {
			if test.sends && strings.HasSuffix(t.Name(), "versitygw") {
				continue // version 1.8.0 takes what came before a connection broke for all of it, now and then
			}
			if err := s.Put(t.Context(), "new", test.src); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%s: %v", name, err)
			}
			if info, err := s.Stat(t.Context(), "new"); !errors.Is(err, transport.ErrNotFound) {
				t.Errorf("%s: there is something: %+v, %v", name, info, err)
			}
		}
	})
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

func TestReadersSeeTheOldObjectOrTheNewOne(t *testing.T) {
	t.Parallel()
	versions := []string{strings.Repeat("a", 100_000), strings.Repeat("b", 50_000)}
	eachPlace(t, func(t *testing.T, s *transport.Store) {
		put(t, s, "dir/object", versions[0])
		ctx, stop := context.WithCancel(t.Context())
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() {
				for ctx.Err() == nil {
					text, _, err := s.ReadAll(t.Context(), "dir/object", 1<<20, transport.GetOptions{})
					if err != nil || !slices.Contains(versions, string(text)) {
						t.Errorf("%d bytes, %v", len(text), err)
						return
					}
				}
			})
		}
		for i := range 30 {
			put(t, s, "dir/object", versions[i%2])
		}
		stop()
		readers.Wait()
	})
}

func TestOneObjectByItsURL(t *testing.T) {
	t.Parallel()
	for name, where := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, opts := where(t)
			if !strings.Contains(location, "://") {
				t.Skip("this place has no URL")
			}
			s, err := transport.Open(location, opts)
			if err != nil {
				t.Fatal(err)
			}
			put(t, s, "dir/object", "text")
			one, in, err := transport.OpenObject(s.Where("dir/object"), opts)
			if err != nil {
				t.Fatal(err)
			}
			text, _, err := one.ReadAll(t.Context(), in, 100, transport.GetOptions{})
			if err != nil || string(text) != "text" || one.Where(in) != s.Where("dir/object") {
				t.Errorf("%s: %q, %v", one.Where(in), text, err)
			}
		})
	}
}
