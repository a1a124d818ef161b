package binary

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"esd/internal/spack/relocate"
)

func installBytes(t testing.TB, data []byte, req Request) (map[string]string, Installed, error) {
	t.Helper()
	done, err := Install(context.Background(), bytes.NewReader(data), req)
	if err != nil {
		return nil, done, err
	}
	return treeOf(t, req.Dest), done, nil
}

func TestInstallRelocatesEveryKindOfFile(t *testing.T) {
	t.Parallel()
	const newRoot = "/o"
	req := newRequest(t, newRoot)
	got, done, err := installBytes(t, pack(t, toyTree(t)), req)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		".spack/spec.json":          "file 644 " + toyTree(t)[".spack/spec.json"],
		"bin":                       "directory 755",
		"bin/run":                   "file 755 #!" + req.Prefix + "/bin/python\nprint('/o/elsewhere/dep')\n",
		"bin/alias":                 "file 755 #!" + req.Prefix + "/bin/python\nprint('/o/elsewhere/dep')\n",
		"bin/bound":                 "file 755 #!/bin/sh /o/bin/sbang\n#!" + req.Prefix + "/bin/perl -w\n",
		"lib/libtoy.so.1":           "link to libtoy.so",
		"lib/toy":                   "link to " + req.Prefix + "/lib/libtoy.so",
		"lib/foreign":               "link to /usr/lib/libc.so.6",
		"lib/libtoy.a":              "file 644 " + toyTree(t)["lib/libtoy.a"],
		"lib/pkgconfig/toy.pc":      "file 644 prefix=" + req.Prefix + "\nLibs: -L/o/elsewhere/dep/lib\nchroot=/chroot" + oldToy + "\n",
		"share/doc/caf\xc3\xa9.txt": "file 644 see " + req.Prefix + "\n",
		"share/latin1.txt":          "file 644 gr\xfc\xdfe aus " + req.Prefix + "\n",
		"share/plain.txt":           "file 644 nothing to relocate here\n",
		"share/empty":               "file 644 ",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	lib := got["lib/libtoy.so"]
	for _, want := range []string{req.Prefix + "/lib:/o/elsewhere/dep/lib\x00", strings.Repeat("/", len(oldToy)-len(req.Prefix)) + req.Prefix + "/share\x00"} {
		if !strings.Contains(lib, want) {
			t.Errorf("the library has no %q", want)
		}
	}
	if len(lib) != len("file 755 ")+len(testFile(t, "libtoy.so")) || strings.Contains(lib, "/opt/old") {
		t.Error("the library changed its size, or still has an old prefix")
	}
	if done.OldPrefix != oldToy || done.Relocated != 9 || done.Files != 18 {
		t.Errorf("got %q, %d of %d files relocated", done.OldPrefix, done.Relocated, done.Files)
	}
	a, _ := os.Stat(filepath.Join(req.Dest, "bin/run"))
	b, _ := os.Stat(filepath.Join(req.Dest, "bin/alias"))
	if !os.SameFile(a, b) || !a.ModTime().Equal(epoch()) {
		t.Errorf("the hard link is a file of its own, or the time is %v", a.ModTime())
	}
}

func TestInstallGivesLongPrefixesASbang(t *testing.T) {
	t.Parallel()
	tr := toyTree(t)
	delete(tr, "lib/libtoy.so*") // has the prefix in a string
	root := "/a-root-of-medium-length"
	req := newRequest(t, root)
	req.Prefix = root + strings.Repeat("/and-a-long-way-to-the-package", 4) + "/toy"
	got, _, err := installBytes(t, pack(t, tr), req)
	if err != nil {
		t.Fatal(err)
	}
	sbang := "#!/bin/sh " + root + "/bin/sbang\n"
	for name, want := range map[string]string{
		"bin/run":         "file 755 " + sbang + "#!" + req.Prefix + "/bin/python\nprint('" + root + "/elsewhere/dep')\n",
		"bin/node-script": "file 755 " + sbang + "//!" + req.Prefix + "/bin/node\n",
		"bin/bound":       "file 755 " + sbang + "#!" + req.Prefix + "/bin/perl -w\n",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !strings.Contains(got["lib/librpath.so"], req.Prefix+"/lib\x00") {
		t.Error("the RPATH did not grow")
	}
	compareLayer(t, pack(t, tr), req)
}

func TestInstallRefusesALongerPrefixInAString(t *testing.T) {
	t.Parallel()
	req := newRequest(t, "/much/longer/than/the/old/root")
	_, _, err := installBytes(t, pack(t, toyTree(t)), req)
	var grow *relocate.CannotGrowStringError
	if !errors.As(err, &grow) || grow.File != "lib/libtoy.so" || grow.New != req.Prefix {
		t.Errorf("got %v", err)
	}
	nothingIn(t, filepath.Dir(req.Dest))
}

func nothingIn(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("something is left behind: %v %v", left, err)
	}
}

func TestLayersAreThoseOfInstalls(t *testing.T) {
	t.Parallel()
	data := pack(t, toyTree(t))
	for _, root := range []string{"/o", oldRoot, "/opt/new/store", "/srv"} {
		req := newRequest(t, root)
		if _, _, err := installBytes(t, data, req); err != nil {
			t.Fatal(err)
		}
		compareLayer(t, data, req)
	}
}

func TestLayersOfLargeArchivesUseAFile(t *testing.T) {
	t.Parallel()
	tr := toyTree(t)
	tr["lib/big.txt"] = strings.Repeat(oldToy+"/x\n", 5<<20/len(oldToy)) // more than is relocated in one piece
	tr["bin/big*"] = "#!" + oldToy + "/" + strings.Repeat("x", 120) + "\n" + strings.Repeat("data\n", 1<<20)
	tr["lib/zeros"] = strings.Repeat("\x00", spoolMemory+1)
	data := pack(t, tr)
	req := newRequest(t, "/o")
	req.TempDir = t.TempDir()
	if _, _, err := installBytes(t, data, req); err != nil {
		t.Fatal(err)
	}
	compareLayer(t, data, req)
	nothingIn(t, req.TempDir)
}

func TestEveryCompressionIsRead(t *testing.T) {
	t.Parallel()
	gz := pack(t, toyTree(t))
	plain, err := io.ReadAll(must(decompressBytes(gz)))
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := installBytes(t, gz, newRequest(t, "/o"))
	if err != nil {
		t.Fatal(err)
	}
	var x, z bytes.Buffer
	xw, _ := xz.NewWriter(&x)
	zw, _ := zstd.NewWriter(&z)
	for _, w := range []io.WriteCloser{xw, zw} {
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"plain": plain, "xz": x.Bytes(), "zstd": z.Bytes()} {
		got, _, err := installBytes(t, data, newRequest(t, "/o"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := diffTrees(want, got); len(diff) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(diff, "\n"))
		}
		if prefix, err := Prefix(bytes.NewReader(data)); err != nil || prefix != oldToy {
			t.Errorf("%s: the prefix is %q: %v", name, prefix, err)
		}
	}
}

func TestAPrefixThatExistsIsLeftAlone(t *testing.T) {
	t.Parallel()
	req := newRequest(t, "/o")
	if err := os.MkdirAll(filepath.Join(req.Dest, "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err := installBytes(t, pack(t, toyTree(t)), req)
	if !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got := treeOf(t, req.Dest); len(got) != 2 {
		t.Errorf("there is %v", got)
	}
}

// failing delivers data and then an error, as a reader does that found a wrong
// digest; or calls a function first.
type failing struct {
	r    io.Reader
	err  error
	when func()
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p[:min(len(p), 4096)])
	if err == io.EOF {
		if f.when != nil {
			f.when()
		}
		return n, f.err
	}
	return n, err
}

func TestNothingIsLeftWhenTheArchiveTurnsOutToBeWrong(t *testing.T) {
	t.Parallel()
	data := pack(t, toyTree(t))
	wrong := errors.New("the digest is wrong")
	damaged := bytes.Clone(data)
	damaged[len(damaged)/2] ^= 0x55
	for name, r := range map[string]io.Reader{
		"at its end":     &failing{r: bytes.NewReader(data), err: wrong},
		"when damaged":   &failing{r: bytes.NewReader(damaged), err: wrong},
		"when cut short": &failing{r: bytes.NewReader(data[:len(data)/2]), err: wrong},
	} {
		req := newRequest(t, "/o")
		if _, err := Install(context.Background(), r, req); !errors.Is(err, wrong) {
			t.Errorf("%s: got %v", name, err)
		}
		nothingIn(t, filepath.Dir(req.Dest))
	}
}

func TestNothingIsLeftWhenCancelled(t *testing.T) {
	t.Parallel()
	data := pack(t, toyTree(t))
	stop := errors.New("stopped")
	for name, at := range map[string]int{"at the start": 0, "in between": len(data) / 2, "at the end": len(data)} {
		ctx, cancel := context.WithCancelCause(context.Background())
		req := newRequest(t, "/o")
		r := io.MultiReader(&failing{r: bytes.NewReader(data[:at]), err: io.EOF, when: func() { cancel(stop) }}, bytes.NewReader(data[at:]))
		if _, err := Install(ctx, r, req); !errors.Is(err, stop) {
			t.Errorf("%s: got %v", name, err)
		}
		nothingIn(t, filepath.Dir(req.Dest))
	}
}

func TestTheUmaskDoesNotMatter(t *testing.T) {
	// Not in parallel: the umask is that of the process.
	old := umask(0o077)
	defer umask(old)
	got, _, err := installBytes(t, pack(t, toyTree(t)), newRequest(t, "/o"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{".": "directory 755", "lib": "directory 755", "lib/pkgconfig": "directory 755"} {
		if got[name] != want {
			t.Errorf("%s is a %s", name, got[name])
		}
	}
	for name, prefix := range map[string]string{"bin/run": "file 755 ", "share/empty": "file 644 ", "share/plain.txt": "file 644 "} {
		if !strings.HasPrefix(got[name], prefix) {
			t.Errorf("%s is %.20q", name, got[name])
		}
	}
}

func TestPrefixNeedsOnlyTheBeginning(t *testing.T) {
	t.Parallel()
	data := pack(t, toyTree(t))
	for n := range len(data) {
		prefix, err := Prefix(bytes.NewReader(data[:n]))
		switch {
		case err == nil && prefix == oldToy:
			if n > 1024 {
				t.Errorf("%d bytes were needed", n)
			}
			return
		case !errors.Is(err, ErrNotEnough):
			t.Fatalf("of %d bytes: %q, %v", n, prefix, err)
		}
	}
	t.Error("never")
}

func TestFitsSaysWhatCanBeKnown(t *testing.T) {
	t.Parallel()
	_, done, err := installBytes(t, pack(t, toyTree(t)), newRequest(t, "/o"))
	if err != nil {
		t.Fatal(err)
	}
	for root, want := range map[string]Fit{
		"/o": FitsAlways, "/opt/old/xtore": FitsUnlessShared, "/opt/new/other/store": FitsWithoutStrings,
	} {
		req := newRequest(t, root)
		req.Locate = nil
		if got, err := Fits(done.Metadata, req); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", root, got, err, want)
		}
	}
	other := newRequest(t, "/o")
	other.Spec = other.Specs[depHash]
	var wrong *OtherPackageError
	if _, err := Fits(&Metadata{StoreRoot: "/x", Prefixes: []HashPrefix{{toyHash, "/x/toy"}}}, other); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}

func TestInstallsThatMustLastAreBroughtToTheDisk(t *testing.T) {
	t.Parallel()
	req := newRequest(t, "/o")
	req.NoSync = false
	if _, _, err := installBytes(t, pack(t, toyTree(t)), req); err != nil {
		t.Error(err)
	}
}
