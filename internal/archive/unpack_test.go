package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/ulikunitz/xz"
)

func unpackBytes(t testing.TB, data []byte, opts UnpackOptions) (map[string]string, error) {
	t.Helper()
	opts.Dest = filepath.Join(t.TempDir(), "out")
	_, err := UnpackAtomic(context.Background(), bytes.NewReader(data), opts)
	if err != nil {
		if left, _ := os.ReadDir(filepath.Dir(opts.Dest)); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return nil, err
	}
	return readTree(t, opts.Dest), nil
}

func TestUnpackGivesBackWhatWasPacked(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, sampleTree())
	want := readTree(t, dir)
	want["share/group-x-only"] = "g" // executable by its group alone: not kept
	for _, c := range []Compression{Zstd, Gzip, None} {
		raw, sum := pack(t, PackOptions{Root: dir, At: "opt/esd/x", Compression: c})
		out := filepath.Join(t.TempDir(), "x")
		got, err := UnpackAtomic(context.Background(), bytes.NewReader(raw), UnpackOptions{
			Dest: out, At: "/opt/esd/x", Links: LinksAnywhere, Expect: sum.Digest,
		})
		must(t, err)
		sum.DiffID = ""
		if diff := cmp.Diff(sum, got); diff != "" {
			t.Errorf("%v: summary: %s", c, diff)
		}
		if diff := cmp.Diff(want, readTree(t, out)); diff != "" {
			t.Errorf("%v: %s", c, diff)
		}
		again, _ := pack(t, PackOptions{Root: out, At: "opt/esd/x", Compression: c})
		if !bytes.Equal(raw, again) {
			t.Errorf("%v: packed again, it is another archive", c)
		}
		info, err := os.Stat(filepath.Join(out, "bin/tool"))
		must(t, err)
		if st := info.Sys().(*syscall.Stat_t); st.Nlink != 2 || !info.ModTime().Equal(epoch) {
			t.Errorf("%v: %d names, time %v", c, st.Nlink, info.ModTime())
		}
	}
}

func TestUnpackReadsEveryCompression(t *testing.T) {
	plain := tarOf(t, tar.Header{Name: "top/", Typeflag: tar.TypeDir, Mode: 0o755}, tar.Header{Name: "top/a", Mode: 0o644})
	compressed := func(w io.WriteCloser, err error, b *bytes.Buffer) []byte {
		must(t, err)
		_, err = w.Write(plain)
		must(t, err)
		must(t, w.Close())
		return b.Bytes()
	}
	var gz, zs, x bytes.Buffer
	zw, zerr := zstd.NewWriter(&zs)
	xw, xerr := xz.NewWriter(&x)
	archives := map[string][]byte{
		"tar":  plain,
		"gzip": compressed(gzip.NewWriter(&gz), nil, &gz),
		"zstd": compressed(zw, zerr, &zs),
		"xz":   compressed(xw, xerr, &x),
		"zip":  zipOf(t, zipFile{name: "top/"}, zipFile{name: "top/a"}),
	}
	if bz, err := exec.LookPath("bzip2"); err == nil {
		cmd := exec.Command(bz, "-c")
		cmd.Stdin = bytes.NewReader(plain)
		archives["bzip2"], err = cmd.Output()
		must(t, err)
	}
	for name, data := range archives {
		t.Run(name, func(t *testing.T) {
			got, err := unpackBytes(t, data, UnpackOptions{StripTop: true, Expect: digest.FromBytes(data)})
			must(t, err)
			if diff := cmp.Diff(map[string]string{"a": ""}, got); diff != "" {
				t.Error(diff)
			}
			for _, cut := range []int{len(data) / 2, len(data) - 1, 1} {
				if name == "tar" && cut != 1 {
					continue // only the padding is missing, which not every program writes
				}
				if got, err := unpackBytes(t, data[:cut], UnpackOptions{}); err == nil {
					t.Errorf("cut to %d of %d bytes, it gave %v", cut, len(data), got)
				}
			}
		})
	}
}

func TestUnpackStripsASingleDirectoryOnly(t *testing.T) {
	dir := tar.Header{Name: "top/", Typeflag: tar.TypeDir}
	for name, c := range map[string]struct {
		headers []tar.Header
		want    map[string]string
	}{
		"strips it":                              {[]tar.Header{dir, {Name: "top/a"}}, map[string]string{"a": ""}},
		"strips it without an entry of its own":  {[]tar.Header{{Name: "./top/a"}}, map[string]string{"a": ""}},
		"strips one that has its own name in it": {[]tar.Header{{Name: "top/top/a"}}, map[string]string{"top": "dir", "top/a": ""}},
		"keeps two":                              {[]tar.Header{{Name: "top/a"}, {Name: "b/a"}}, map[string]string{"top": "dir", "top/a": "", "b": "dir", "b/a": ""}},
		"keeps a file":                           {[]tar.Header{{Name: "a"}}, map[string]string{"a": ""}},
		"ignores what git says about itself": {[]tar.Header{
			{Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "x"}}, dir, {Name: "top/a"},
		}, map[string]string{"a": ""}},
		"keeps links inside": {[]tar.Header{
			{Name: "top/d/l", Typeflag: tar.TypeSymlink, Linkname: "../a"}, {Name: "top/a"},
			{Name: "top/m", Typeflag: tar.TypeSymlink, Linkname: "d/../a"},
		}, map[string]string{"d": "dir", "d/l": "-> ../a", "a": "", "m": "-> d/../a"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unpackBytes(t, tarOf(t, c.headers...), UnpackOptions{StripTop: true})
			must(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnpackRefusesWhatIsNotSafe(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	hard := func(name, to string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: to} }
	file := func(name string) tar.Header { return tar.Header{Name: name, Size: 3} }
	for name, c := range map[string]struct {
		headers []tar.Header
		opts    UnpackOptions
		want    error
	}{
		"an absolute name":                         {[]tar.Header{file("/etc/x")}, UnpackOptions{}, ErrUnsafe},
		"a name with ..":                           {[]tar.Header{file("a/../../x")}, UnpackOptions{}, ErrUnsafe},
		"a name that is ..":                        {[]tar.Header{{Name: "../", Typeflag: tar.TypeDir}}, UnpackOptions{}, ErrUnsafe},
		"a name with .. that stays inside":         {[]tar.Header{file("a/../x")}, UnpackOptions{}, ErrUnsafe},
		"a link to an absolute path":               {[]tar.Header{link("l", "/etc/passwd")}, UnpackOptions{}, ErrUnsafe},
		"a link out of the tree":                   {[]tar.Header{link("l", "../x")}, UnpackOptions{}, ErrUnsafe},
		"a link out of a directory":                {[]tar.Header{link("d/l", "../../x")}, UnpackOptions{}, ErrUnsafe},
		"a link out of the directory stripped":     {[]tar.Header{link("top/l", "../x")}, UnpackOptions{StripTop: true}, ErrUnsafe},
		"a link that leaves over another":          {[]tar.Header{link("s", "."), {Name: "t/", Typeflag: tar.TypeDir}, link("l", "s/t/../../f")}, UnpackOptions{}, ErrUnsafe},
		"a link to nothing":                        {[]tar.Header{link("l", "")}, UnpackOptions{}, ErrUnsafe},
		"a file through a link":                    {[]tar.Header{{Name: "d/", Typeflag: tar.TypeDir}, link("l", "d"), file("l/x")}, UnpackOptions{}, ErrUnsafe},
		"a file through a link to anywhere":        {[]tar.Header{link("l", "/tmp"), file("l/x")}, UnpackOptions{Links: LinksAnywhere}, ErrUnsafe},
		"a directory through a link to anywhere":   {[]tar.Header{link("l", "/tmp"), {Name: "l/", Typeflag: tar.TypeDir}}, UnpackOptions{Links: LinksAnywhere}, ErrUnsafe},
		"a file in place of a link":                {[]tar.Header{link("l", "x"), file("l")}, UnpackOptions{}, fs.ErrExist},
		"a file twice":                             {[]tar.Header{file("a"), file("a")}, UnpackOptions{}, fs.ErrExist},
		"a file that is also a directory":          {[]tar.Header{file("a"), file("a/b")}, UnpackOptions{}, ErrUnsafe},
		"a hard link to outside":                   {[]tar.Header{hard("h", "/etc/passwd")}, UnpackOptions{}, ErrUnsafe},
		"a hard link to outside by ..":             {[]tar.Header{hard("h", "../../etc/passwd")}, UnpackOptions{}, ErrUnsafe},
		"a hard link to a link":                    {[]tar.Header{link("l", "/etc/passwd"), hard("h", "l")}, UnpackOptions{Links: LinksAnywhere}, ErrUnsafe},
		"a hard link behind a link":                {[]tar.Header{link("l", "/etc"), hard("h", "l/passwd")}, UnpackOptions{Links: LinksAnywhere}, ErrUnsafe},
		"a hard link to a directory":               {[]tar.Header{{Name: "d/", Typeflag: tar.TypeDir}, hard("h", "d")}, UnpackOptions{}, ErrUnsafe},
		"a hard link to what is missing":           {[]tar.Header{hard("h", "missing")}, UnpackOptions{}, fs.ErrNotExist},
		"a device":                                 {[]tar.Header{{Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}, UnpackOptions{}, ErrUnsafe},
		"a pipe":                                   {[]tar.Header{{Name: "p", Typeflag: tar.TypeFifo}}, UnpackOptions{}, ErrUnsafe},
		"something beside the place":               {[]tar.Header{file("opt/esd/y/f")}, UnpackOptions{At: "opt/esd/x"}, ErrUnsafe},
		"something whose place is only its prefix": {[]tar.Header{file("opt/esd/xy")}, UnpackOptions{At: "opt/esd/x"}, ErrUnsafe},
		"a file above the place":                   {[]tar.Header{file("opt")}, UnpackOptions{At: "opt/esd/x"}, ErrUnsafe},
		"a hard link to above the place":           {[]tar.Header{hard("opt/x/h", "opt")}, UnpackOptions{At: "opt/x"}, ErrUnsafe},
		"more files than allowed":                  {[]tar.Header{file("a"), file("b"), file("c")}, UnpackOptions{Limits: Limits{MaxFiles: 2}}, ErrLimit},
		"a larger file than allowed":               {[]tar.Header{file("a")}, UnpackOptions{Limits: Limits{MaxFileSize: 2}}, ErrLimit},
		"more bytes than allowed":                  {[]tar.Header{file("a"), file("b")}, UnpackOptions{Limits: Limits{MaxBytes: 5}}, ErrLimit},
		"directories without end":                  {[]tar.Header{file(strings.Repeat("d/", 300) + "f")}, UnpackOptions{}, ErrUnsafe},
		"another digest":                           {[]tar.Header{file("a")}, UnpackOptions{Expect: digest.FromString("other")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unpackBytes(t, tarOf(t, c.headers...), c.opts)
			var wrong *DigestError
			if err == nil || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &wrong) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestUnpackRefusesWhatIsNoArchive(t *testing.T) {
	for name, data := range map[string]string{
		"nothing": "", "text": "hello", "a page": "<!DOCTYPE html><html>", "long text": strings.Repeat("no tar ", 200),
	} {
		if _, err := unpackBytes(t, []byte(data), UnpackOptions{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnpackBlamesTheDigestWhenTheBytesAreDamaged(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "big"), pseudoText(1<<20), 0o644))
	raw, sum := pack(t, PackOptions{Root: dir, At: "x"})
	raw[len(raw)/2] ^= 1
	_, err := unpackBytes(t, raw, UnpackOptions{Expect: sum.Digest})
	var wrong *DigestError
	if !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}

type zipFile struct {
	name, text string
	mode       fs.FileMode
}

func zipOf(t testing.TB, files ...zipFile) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
		if f.mode != 0 {
			h.SetMode(f.mode)
		}
		w, err := zw.CreateHeader(h)
		must(t, err)
		if f.text != "" {
			_, err = io.WriteString(w, f.text)
			must(t, err)
		}
	}
	must(t, zw.Close())
	return b.Bytes()
}

func TestUnpackZip(t *testing.T) {
	got, err := unpackBytes(t, zipOf(t,
		zipFile{"p/run", "go", 0o755}, zipFile{"p/l", "run", fs.ModeSymlink | 0o777}, zipFile{"p/t", "text", 0},
	), UnpackOptions{StripTop: true})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"run": "go*", "l": "-> run", "t": "text"}, got); diff != "" {
		t.Error(diff)
	}
	for name, f := range map[string]zipFile{
		"an absolute name": {"/x", "x", 0}, "a name with ..": {"../x", "x", 0}, "a device": {"d", "", fs.ModeDevice | 0o644},
		"a link out of the tree": {"l", "../../x", fs.ModeSymlink | 0o777}, "a link to an absolute path": {"l", "/etc", fs.ModeSymlink | 0o777},
	} {
		if got, err := unpackBytes(t, zipOf(t, f), UnpackOptions{}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := unpackBytes(t, zipOf(t, zipFile{"z", strings.Repeat("0", 9000), 0}), UnpackOptions{Limits: Limits{MaxBytes: 5000}}); !errors.Is(err, ErrLimit) {
		t.Errorf("too large: %v", err)
	}
}

func TestUnpackAppliesARelocation(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{"f": {text: "prefix=/tmp/e3x1/p\n"}, "l": {link: "/tmp/e3x1/p/f"}})
	raw, _ := pack(t, PackOptions{Root: dir, At: "opt/esd1/p", Relocate: &Relocation{From: "/tmp/e3x1", To: "/opt/esd1"}})
	got, err := unpackBytes(t, raw, UnpackOptions{At: "opt/esd1/p", Links: LinksAnywhere})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"f": "prefix=/opt/esd1/p\n", "l": "-> /opt/esd1/p/f"}, got); diff != "" {
		t.Error(diff)
	}
	got, err = unpackBytes(t, raw, UnpackOptions{At: "opt/esd1/p", Links: LinksAnywhere, Relocate: &Relocation{From: "/opt/esd1", To: "/tmp/e3x2"}})
	must(t, err)
	if diff := cmp.Diff(map[string]string{"f": "prefix=/tmp/e3x2/p\n", "l": "-> /tmp/e3x2/p/f"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnpackAtomicLeavesWhatIsThere(t *testing.T) {
	dest := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dest, "mine"), nil, 0o644))
	_, err := UnpackAtomic(context.Background(), bytes.NewReader(tarOf(t, tar.Header{Name: "a"})), UnpackOptions{Dest: dest})
	if !errors.Is(err, fs.ErrExist) || len(readTree(t, dest)) != 1 {
		t.Errorf("%v, %v", err, readTree(t, dest))
	}
}

func TestUnpackHundredThousandFilesInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100,000 files")
	}
	r, w := io.Pipe()
	go func() {
		tw := tar.NewWriter(w)
		for i := range 100_000 {
			if err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("d%d/f%d", i/1000, i), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
				break
			}
		}
		w.CloseWithError(tw.Close())
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := Unpack(context.Background(), r, UnpackOptions{Dest: memoryDir(t)})
	must(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if s.Files != 100_000 || after.HeapAlloc > before.HeapAlloc+16<<20 {
		t.Errorf("%d files, heap grew by %d", s.Files, after.HeapAlloc-before.HeapAlloc)
	}
}

// memoryDir is a directory in memory where there is one: creating 100,000 files takes
// some disks a minute.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "esd-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func TestClampTimeKeepsWhatFileSystemsCanStore(t *testing.T) {
	for _, at := range []time.Time{time.Unix(-1, 0), time.Unix(1<<60, 0), {}} {
		if got := clampTime(at).Unix(); got < 0 || got >= 1<<32 {
			t.Errorf("%v: %d", at, got)
		}
	}
}

// FuzzUnpack looks for anything that gets out of the directory, or crashes.
func FuzzUnpack(f *testing.F) {
	link := tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".."}
	f.Add(tarOf(f, link, tar.Header{Name: "l/x", Size: 3}), true)
	f.Add(tarOf(f, tar.Header{Name: "a/b", Size: 700}, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "a/b"}), false)
	f.Add(zipOf(f, zipFile{"p/l", "../..", fs.ModeSymlink | 0o777}, zipFile{"p/t", "text", 0}), true)
	f.Add([]byte("\x1f\x8b\x08\x00"), false)
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x28\x00\x00\x00"), false)
	f.Fuzz(func(t *testing.T, data []byte, anywhere bool) {
		outer := t.TempDir()
		dest := filepath.Join(outer, "in")
		opts := UnpackOptions{Dest: dest, StripTop: !anywhere, Limits: Limits{MaxBytes: 1 << 20, MaxFiles: 100}}
		if anywhere {
			opts.Links = LinksAnywhere
		}
		_, err := Unpack(context.Background(), bytes.NewReader(data), opts)
		entries, _ := os.ReadDir(outer)
		if len(entries) > 1 {
			t.Errorf("outside: %v", entries)
		}
		if err != nil || anywhere {
			return
		}
		root, err := os.OpenRoot(dest)
		must(t, err)
		defer root.Close()
		must(t, filepath.WalkDir(dest, func(p string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(dest, p)
			if _, err := resolve(root, rel, escapeIsError); errors.Is(err, errEscapes) {
				t.Errorf("%s leads out", rel)
			}
			return err
		}))
	})
}
