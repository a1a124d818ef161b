package oci

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eachStore runs a test against a layout and against a registry: what holds for one
// kind of store holds for the other.
func eachStore(t *testing.T, test func(t *testing.T, s Store)) {
	t.Run("layout", func(t *testing.T) {
		t.Parallel()
		test(t, mustOpen(t, "oci:"+filepath.Join(t.TempDir(), "layout"), Options{}))
	})
	t.Run("registry", func(t *testing.T) {
		t.Parallel()
		test(t, mustOpen(t, newRegistry(t, nil)+"/esd/lab", Options{}))
	})
}

func TestStoreGivesBackWhatWasPushed(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		desc := pushBlob(t, s, "hello")
		if got := string(mustRead(t, s, desc)); got != "hello" {
			t.Errorf("got %q", got)
		}
		if found, err := s.Exists(t.Context(), desc); err != nil || !found {
			t.Errorf("Exists: %v, %v", found, err)
		}
	})
}

func TestStoreOpensContentOnlyWhenItIsMissing(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		desc := pushBlob(t, s, "hello")
		err := s.Push(t.Context(), desc, func() (io.ReadCloser, error) {
			t.Error("content was opened although it exists")
			return nil, io.EOF
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestStoreRefusesContentThatIsNotWhatItsDescriptorSays(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{"other bytes": "jello", "shorter": "hell", "longer": "jello there"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, s Store) {
				desc := Describe(testBlobType, []byte("hello"))
				err := s.Push(t.Context(), desc, openerOf(content))
				var mismatch *DigestMismatchError
				if !errors.As(err, &mismatch) {
					t.Fatalf("want a DigestMismatchError, got %v", err)
				}
				if found, err := s.Exists(t.Context(), desc); err != nil || found {
					t.Errorf("afterwards Exists says %v, %v", found, err)
				}
			})
		})
	}
}

func TestStoreReportsTheErrorOfReadingWhatIsPushed(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk is broken")
	eachStore(t, func(t *testing.T, s Store) {
		desc := Describe(testBlobType, []byte("hello"))
		opened := 0
		err := s.Push(t.Context(), desc, func() (io.ReadCloser, error) {
			opened++
			return nil, broken
		})
		if !errors.Is(err, broken) || opened != 1 {
			t.Errorf("opened %d times, got %v", opened, err)
		}
		err = s.Push(t.Context(), desc, func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(errReader{broken})), nil
		})
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStoreKnowsTagsAndDigests(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		one := pushImage(t, s, "one", "v1")
		two := pushImage(t, s, "two", "v2")
		if err := s.Tag(t.Context(), two, "latest"); err != nil {
			t.Fatal(err)
		}
		for reference, want := range map[string]string{
			"v1": one.Digest.String(), "v2": two.Digest.String(), "latest": two.Digest.String(), one.Digest.String(): one.Digest.String(),
		} {
			got, err := s.Resolve(t.Context(), reference)
			if err != nil || got.Digest.String() != want {
				t.Errorf("%s resolves to %s, %v", reference, got.Digest, err)
			}
			if got.MediaType != one.MediaType {
				t.Errorf("%s has media type %s", reference, got.MediaType)
			}
		}
		tags, err := s.Tags(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"latest", "v1", "v2"}, tags); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStoreMovesATag(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		pushImage(t, s, "one", "v1")
		two := pushImage(t, s, "two", "v1")
		got, err := s.Resolve(t.Context(), "v1")
		if err != nil || got.Digest != two.Digest {
			t.Errorf("v1 is %s, %v", got.Digest, err)
		}
	})
}

func TestStoreSaysNotFound(t *testing.T) {
	t.Parallel()
	missing := Describe(testBlobType, []byte("missing"))
	asks := map[string]func(context.Context, Store) error{
		"Resolve tag": func(ctx context.Context, s Store) error { _, err := s.Resolve(ctx, "none"); return err },
		"Resolve digest": func(ctx context.Context, s Store) error {
			_, err := s.Resolve(ctx, missing.Digest.String())
			return err
		},
		"Fetch":         func(ctx context.Context, s Store) error { _, err := s.Fetch(ctx, missing); return err },
		"Delete":        func(ctx context.Context, s Store) error { return s.Delete(ctx, missing) },
		"Untag":         func(ctx context.Context, s Store) error { return s.Untag(ctx, "none") },
		"FetchManifest": func(ctx context.Context, s Store) error { _, _, err := FetchManifest(ctx, s, "none"); return err },
	}
	eachStore(t, func(t *testing.T, s Store) {
		for _, state := range []string{"empty", "with an image"} {
			for name, ask := range asks {
				if err := ask(t.Context(), s); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s, %s: got %v", name, state, err)
				}
			}
			if tags, err := s.Tags(t.Context()); state == "empty" && (err != nil || len(tags) != 0) {
				t.Errorf("Tags: %v, %v", tags, err)
			}
			pushImage(t, s, "one", "v1")
		}
	})
}

func TestStoreRemovesTagsAndContent(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		pushImage(t, s, "one", "v1")
		two := pushImage(t, s, "two", "v2")
		if err := s.Untag(t.Context(), "v1"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Resolve(t.Context(), "v1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("v1 after Untag: %v", err)
		}
		if err := s.Delete(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Resolve(t.Context(), "v2"); !errors.Is(err, ErrNotFound) {
			t.Errorf("v2 after Delete: %v", err)
		}
	})
}

// errReader fails at once.
type errReader struct{ err error }

// Read implements io.Reader.
func (r errReader) Read([]byte) (int, error) { return 0, r.err }
