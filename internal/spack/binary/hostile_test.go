package binary

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"esd/internal/archive"
)

// inToy names a member inside the package.
func inToy(name string) string { return strings.TrimPrefix(oldToy, "/") + "/" + name }

// beginning is how every archive of the toy begins.
func beginning() []tar.Header {
	var all []tar.Header
	for i, c := range inToy("") {
		if c == '/' {
			all = append(all, tar.Header{Name: inToy("")[:i+1], Typeflag: tar.TypeDir, Mode: 0o755})
		}
	}
	return append(all, tar.Header{Name: inToy(".spack/"), Typeflag: tar.TypeDir, Mode: 0o755})
}

func metadataOf(change func(*Metadata)) tar.Header {
	m := &Metadata{SbangPath: oldRoot + "/bin/sbang", StoreRoot: oldRoot, SpackRoot: "/opt/spack", Prefixes: []HashPrefix{{toyHash, oldToy}, {depHash, oldDep}}}
	if change != nil {
		change(m)
	}
	return tar.Header{Name: inToy(MetadataName), Mode: 0o644, Uname: string(must(m.Marshal()))}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o644, Uname: "text"} }
	link := func(kind byte, name, target string) tar.Header {
		return tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}
	}
	meta := metadataOf(nil)
	for name, c := range map[string]struct {
		want    error
		members []tar.Header
	}{
		"a name that leads up":              {archive.ErrUnsafe, []tar.Header{file(inToy("../../../../../etc/passwd")), meta}},
		"an absolute name":                  {archive.ErrUnsafe, []tar.Header{file("/etc/passwd"), meta}},
		"a file beside the prefix":          {archive.ErrUnsafe, []tar.Header{file("opt/old/store/linux-x86_64/other"), meta}},
		"a file in a longer name":           {archive.ErrUnsafe, []tar.Header{file(strings.TrimPrefix(oldToy, "/") + "x/file"), meta}},
		"the prefix as a file":              {archive.ErrUnsafe, []tar.Header{file(strings.TrimPrefix(oldToy, "/")), meta}},
		"a file through a link":             {archive.ErrUnsafe, []tar.Header{link(tar.TypeSymlink, inToy("d"), "/tmp"), file(inToy("d/file")), meta}},
		"a directory through a link":        {archive.ErrUnsafe, []tar.Header{link(tar.TypeSymlink, inToy("d"), "../.."), {Name: inToy("d/e/"), Typeflag: tar.TypeDir}, meta}},
		"a directory in place of a link":    {archive.ErrUnsafe, []tar.Header{link(tar.TypeSymlink, inToy("d"), "/tmp"), {Name: inToy("d/"), Typeflag: tar.TypeDir}, meta}},
		"a link in place of a directory":    {archive.ErrUnsafe, []tar.Header{{Name: inToy("d/"), Typeflag: tar.TypeDir}, link(tar.TypeSymlink, inToy("d"), "/tmp"), meta}},
		"a file below a file":               {archive.ErrUnsafe, []tar.Header{file(inToy("f")), file(inToy("f/g")), meta}},
		"a file twice":                      {archive.ErrUnsafe, []tar.Header{file(inToy("f")), file(inToy("f")), meta}},
		"a hard link outside":               {archive.ErrUnsafe, []tar.Header{link(tar.TypeLink, inToy("h"), "etc/passwd"), meta}},
		"an absolute hard link":             {archive.ErrUnsafe, []tar.Header{link(tar.TypeLink, inToy("h"), "/etc/passwd"), meta}},
		"a hard link that leads up":         {archive.ErrUnsafe, []tar.Header{link(tar.TypeLink, inToy("h"), inToy("../../x")), meta}},
		"a hard link to nothing":            {archive.ErrUnsafe, []tar.Header{link(tar.TypeLink, inToy("h"), inToy("none")), meta}},
		"a hard link to a link":             {archive.ErrUnsafe, []tar.Header{link(tar.TypeSymlink, inToy("s"), "/etc/passwd"), link(tar.TypeLink, inToy("h"), inToy("s")), meta}},
		"a hard link to a directory":        {archive.ErrUnsafe, []tar.Header{link(tar.TypeLink, inToy("h"), inToy(".spack")), meta}},
		"an empty link":                     {archive.ErrUnsafe, []tar.Header{link(tar.TypeSymlink, inToy("s"), ""), meta}},
		"a device":                          {archive.ErrUnsafe, []tar.Header{{Name: inToy("null"), Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, meta}},
		"a pipe":                            {archive.ErrUnsafe, []tar.Header{{Name: inToy("pipe"), Typeflag: tar.TypeFifo}, meta}},
		"a very deep name":                  {archive.ErrUnsafe, []tar.Header{file(inToy(strings.Repeat("d/", 300) + "f")), meta}},
		"a very long name":                  {archive.ErrUnsafe, []tar.Header{file(inToy(strings.Repeat("long", 1100))), meta}},
		"a huge file":                       {archive.ErrLimit, []tar.Header{{Name: inToy("f"), Size: 2 << 20}, meta}},
		"too much in all":                   {archive.ErrLimit, []tar.Header{{Name: inToy("f"), Size: 1 << 20}, {Name: inToy("g"), Size: 1 << 20}, {Name: inToy("h"), Size: 1 << 20}, {Name: inToy("i"), Size: 1 << 20}, meta}},
		"no metadata":                       {ErrMetadata, []tar.Header{file(inToy("f"))}},
		"metadata elsewhere":                {ErrMetadata, []tar.Header{{Name: inToy("sub/" + MetadataName), Uname: meta.Uname}}},
		"metadata that is a link":           {ErrMetadata, []tar.Header{link(tar.TypeSymlink, inToy(MetadataName), "/etc/passwd")}},
		"metadata that is no YAML":          {ErrMetadata, []tar.Header{{Name: inToy(MetadataName), Uname: "\x00\x01"}}},
		"metadata without hashes":           {ErrMetadata, []tar.Header{{Name: inToy(MetadataName), Uname: "{buildpath: /x}"}}},
		"metadata that names another":       {&OtherPackageError{}, []tar.Header{metadataOf(func(m *Metadata) { m.Prefixes = m.Prefixes[1:] })}},
		"metadata with another prefix":      {&OtherPackageError{}, []tar.Header{metadataOf(func(m *Metadata) { m.Prefixes[0].Prefix = "/opt/other" })}},
		"metadata with a wrong hash":        {ErrMetadata, []tar.Header{metadataOf(func(m *Metadata) { m.Prefixes[0].Hash = "../../etc" })}},
		"metadata that would replace /":     {ErrMetadata, []tar.Header{metadataOf(func(m *Metadata) { m.StoreRoot = "/" })}},
		"metadata with a relative root":     {ErrMetadata, []tar.Header{metadataOf(func(m *Metadata) { m.StoreRoot = "opt" })}},
		"a text outside":                    {ErrMetadata, []tar.Header{metadataOf(func(m *Metadata) { m.Texts = []string{"../../../../../etc/passwd"} })}},
		"an absolute text":                  {ErrMetadata, []tar.Header{metadataOf(func(m *Metadata) { m.Texts = []string{"/etc/passwd"} })}},
		"a text behind a link":              {ErrMetadata, []tar.Header{link(tar.TypeSymlink, inToy("d"), "/etc"), metadataOf(func(m *Metadata) { m.Texts = []string{"d/passwd"} })}},
		"a text that is a link":             {ErrMetadata, []tar.Header{link(tar.TypeSymlink, inToy("d"), "/etc/passwd"), metadataOf(func(m *Metadata) { m.Texts = []string{"d"} })}},
		"a binary that is a link":           {ErrMetadata, []tar.Header{link(tar.TypeSymlink, inToy("d"), "/etc/passwd"), metadataOf(func(m *Metadata) { m.Binaries = []string{"d"} })}},
		"a link that is a file":             {ErrMetadata, []tar.Header{file(inToy("f")), metadataOf(func(m *Metadata) { m.Links = []string{"f"} })}},
		"a file before the prefix is known": {archive.ErrUnsafe, []tar.Header{file("opt/file"), meta}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := tarOf(t, append(beginning(), c.members...)...)
			req := newRequest(t, "/o")
			req.Limits = archive.Limits{MaxFileSize: 1 << 20, MaxBytes: 3 << 20}
			for kind, run := range map[string]func() error{
				"install": func() error { _, err := Install(context.Background(), bytes.NewReader(data), req); return err },
				"layer": func() error {
					var out bytes.Buffer
					_, err := Layer(context.Background(), bytes.NewReader(data), &out, req)
					if out.Len() > 0 {
						t.Error("something of it was written")
					}
					return err
				},
			} {
				err := run()
				var other *OtherPackageError
				if is := errors.As(c.want, new(*OtherPackageError)); is && !errors.As(err, &other) || !is && !errors.Is(err, c.want) {
					t.Errorf("%s: got %v, want %v", kind, err, c.want)
				}
			}
			nothingIn(t, filepath.Dir(req.Dest))
		})
	}
}

func TestWhatIsNoArchiveIsRefused(t *testing.T) {
	t.Parallel()
	whole := tarOf(t, append(beginning(), metadataOf(nil))...)
	zipped := compress(t, whole)
	damaged := bytes.Clone(zipped)
	damaged[len(damaged)-5] ^= 1 // its checksum
	for name, data := range map[string][]byte{
		"empty":                 nil,
		"HTML":                  []byte("<!DOCTYPE html><html>not found</html>"),
		"another archive":       tarOf(t, tar.Header{Name: "etc/passwd", Uname: "x"}),
		"cut in the middle":     zipped[:len(zipped)/2],
		"cut before its end":    zipped[:len(zipped)-3],
		"with a wrong checksum": damaged,
		"a tar that is cut":     whole[:len(whole)-2000],
		"damaged in a header":   append(bytes.Clone(whole[:512]), bytes.Repeat([]byte{7}, 1024)...),
	} {
		req := newRequest(t, "/o")
		if _, err := Install(context.Background(), bytes.NewReader(data), req); !errors.Is(err, archive.ErrFormat) {
			t.Errorf("%s: got %v", name, err)
		}
		nothingIn(t, filepath.Dir(req.Dest))
	}
}

// endless delivers a gzip stream of zeros behind the beginning of an archive.
func endless(t *testing.T, members ...tar.Header) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { r.Close() })
	go func() {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		tw := tar.NewWriter(z)
		for _, h := range members {
			_ = tw.WriteHeader(&h)
		}
		zeros := make([]byte, 1<<20)
		for {
			if _, err := tw.Write(zeros); err != nil {
				return
			}
		}
	}()
	return r
}

func TestBombsAreRefused(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("unpacks 300 MB of zeros")
	}
	req := newRequest(t, "/o")
	r := endless(t, append(beginning(), tar.Header{Name: inToy("zeros"), Size: 30 << 30, Mode: 0o644})...)
	if _, err := Install(context.Background(), r, req); !errors.Is(err, archive.ErrLimit) {
		t.Errorf("got %v", err)
	}
	nothingIn(t, filepath.Dir(req.Dest))
}

func TestAHundredThousandFilesAreOnlyALimit(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("makes an archive of 100,000 files")
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	headers := beginning()
	for i := range 100_000 {
		headers = append(headers, tar.Header{Name: inToy(fmt.Sprintf("d%d/f%d", i/1000, i)), Typeflag: tar.TypeReg, Mode: 0o644})
	}
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	meta := metadataOf(nil)
	content := meta.Uname
	meta.Uname, meta.Size, meta.Typeflag = "", int64(len(content)), tar.TypeReg
	if err := errors.Join(w.WriteHeader(&meta), func() error { _, err := w.Write([]byte(content)); return err }(), w.Close()); err != nil {
		t.Fatal(err)
	}
	req := newRequest(t, "/o")
	req.Limits.MaxFiles = 1000
	if _, err := Install(context.Background(), bytes.NewReader(b.Bytes()), req); !errors.Is(err, archive.ErrLimit) {
		t.Errorf("got %v", err)
	}
	nothingIn(t, filepath.Dir(req.Dest))
	req.Limits.MaxFiles = 0
	done, err := Layer(context.Background(), bytes.NewReader(b.Bytes()), io.Discard, req)
	if err != nil || done.Files != 100_001 {
		t.Errorf("%d files: %v", done.Files, err)
	}
}

func TestOwnersAndSpecialBitsAreNotRestored(t *testing.T) {
	t.Parallel()
	req := newRequest(t, "/o")
	data := tarOf(t, append(beginning(),
		tar.Header{Name: inToy("su"), Mode: 0o6777, Uid: 12345, Gid: 12345, Uname: "root"},
		tar.Header{Name: inToy("data"), Mode: 0o666, Uid: 12345, Uname: "root"},
		metadataOf(nil))...)
	if _, err := Install(context.Background(), bytes.NewReader(data), req); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"su": 0o755, "data": 0o644} {
		info, err := os.Lstat(filepath.Join(req.Dest, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode || int(info.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
			t.Errorf("%s is %v of user %d", name, info.Mode(), info.Sys().(*syscall.Stat_t).Uid)
		}
	}
}

func FuzzInstall(f *testing.F) {
	f.Add(tarOf(f, append(beginning(), metadataOf(nil))...))
	f.Add(tarOf(f, append(beginning(), tar.Header{Name: inToy("f"), Uname: "x"}, tar.Header{Name: inToy("l"), Typeflag: tar.TypeSymlink, Linkname: "/etc"}, metadataOf(nil))...))
	f.Add(compress(f, tarOf(f, append(beginning(), metadataOf(nil))...)))
	f.Fuzz(func(t *testing.T, data []byte) {
		req := newRequest(t, "/o")
		req.Limits = archive.Limits{MaxBytes: 1 << 20, MaxFiles: 100}
		_, err := Install(context.Background(), bytes.NewReader(data), req)
		if err != nil {
			nothingIn(t, filepath.Dir(req.Dest))
		}
		var out bytes.Buffer
		_, layerErr := Layer(context.Background(), bytes.NewReader(data), &out, req)
		if (err == nil) != (layerErr == nil) {
			t.Fatalf("an install gives %v, a layer %v", err, layerErr)
		}
		if err == nil {
			compareLayer(t, data, req)
		}
		_, _ = Prefix(bytes.NewReader(data))
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(metadataOf(nil).Uname))
	f.Add([]byte("{buildpath: /x, 'a b': \"c\\td\", hash_to_prefix: {? " + string(toyHash) + "\n: /x/y},\n  relocate_links: [a\n    b, 'it''s']}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseMetadata(data)
		if err != nil {
			if !errors.Is(err, ErrMetadata) {
				t.Fatalf("untyped: %v", err)
			}
			return
		}
		written, err := m.Marshal()
		if err != nil {
			return // names that are no text
		}
		again, err := ParseMetadata(written)
		if err != nil {
			t.Fatalf("%q was written as %q: %v", data, written, err)
		}
		if twice, err := again.Marshal(); err != nil || !bytes.Equal(twice, written) {
			t.Fatalf("%q became %q", written, twice)
		}
	})
}
