package oci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func newLayout(t *testing.T) (Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	return mustOpen(t, "oci:"+dir, Options{}), dir
}

func TestReadingALayoutThatIsNotThereCreatesNothing(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	if _, err := s.Resolve(t.Context(), "v1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

func TestLayoutIndexDoesNotDependOnTheOrderOfWriting(t *testing.T) {
	t.Parallel()
	var files []string
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "a", "b"}} {
		s, dir := newLayout(t)
		for _, tag := range order {
			pushImage(t, s, "image "+tag, tag)
		}
		content, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, string(content))
	}
	if diff := cmp.Diff(files[0], files[1]); diff != "" {
		t.Error(diff)
	}
}

func TestLayoutKeepsEveryTagWhenManyWriteAtOnce(t *testing.T) {
	t.Parallel()
	_, dir := newLayout(t)
	const writers, each = 8, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := mustOpen(t, "oci:"+dir, Options{}) // as another process would
			for i := range each {
				pushImage(t, s, fmt.Sprintf("image %d", (w+i)%4), fmt.Sprintf("v%d-%d", w, i))
			}
		})
	}
	wg.Wait()
	tags, err := mustOpen(t, "oci:"+dir, Options{}).Tags(t.Context())
	if err != nil || len(tags) != writers*each {
		t.Errorf("%d tags, %v", len(tags), err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, layoutIngest)); len(left) != 0 {
		t.Errorf("unfinished files are left: %v", left)
	}
}

func TestLayoutSeesWhatAnotherProcessTagged(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	for i := range 20 {
		tag := fmt.Sprintf("v%d", i)
		pushImage(t, mustOpen(t, "oci:"+dir, Options{}), tag, tag)
		if _, err := s.Resolve(t.Context(), tag); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUntagRemovesOnlyWhatNothingElseRefersTo(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	shared := pushBlob(t, s, "shared, never tagged")
	mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(3, -1)}), s, PublishOptions{Tag: "v1"})
	mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(3, 1)}), s, PublishOptions{Tag: "v2"})
	before := len(blobFiles(t, dir))
	if err := s.Untag(t.Context(), "v2"); err != nil {
		t.Fatal(err)
	}
	if got := before - len(blobFiles(t, dir)); got != 3 { // a layer, the configuration, the manifest
		t.Errorf("%d blobs were removed", got)
	}
	img, err := LoadImage(t.Context(), s, "v1", linuxAMD64)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range img.Layers {
		mustRead(t, s, l.Descriptor)
	}
	mustRead(t, s, shared) // another process may be about to name it
}

func TestUntagKeepsEverythingWhenAnotherImageCannotBeRead(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	damaged := pushImage(t, s, "one", "v1")
	pushImage(t, s, "two", "v2")
	if err := os.WriteFile(filepath.Join(dir, blobPath(damaged.Digest)), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := len(blobFiles(t, dir))
	if err := s.Untag(t.Context(), "v2"); err != nil {
		t.Fatal(err)
	}
	if after := len(blobFiles(t, dir)); after != before {
		t.Errorf("%d blobs of %d are left", after, before)
	}
}

func TestLayoutDoesNotTagAnIncompleteImage(t *testing.T) {
	t.Parallel()
	s, _ := newLayout(t)
	desc := pushImage(t, s, "one", "v1")
	if err := s.Delete(t.Context(), Describe(testBlobType, []byte("one"))); err != nil {
		t.Fatal(err)
	}
	if err := s.Tag(t.Context(), desc, "v2"); !errors.Is(err, ErrMissingBlob) {
		t.Errorf("got %v", err)
	}
}

func TestLayoutReplacesATruncatedBlob(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	desc := pushBlob(t, s, "hello")
	if err := os.WriteFile(filepath.Join(dir, blobPath(desc.Digest)), []byte("he"), 0o644); err != nil {
		t.Fatal(err)
	}
	pushBlob(t, s, "hello")
	if got := string(mustRead(t, s, desc)); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestHostileLayout(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, dir, outside string, desc ocispec.Descriptor){
		"a blob that is a link to a file outside": func(t *testing.T, dir, outside string, desc ocispec.Descriptor) {
			replaceBy(t, filepath.Join(dir, blobPath(desc.Digest)), func(name string) error { return os.Symlink(outside, name) })
		},
		"a blob that is a pipe": func(t *testing.T, dir, _ string, desc ocispec.Descriptor) {
			replaceBy(t, filepath.Join(dir, blobPath(desc.Digest)), func(name string) error { return syscall.Mkfifo(name, 0o600) })
		},
		"a blob that is a directory": func(t *testing.T, dir, _ string, desc ocispec.Descriptor) {
			replaceBy(t, filepath.Join(dir, blobPath(desc.Digest)), func(name string) error { return os.Mkdir(name, 0o700) })
		},
	}
	for name, attack := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := newLayout(t)
			desc := pushBlob(t, s, "hello")
			outside := filepath.Join(t.TempDir(), "outside")
			if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
				t.Fatal(err)
			}
			attack(t, dir, outside, desc)
			if rc, err := s.Fetch(t.Context(), desc); err == nil {
				rc.Close()
				t.Error("Fetch succeeded")
			}
			_ = s.PushBytes(t.Context(), desc, []byte("hello"))
			if got, err := os.ReadFile(outside); err != nil || string(got) != "secret" {
				t.Errorf("the file outside is %q, %v", got, err)
			}
		})
	}
}

func TestLayoutDirectoriesThatLeadOutsideAreNotWrittenTo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"blobs", layoutIngest} {
		s, dir := newLayout(t)
		pushBlob(t, s, "hello")
		outside := t.TempDir()
		replaceBy(t, filepath.Join(dir, name), func(link string) error { return os.Symlink(outside, link) })
		if err := s.PushBytes(t.Context(), Describe(testBlobType, []byte("new")), []byte("new")); err == nil {
			t.Errorf("%s: Push succeeded", name)
		}
		if left, _ := os.ReadDir(outside); len(left) != 0 {
			t.Errorf("%s: wrote %v outside", name, left)
		}
	}
}

func TestLayoutIndexThatIsBrokenIsAnError(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON":                "{",
		"a digest that climbs":   `{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}`,
		"two images of one name": `{"schemaVersion":2,"manifests":[` + entry("a") + `,` + entry("b") + `]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := newLayout(t)
			pushImage(t, s, "one", "v1")
			if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Resolve(t.Context(), "v1"); !errors.Is(err, ErrInvalidContent) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPushThatBreaksLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s, dir := newLayout(t)
	pushBlob(t, s, "other")
	desc := Describe(testBlobType, []byte("hello"))
	broken := errors.New("broken")
	err := s.Push(t.Context(), desc, func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("he"), errReader{broken})), nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, layoutIngest)); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func entry(content string) string {
	d := Describe(ocispec.MediaTypeImageManifest, []byte(content))
	return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"annotations":{"org.opencontainers.image.ref.name":"v1"}}`, d.MediaType, d.Digest, d.Size)
}

func replaceBy(t *testing.T, name string, make func(name string) error) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := make(name); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLayoutResolveAmong5000Tags(b *testing.B) {
	dir := b.TempDir()
	l := openLayout(dir)
	root, err := l.create(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	var entries []ocispec.Descriptor
	for i := range 5000 {
		d := Describe(ocispec.MediaTypeImageManifest, fmt.Append(nil, i))
		d.Annotations = map[string]string{ocispec.AnnotationRefName: fmt.Sprintf("v%d", i)}
		entries = append(entries, d)
	}
	if err := l.writeIndex(root, entries); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := l.Resolve(b.Context(), "v4999"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "resolves/s")
}

func TestLayoutForgetsWhatKilledWritersLeft(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "l")
	s := mustOpen(t, "oci:"+dir, Options{})
	pushImage(t, s, "one", "v1")
	now := time.Now()
	for name, age := range map[string]time.Duration{"OLD": 25 * time.Hour, "NEW": time.Hour} {
		file := filepath.Join(dir, layoutIngest, name)
		if err := os.WriteFile(file, []byte("unfinished"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	pushImage(t, s, "two", "v1")
	left, err := os.ReadDir(filepath.Join(dir, layoutIngest))
	if err != nil || len(left) != 1 || left[0].Name() != "NEW" {
		t.Errorf("left: %v, %v", left, err)
	}
}
