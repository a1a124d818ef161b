package binary

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack"
)

const (
	toyHash = spack.Hash("abcdefghijklmnopqrstuvwxyz234567")
	depHash = spack.Hash("bbcdefghijklmnopqrstuvwxyz234567")
	oldRoot = "/opt/old/store"
	oldToy  = oldRoot + "/linux-x86_64/toy-1.0-" + string(toyHash)
	oldDep  = oldRoot + "/linux-x86_64/dep-2-" + string(depHash)
)

// toy is a package with a dependency that it is linked to.
func toy() (*spack.Spec, spack.Specs) {
	arch := spack.Arch{Platform: "linux", OS: "debian12", Target: "x86_64"}
	dep := &spack.Spec{Name: "dep", Version: "2", Hash: depHash, Arch: arch}
	toy := &spack.Spec{Name: "toy", Version: "1.0", Hash: toyHash, Arch: arch,
		Dependencies: []spack.Edge{{Name: "dep", Hash: depHash, Types: spack.Link}}}
	return toy, spack.Specs{toyHash: toy, depHash: dep}
}

// newRequest installs the toy to NEWROOT/linux-x86_64, with files below dest.
func newRequest(t testing.TB, newRoot string) Request {
	spec, specs := toy()
	return Request{
		Spec: spec, Specs: specs, Root: newRoot, NoSync: true,
		Prefix: newRoot + "/linux-x86_64/toy-1.0-" + string(toyHash),
		Dest:   filepath.Join(t.TempDir(), "toy"),
		Locate: func(h spack.Hash) (string, bool) { return newRoot + "/elsewhere/dep", h == depHash },
	}
}

func testFile(t testing.TB, name string) string {
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// entry is one thing in a tree: a file, executable if the name ends in "*", or
// a link if content begins with "->", a hard one with "=>".
type tree map[string]string

func (tr tree) write(t testing.TB, dir string) {
	for name, content := range tr {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, "*") {
			mode = 0o755
		}
		at := filepath.Join(dir, strings.TrimSuffix(name, "*"))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(content, "->"); link {
			err = os.Symlink(target, at)
		} else if strings.HasPrefix(content, "=>") {
			continue
		} else {
			err = os.WriteFile(at, []byte(content), mode)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range tr {
		if old, hard := strings.CutPrefix(content, "=>"); hard {
			if err := os.Link(filepath.Join(dir, old), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// toyTree has one of everything.
func toyTree(t testing.TB) tree {
	return tree{
		".spack/spec.json":          `{"prefix":"` + oldToy + `"}`,
		"bin/run*":                  "#!" + oldToy + "/bin/python\nprint('" + oldDep + "')\n",
		"bin/bound*":                "#!/bin/sh " + oldRoot + "/bin/sbang\n#!" + oldToy + "/bin/perl -w\n",
		"bin/node-script*":          "#!" + oldToy + "/bin/node\n",
		"bin/alias":                 "=>bin/run",
		"lib/libtoy.so*":            testFile(t, "libtoy.so"),
		"lib/librpath.so*":          testFile(t, "librpath.so"),
		"lib/libtoy.so.1":           "->libtoy.so",
		"lib/toy":                   "->" + oldToy + "/lib/libtoy.so",
		"lib/foreign":               "->/usr/lib/libc.so.6",
		"lib/libtoy.a":              "!<arch>\n\x00\x80" + oldToy,
		"lib/pkgconfig/toy.pc":      "prefix=" + oldToy + "\nLibs: -L" + oldDep + "/lib\nchroot=/chroot" + oldToy + "\n",
		"share/doc/caf\xc3\xa9.txt": "see " + oldToy + "\n",
		"share/latin1.txt":          "gr\xfc\xdfe aus " + oldToy + "\n",
		"share/empty":               "",
		"share/plain.txt":           "nothing to relocate here\n",
		"share/" + strings.Repeat("long", 40) + "/" + strings.Repeat("name", 30): "deep\n",
	}
}

// pack makes an archive of a tree as if it had been at oldToy.
func pack(t testing.TB, tr tree) []byte {
	t.Helper()
	dir := t.TempDir()
	tr.write(t, dir)
	spec, specs := toy()
	var out bytes.Buffer
	_, err := Pack(context.Background(), &out, PackRequest{
		Prefix: oldToy, Dir: dir, Spec: spec, Specs: specs, StoreRoot: oldRoot, SpackRoot: "/opt/spack",
		Locate: func(spack.Hash) (string, bool) { return oldDep, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// tarOf writes any headers, with contents of the announced size.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.Uname // what is to be in it
		h.Uname = ""
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write(append([]byte(content), make([]byte, h.Size-int64(len(content)))...)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compress(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
