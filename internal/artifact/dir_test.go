package artifact

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"esd/internal/archive"
)

func put(t testing.TB, c Cache, p product) {
	t.Helper()
	_, err := c.Put(context.Background(), p.rec, p.open)
	must(t, err)
}

// filesIn lists all regular files below dir.
func filesIn(t testing.TB, dir string) (names []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(dir, p)
			names = append(names, rel)
		}
		return err
	}))
	return names
}

func TestDirectoryTakesPathsAndFileURLs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	p := newProduct(t, "a", "x")
	put(t, openAt(dir)(t), p)
	mustHave(t, openAt("file://"+dir)(t), p)
	for _, bad := range []string{"", "file://host/dir", "s3://bucket", "https://example.org/x", "oci://", "oci://localhost:1/x:tag"} {
		if c, err := OpenCache(context.Background(), bad, Options{}); err == nil {
			t.Errorf("%q: opened %s", bad, c.Location())
		}
	}
}

func TestDirectoryIsOnlyCreatedByWriting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c := openAt(dir)(t)
	_, _ = c.Has(context.Background(), manyKeys(3))
	if _, err := os.Lstat(dir); err == nil {
		t.Error("reading created the directory")
	}
}

func TestDirectoryOfAKilledWriter(t *testing.T) {
	p := newProduct(t, "a", "x")
	for name, leave := range map[string]func(c *dirCache){
		"half an archive in tmp": func(c *dirCache) {
			must(t, os.MkdirAll(filepath.Join(c.dir, "tmp"), 0o777))
			must(t, os.WriteFile(filepath.Join(c.dir, "tmp", "HALF"), p.data[:10], 0o666))
		},
		"an archive without its record": func(c *dirCache) {
			must(t, c.putBlob(context.Background(), p.rec, p.open))
		},
		"an empty record, as after a power cut": func(c *dirCache) {
			must(t, os.MkdirAll(filepath.Dir(c.recordPath(p.rec.Key)), 0o777))
			must(t, os.WriteFile(c.recordPath(p.rec.Key), nil, 0o666))
		},
		"a record whose archive is gone": func(c *dirCache) {
			put(t, c, p)
			must(t, os.Remove(c.blobPath(p.rec.Archive.Digest)))
		},
		"an archive that is cut short": func(c *dirCache) {
			put(t, c, p)
			must(t, os.Truncate(c.blobPath(p.rec.Archive.Digest), 5))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "c")
			leave(openDir(dir, Options{Clock: time.Now}))
			c := openAt(dir)(t)
			if rec, err := c.Get(context.Background(), p.rec.Key); err == nil {
				if _, err := read(t, c, rec); err == nil {
					t.Error("what is damaged could be read")
				}
			}
			put(t, c, p)
			mustHave(t, openAt(dir)(t), p)
		})
	}
}

func TestDirectorySweepsOldLeftoversOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	tmp := filepath.Join(dir, "tmp")
	must(t, os.MkdirAll(tmp, 0o777))
	must(t, os.WriteFile(filepath.Join(tmp, "NEW"), nil, 0o666))
	must(t, os.WriteFile(filepath.Join(tmp, "OLD"), nil, 0o666))
	now := time.Now()
	must(t, os.Chtimes(filepath.Join(tmp, "OLD"), now, now.Add(-25*time.Hour)))
	c, err := OpenCache(context.Background(), dir, Options{Clock: func() time.Time { return now }})
	must(t, err)
	put(t, c, newProduct(t, "a", "x"))
	if got := filesIn(t, tmp); len(got) != 1 || got[0] != "NEW" {
		t.Errorf("left: %v", got)
	}
}

func TestDirectoryKeepsRecordsOfNewerFormats(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c := openDir(dir, Options{Clock: time.Now})
	p := newProduct(t, "a", "x")
	newer := []byte(`{"format_version": 99}`)
	must(t, os.MkdirAll(filepath.Dir(c.recordPath(p.rec.Key)), 0o777))
	must(t, os.WriteFile(c.recordPath(p.rec.Key), newer, 0o666))
	var version *VersionError
	if _, err := c.Get(context.Background(), p.rec.Key); !errors.As(err, &version) || !strings.Contains(err.Error(), "newer esd") {
		t.Errorf("Get: %v", err)
	}
	if _, err := c.Put(context.Background(), p.rec, p.open); !errors.As(err, &version) {
		t.Errorf("Put: %v", err)
	}
	if got, _ := os.ReadFile(c.recordPath(p.rec.Key)); string(got) != string(newer) {
		t.Errorf("the record was replaced by %s", got)
	}
	if found, err := c.Has(context.Background(), []string{p.rec.Key}); err != nil || len(found) != 0 {
		t.Errorf("Has: %v, %v", found, err)
	}
}

func TestDirectoryForgetsArchivesThatNoRecordNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c := openAt(dir)(t)
	p, q := newProduct(t, "a", "x"), newProduct(t, "b", "x")
	put(t, c, p)
	put(t, c, q)
	must(t, c.Delete(context.Background(), p.rec.Key, q.rec.Key))
	if got := filesIn(t, dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDirectoryIsSharedAsTheUmaskSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	put(t, openAt(dir)(t), newProduct(t, "a", "x"))
	probe := filepath.Join(t.TempDir(), "probe")
	f, err := os.OpenFile(probe, os.O_CREATE|os.O_WRONLY, 0o666)
	must(t, err)
	must(t, f.Close())
	want, err := os.Stat(probe)
	must(t, err)
	for _, name := range filesIn(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode() != want.Mode() {
			t.Errorf("%s: %v, want %v", name, info.Mode(), want.Mode())
		}
	}
}

func TestDirectoryThatCannotBeWrittenCanBeRead(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everything")
	}
	dir := filepath.Join(t.TempDir(), "c")
	p := newProduct(t, "a", "x")
	put(t, openAt(dir)(t), p)
	lock := func(mode fs.FileMode) {
		must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if d.IsDir() {
				return os.Chmod(name, mode)
			}
			return err
		}))
	}
	lock(0o555)
	t.Cleanup(func() { lock(0o755) })
	c := openAt(dir)(t)
	mustHave(t, c, p)
	q := newProduct(t, "b", "y")
	if _, err := c.Put(context.Background(), q.rec, q.open); !errors.Is(err, ErrReadOnly) {
		t.Errorf("Put: %v", err)
	}
}

func TestDirectoryOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	c := openAt(dir)(t)
	small := newProduct(t, "a", "x")
	put(t, c, small)
	before := filesIn(t, dir)
	large := newProduct(t, "b", incompressible(1<<20))
	_, err := c.Put(context.Background(), large.rec, large.open)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("got %v", err)
	}
	if after := filesIn(t, dir); len(after) != len(before) {
		t.Errorf("left behind: %v", after)
	}
	mustHave(t, c, small)
}

func incompressible(n int) string {
	b := make([]byte, n)
	state := uint64(88172645463325252)
	for i := range b {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		b[i] = byte(state >> 32)
	}
	return string(b)
}

func TestUnpackTakesOnlyWhatIsBelowThePrefix(t *testing.T) {
	c := openAt(filepath.Join(t.TempDir(), "c"))(t)
	p := newProduct(t, "a", "x")
	p.rec.Prefix = "/opt/esd/another"
	put(t, c, p)
	mustBeCorrupt(t, Unpack(context.Background(), c, p.rec, UnpackOptions{Dest: filepath.Join(t.TempDir(), "p")}))
}

func TestPackTreeGivesAProductThatCanBeStored(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o644))
	tmp := t.TempDir()
	packed, err := PackTree(context.Background(), tmp, archive.PackOptions{Root: dir, At: "opt/esd/p-1", MTime: time.Unix(0, 0)})
	must(t, err)
	c := openAt(filepath.Join(t.TempDir(), "c"))(t)
	rec, err := c.Put(context.Background(), Record{
		Key: keyOf("a"), Kind: "recipe", Name: "p", Prefix: "/opt/esd/p-1",
		Archive: DescriptorOf(packed.Summary), Files: packed.Summary.Files,
	}, packed.Open)
	must(t, err)
	must(t, packed.Remove())
	dest := filepath.Join(t.TempDir(), "p")
	must(t, Unpack(context.Background(), c, rec, UnpackOptions{Dest: dest}))
	if b, err := os.ReadFile(filepath.Join(dest, "f")); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if got := filesIn(t, tmp); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	if _, err := PackTree(context.Background(), tmp, archive.PackOptions{Root: filepath.Join(dir, "missing")}); err == nil {
		t.Error("packed what is missing")
	}
	if got := filesIn(t, tmp); len(got) != 0 {
		t.Errorf("left after an error: %v", got)
	}
}

func BenchmarkDirectoryHas(b *testing.B) {
	c := openAt(filepath.Join(b.TempDir(), "c"))(b)
	p := newProduct(b, "a", "x")
	keys := make([]string, 2000)
	for i := range keys {
		keys[i] = keyOf(string(rune(i + 0x4000)))
		p.rec.Key = keys[i]
		put(b, c, p)
	}
	for b.Loop() {
		found, err := c.Has(context.Background(), keys)
		if err != nil || len(found) != len(keys) {
			b.Fatal(len(found), err)
		}
	}
}

func TestDamageIsFoundByThoseWhoStopAtTheAnnouncedSize(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	c := openDir(dir, Options{Clock: time.Now})
	p := newProduct(t, "a", "x")
	put(t, c, p)
	blob := c.blobPath(p.rec.Archive.Digest)
	data, err := os.ReadFile(blob)
	must(t, err)
	data[len(data)/2] ^= 0xff
	must(t, os.WriteFile(blob, data, 0o666))

	r, err := c.Open(context.Background(), p.rec)
	must(t, err)
	defer r.Close()
	var corrupt *CorruptError
	if _, err := io.ReadFull(r, make([]byte, p.rec.Archive.Size)); !errors.As(err, &corrupt) {
		t.Errorf("all bytes of a damaged archive are given out: %v", err)
	}
	if _, err := c.Get(context.Background(), p.rec.Key); !errors.Is(err, ErrNotFound) {
		t.Errorf("the damaged product is still in the cache: %v", err)
	}
}
