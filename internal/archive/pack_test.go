package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

func sampleTree() map[string]spec {
	return map[string]spec{
		"bin/tool":           {text: "#!/bin/sh\n", mode: 0o755},
		"bin/tool2":          {hard: "bin/tool"},
		"bin.d/x":            {text: "sorts before bin/ by bytes alone"},
		"lib/libx.so":        {link: "libx.so.1"},
		"lib/libx.so.1":      {text: strings.Repeat("binary", 10_000)},
		"share/empty":        {dir: true},
		"share/näme \n":      {text: "not ASCII"},
		"share/" + longName:  {text: "long"},
		"share/private":      {text: "secret to the builder", mode: 0o600},
		"share/suid":         {text: "s", mode: 0o4755 &^ 0o4000},
		"share/absolute":     {link: "/opt/esd/x/lib"},
		"share/empty-file":   {},
		"share/group-x-only": {text: "g", mode: 0o654},
	}
}

var longName = strings.Repeat("n", 120)

func TestPackDependsOnContentAlone(t *testing.T) {
	first := t.TempDir()
	writeTree(t, first, sampleTree())
	for _, c := range []Compression{Zstd, Gzip, None} {
		want, sum := pack(t, PackOptions{Root: first, At: "opt/esd/x", Compression: c})
		if got := fmt.Sprintf("sha256:%x", sha256.Sum256(want)); got != string(sum.Digest) || sum.Size != int64(len(want)) {
			t.Errorf("%v: summary says %s, %d bytes; the archive has %s, %d", c, sum.Digest, sum.Size, got, len(want))
		}
		variants := map[string]func(dir string) string{
			"another directory": func(dir string) string { return dir },
			"other times": func(dir string) string {
				must(t, filepath.Walk(dir, func(p string, i os.FileInfo, _ error) error {
					if i.Mode()&os.ModeSymlink != 0 {
						return nil
					}
					return os.Chtimes(p, time.Unix(5, 7), time.Unix(99, 3))
				}))
				return dir
			},
			"the modes of another umask": func(dir string) string {
				must(t, filepath.Walk(dir, func(p string, i os.FileInfo, _ error) error {
					if i.Mode()&os.ModeSymlink != 0 {
						return nil
					}
					return os.Chmod(p, i.Mode().Perm()&^0o077|os.ModeSetuid)
				}))
				return dir
			},
			"a root that is a link": func(dir string) string {
				link := filepath.Join(t.TempDir(), "link")
				must(t, os.Symlink(dir, link))
				return link
			},
		}
		for name, vary := range variants {
			dir := t.TempDir()
			writeTree(t, dir, sampleTree())
			got, _ := pack(t, PackOptions{Root: vary(dir), At: "/opt/esd/x/", Compression: c})
			if !bytes.Equal(got, want) {
				t.Errorf("%v: %s: another archive", c, name)
			}
		}
	}
}

func TestPackIsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "big"), pseudoText(40<<20), 0o644))
	var digests []string
	for _, n := range []int{1, 2, 8} {
		before := runtime.GOMAXPROCS(n)
		_, sum := pack(t, PackOptions{Root: dir, At: "x"})
		runtime.GOMAXPROCS(before)
		digests = append(digests, string(sum.Digest))
	}
	if digests[0] != digests[1] || digests[1] != digests[2] {
		t.Errorf("1, 2 and 8 processors: %v", digests)
	}
}

func TestPackWritesEntriesInOrderWithParentsAndPlainHeaders(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{
		"a/x": {text: "1", mode: 0o700}, "a.b": {text: "2", mode: 0o600}, "z": {hard: "a/x"}, "l": {link: "a"},
	})
	raw, sum := pack(t, PackOptions{Root: dir, At: "opt/esd/p", Compression: None})
	var got []string
	for tr := tar.NewReader(bytes.NewReader(raw)); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		got = append(got, fmt.Sprintf("%c %o %s %s", h.Typeflag, h.Mode, h.Name, h.Linkname))
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(epoch) || h.Format != tar.FormatUSTAR {
			t.Errorf("%s: owner %d:%d %s:%s, time %v, format %v", h.Name, h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime, h.Format)
		}
	}
	want := []string{
		"5 755 opt/ ", "5 755 opt/esd/ ", "5 755 opt/esd/p/ ",
		"5 755 opt/esd/p/a/ ", "0 755 opt/esd/p/a/x ", "0 644 opt/esd/p/a.b ",
		"2 777 opt/esd/p/l a", "1 755 opt/esd/p/z opt/esd/p/a/x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if sum.DiffID != sum.Digest || sum.Files != 4 || sum.MediaType != MediaTypeNone {
		t.Errorf("summary: %+v", sum)
	}
}

func TestPackRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644))
	_, err := Pack(context.Background(), io.Discard, PackOptions{Root: dir, At: "x"})
	var unsupported *UnsupportedFileError
	if !errors.As(err, &unsupported) || !strings.Contains(err.Error(), filepath.Join(dir, "pipe")) {
		t.Errorf("got %v", err)
	}
}

func TestPackStopsWhenCancelled(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, sampleTree())
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if _, err := Pack(ctx, io.Discard, PackOptions{Root: dir}); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func TestPackFiles(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{"tree/a": {text: "a"}, "tree/sub/b": {text: "b", mode: 0o755}, "one": {text: "1", mode: 0o700}})
	host := func(name string) string { return filepath.Join(dir, name) }
	pack := func(files ...File) (map[string]string, error) {
		var b bytes.Buffer
		if _, err := PackFiles(context.Background(), &b, PackFilesOptions{Files: files, MTime: epoch}); err != nil {
			return nil, err
		}
		out := t.TempDir()
		_, err := Unpack(context.Background(), &b, UnpackOptions{Dest: out, Links: LinksAnywhere})
		must(t, err)
		return readTree(t, out), nil
	}
	t.Run("puts files, trees, bytes and links where they belong", func(t *testing.T) {
		got, err := pack(
			File{Target: "/opt/z", Content: []byte("zz"), Mode: 0o755},
			File{Target: "/opt/tree", Host: host("tree")},
			File{Target: "/opt/tree/added", Content: []byte("more")},
			File{Target: "/bin/one", Host: host("one")},
			File{Target: "/bin/link", Link: "/bin/one"},
			File{Target: "/tmp", Mode: os.ModeDir | os.ModeSticky | 0o777},
			File{Target: "/empty"},
		)
		must(t, err)
		want := map[string]string{
			"opt": "dir", "opt/z": "zz*", "opt/tree": "dir", "opt/tree/a": "a", "opt/tree/added": "more",
			"opt/tree/sub": "dir", "opt/tree/sub/b": "b*", "bin": "dir", "bin/one": "1*", "bin/link": "-> /bin/one",
			"tmp": "dir", "empty": "",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	for name, files := range map[string][]File{
		"refuses a target given twice":                {{Target: "/a", Content: []byte("1")}, {Target: "/a", Content: []byte("2")}},
		"refuses a file below a file":                 {{Target: "/a", Content: []byte("1")}, {Target: "/a.b"}, {Target: "/a/b", Content: []byte("2")}},
		"refuses a target outside":                    {{Target: "/../etc/passwd", Content: []byte("x")}},
		"refuses the root as a file":                  {{Target: "/", Content: []byte("x")}},
		"refuses a host file that is missing":         {{Target: "/x", Host: host("missing")}},
		"refuses a tree over a file of another entry": {{Target: "/t/a", Content: []byte("x")}, {Target: "/t", Host: host("tree")}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := pack(files...); err == nil {
				t.Errorf("accepted: %v", got)
			}
		})
	}
}

func TestAnotherToolCanReadTheCompression(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, sampleTree())
	raw, sum := pack(t, PackOptions{Root: dir, At: "x"})
	d, err := zstd.NewReader(bytes.NewReader(raw))
	must(t, err)
	defer d.Close()
	h := sha256.New()
	n, err := io.Copy(h, d)
	must(t, err)
	if fmt.Sprintf("sha256:%x", h.Sum(nil)) != string(sum.DiffID) || n != sum.Uncompressed {
		t.Errorf("DiffID or size differ: %d, summary %+v", n, sum)
	}
}

// pseudoText gives n bytes that compress about threefold, the same every time.
func pseudoText(n int) []byte {
	b := make([]byte, 0, n+64)
	state := uint64(88172645463325252)
	for len(b) < n {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		b = fmt.Appendf(b, "%x %s\n", state>>40, "static const double coefficient"[:state%31])
	}
	return b[:n]
}
