package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func applyLayers(t testing.TB, layers ...[]tar.Header) (map[string]string, Summary, error) {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "rootfs")
	var s Summary
	for _, l := range layers {
		var err error
		if s, err = UnpackLayer(context.Background(), bytes.NewReader(tarOf(t, l...)), LayerOptions{Dest: dest}); err != nil {
			return nil, s, err
		}
	}
	return readTree(t, dest), s, nil
}

func TestUnpackLayer(t *testing.T) {
	dir := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o644} }
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	for name, c := range map[string]struct {
		layers [][]tar.Header
		want   map[string]string
	}{
		"adds to what is there": {
			[][]tar.Header{{dir("etc/"), file("etc/a")}, {file("etc/b")}},
			map[string]string{"etc": "dir", "etc/a": "", "etc/b": ""},
		},
		"removes what a whiteout names": {
			[][]tar.Header{{file("etc/a"), file("d/x/y")}, {file("etc/.wh.a"), file(".wh.d"), file(".wh.missing")}},
			map[string]string{"etc": "dir"},
		},
		"removes what an opaque directory had, but not what it gets": {
			[][]tar.Header{{file("d/a"), file("d/s/b")}, {file("d/new"), file("d/s/new"), file("d/.wh..wh..opq")}},
			map[string]string{"d": "dir", "d/new": "", "d/s": "dir", "d/s/new": ""},
		},
		"keeps what the layer itself brings in place of what it removes": {
			[][]tar.Header{{file("d/old"), file("f")}, {dir("d/"), file("d/new"), file("f"), file(".wh.d"), file(".wh.f")}},
			map[string]string{"d": "dir", "d/new": "", "f": ""},
		},
		"replaces files by directories and the other way round": {
			[][]tar.Header{{file("a"), file("b/c"), link("l", "b")}, {dir("a/"), file("b"), dir("l/"), file("l/x")}},
			map[string]string{"a": "dir", "b": "", "l": "dir", "l/x": ""},
		},
		"follows links as if it were the root": {
			[][]tar.Header{{dir("usr/lib/"), link("lib", "usr/lib"), link("abs", "/usr/lib"), link("up", "../../../usr")}, {file("lib/x"), file("abs/y"), file("up/z"), file("abs/.wh.w")}},
			map[string]string{"usr": "dir", "usr/lib": "dir", "lib": "-> usr/lib", "abs": "-> /usr/lib", "up": "-> ../../../usr", "usr/lib/x": "", "usr/lib/y": "", "usr/z": ""},
		},
		"makes the directory that a dangling link names": {
			[][]tar.Header{{link("run", "/var/run"), file("run/x")}},
			map[string]string{"run": "-> /var/run", "var": "dir", "var/run": "dir", "var/run/x": ""},
		},
		"gives files of layers below second names": {
			[][]tar.Header{{file("a"), link("s", "/"), link("t", "/a")}, {
				{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}, {Name: "c", Typeflag: tar.TypeLink, Linkname: "/s/a"},
			}},
			map[string]string{"a": "", "b": "", "c": "", "s": "-> /", "t": "-> /a"},
		},
		"leaves devices out": {
			[][]tar.Header{{{Name: "dev/null", Typeflag: tar.TypeChar}, file("dev/x")}},
			map[string]string{"dev": "dir", "dev/x": ""},
		},
		"ignores the bookkeeping of AUFS": {
			[][]tar.Header{{file(".wh..wh.plnk/x.y"), file(".wh..wh.aufs"), file("a")}},
			map[string]string{".wh..wh.plnk": "dir", ".wh..wh.plnk/x.y": "", "a": ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := applyLayers(t, c.layers...)
			must(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpackLayerRefusesWhatIsNotSafe(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.WriteFile(outside, []byte("keep"), 0o600))
	for name, headers := range map[string][]tar.Header{
		"a name with ..":             {{Name: "../x"}},
		"a whiteout of ..":           {{Name: "d/.wh..."}},
		"a whiteout of .":            {{Name: "d/.wh.."}},
		"a whiteout of nothing":      {{Name: "d/.wh."}},
		"links in a circle":          {{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}, {Name: "b", Typeflag: tar.TypeSymlink, Linkname: "a"}, {Name: "a/x"}},
		"a hard link to a directory": {{Name: "d/", Typeflag: tar.TypeDir}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "d"}},
		"a hard link through a link": {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "h", Typeflag: tar.TypeLink, Linkname: "l"}},
	} {
		if got, _, err := applyLayers(t, headers); err == nil {
			t.Errorf("%s: accepted: %v", name, got)
		}
	}
	got, _, err := applyLayers(t, []tar.Header{{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}}, []tar.Header{{Name: "l", Size: 3, Mode: 0o600}})
	must(t, err)
	if got["l"] != "\x00\x00\x00" {
		t.Errorf("a file in place of a link: %v", got)
	}
	if b, _ := os.ReadFile(outside); string(b) != "keep" {
		t.Errorf("outside was written: %q", b)
	}
}

func TestUnpackLayerKeepsModesButNoIdentities(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "r")
	_, err := UnpackLayer(context.Background(), bytes.NewReader(tarOf(t,
		tar.Header{Name: "su", Mode: 0o4755}, tar.Header{Name: "locked", Mode: 0o000}, tar.Header{Name: "g", Mode: 0o640, Uid: 42, Gid: 42},
	)), LayerOptions{Dest: dest})
	must(t, err)
	for name, want := range map[string]fs.FileMode{"su": 0o755, "locked": 0o600, "g": 0o640} {
		info, err := os.Stat(filepath.Join(dest, name))
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s: %v, want %v", name, info.Mode(), want)
		}
	}
	if _, _, err := applyLayers(t, []tar.Header{{Name: "x", Size: 1 << 20}}); err != nil {
		t.Error(err)
	}
	_, err = UnpackLayer(context.Background(), bytes.NewReader(tarOf(t, tar.Header{Name: "y", Size: 1 << 20})), LayerOptions{Dest: dest, Limits: Limits{MaxBytes: 1 << 10}})
	if !errors.Is(err, ErrLimit) {
		t.Errorf("got %v", err)
	}
}

func FuzzUnpackLayer(f *testing.F) {
	f.Add(tarOf(f, tar.Header{Name: "a/.wh..wh..opq"}), tarOf(f, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../../.."}, tar.Header{Name: "l/x"}))
	f.Add(tarOf(f, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/.."}), tarOf(f, tar.Header{Name: "a/.wh.x"}))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		outer := t.TempDir()
		must(t, os.WriteFile(filepath.Join(outer, "x"), []byte("keep"), 0o600))
		for _, data := range [][]byte{first, second} {
			_, _ = UnpackLayer(context.Background(), bytes.NewReader(data), LayerOptions{
				Dest: filepath.Join(outer, "in"), Limits: Limits{MaxBytes: 1 << 20, MaxFiles: 100},
			})
		}
		if got := readTreeTop(t, outer); got != 2 {
			t.Errorf("%d things beside the root", got)
		}
		if b, _ := os.ReadFile(filepath.Join(outer, "x")); string(b) != "keep" {
			t.Error("outside was written")
		}
	})
}

func readTreeTop(t testing.TB, dir string) int {
	entries, err := os.ReadDir(dir)
	must(t, err)
	return len(entries)
}
