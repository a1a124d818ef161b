package oci

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTagsAreListedByPrefixAndPageByPage(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, nil)
	s := mustOpen(t, host+"/esd/states", Options{})
	for _, tag := range []string{"b.2", "a.1", "a.3", "a.2", "c"} {
		pushImage(t, s, tag, tag)
	}
	got, err := ListTags(t.Context(), s, "a.", 10)
	if diff := cmp.Diff([]string{"a.1", "a.2", "a.3"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := ListTags(t.Context(), s, "", 4); !errors.Is(err, ErrInvalidContent) {
		t.Errorf("more than the limit: %v", err)
	}
	if got, err := ListTags(t.Context(), mustOpen(t, host+"/esd/none", Options{}), "", 4); got != nil || err != nil {
		t.Errorf("a repository that is not there: %v, %v", got, err)
	}
	layout, _ := newLayout(t)
	pushImage(t, layout, "a", "a.1")
	if got, err := ListTags(t.Context(), layout, "a.", 4); err != nil || len(got) != 1 {
		t.Errorf("a layout: %v, %v", got, err)
	}
}

func TestPagesOfTagsAreFollowedButNeverElsewhere(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, inject(method("GET", "/tags/list"), func(w http.ResponseWriter, r *http.Request, _ int) bool {
		last := r.URL.Query().Get("last")
		if len(last) < 3 {
			w.Header().Set("Link", fmt.Sprintf(`<http://elsewhere.example.org/v2/x/tags/list?last=%sx&n=1>; rel="next"`, last))
		}
		fmt.Fprintf(w, `{"name":"esd/lab","tags":["t%s"]}`, last)
		return true
	}))
	got, err := ListTags(t.Context(), mustOpen(t, host+"/esd/lab", Options{}), "t", 10)
	if diff := cmp.Diff([]string{"t", "tx", "txx", "txxx"}, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestWhatIsNoListOfTagsIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"a page for people": "<html>log in</html>", "an empty object": "{}", "a word": "OK", "nothing": "", "a list": "[]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newRegistry(t, inject(method("GET", ""), func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				_, _ = io.WriteString(w, body)
				return true
			}))
			_, err := ListTags(t.Context(), mustOpen(t, host+"/esd/lab", Options{}), "", 10)
			if !errors.Is(err, ErrInvalidContent) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPagesOfTagsHaveAnEnd(t *testing.T) {
	t.Parallel()
	n := 0
	host := newRegistry(t, inject(method("GET", "/tags/list"), func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		n++
		w.Header().Set("Link", fmt.Sprintf(`</v2/esd/lab/tags/list?last=%d>; rel="next"`, n))
		_, _ = io.WriteString(w, `{"name":"esd/lab","tags":["x"]}`)
		return true
	}))
	if _, err := ListTags(t.Context(), mustOpen(t, host+"/esd/lab", Options{}), "", 10_000); !errors.Is(err, ErrInvalidContent) || n > maxTagPages {
		t.Errorf("after %d pages: %v", n, err)
	}
}

func FuzzNextPage(f *testing.F) {
	f.Add(`</v2/x/tags/list?n=1&last=b>; rel="next"`)
	f.Add(`<a>; rel=prev, <b?c>; rel=next`)
	f.Fuzz(func(t *testing.T, link string) {
		if next := nextPage([]string{link}); next != "" && next[0] != '?' {
			t.Errorf("%q", next)
		}
	})
}

func TestAManifestIsDeletedWithItsTagsAndInOneRequest(t *testing.T) {
	t.Parallel()
	var meter Meter
	s := mustOpen(t, newRegistry(t, nil)+"/esd/lab", Options{Meter: &meter})
	desc := pushImage(t, s, "a", "v1")
	meter.Reset()
	if err := DeleteManifest(t.Context(), s, desc); err != nil || meter.Snapshot().Total() != 1 {
		t.Errorf("%v after %d requests", err, meter.Snapshot().Total())
	}
	if err := DeleteManifest(t.Context(), s, desc); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	if got, err := ListTags(t.Context(), s, "", 4); len(got) > 0 || err != nil {
		t.Errorf("left: %v, %v", got, err)
	}
	s = mustOpen(t, newRegistry(t, inject(method("DELETE", ""), failing(1, 405)))+"/esd/lab", Options{})
	if err := DeleteManifest(t.Context(), s, desc); !errors.Is(err, ErrUnsupported) {
		t.Errorf("where that is not possible: %v", err)
	}
}
