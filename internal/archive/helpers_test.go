package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var epoch = time.Unix(1_700_000_000, 0)

// spec describes a file of a test tree: text, "-> target", or "dir".
type spec struct {
	text string
	mode fs.FileMode
	link string
	hard string // another name in the tree
	dir  bool
}

func writeTree(t testing.TB, dir string, tree map[string]spec) {
	t.Helper()
	for _, hard := range []bool{false, true} {
		for name, s := range tree {
			if (s.hard != "") != hard {
				continue
			}
			p := filepath.Join(dir, name)
			must(t, os.MkdirAll(filepath.Dir(p), 0o777))
			switch {
			case s.hard != "":
				must(t, os.Link(filepath.Join(dir, s.hard), p))
			case s.dir:
				must(t, os.MkdirAll(p, 0o777))
			case s.link != "":
				must(t, os.Symlink(s.link, p))
			default:
				mode := s.mode
				if mode == 0 {
					mode = 0o644
				}
				must(t, os.WriteFile(p, []byte(s.text), 0o600))
				must(t, os.Chmod(p, mode))
			}
		}
	}
}

// readTree gives what is in a directory: "text", "text*" when executable, "-> target".
func readTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		must(t, err)
		rel, _ := filepath.Rel(dir, p)
		switch {
		case rel == ".":
		case d.IsDir():
			got[rel] = "dir"
		case d.Type()&fs.ModeSymlink != 0:
			l, _ := os.Readlink(p)
			got[rel] = "-> " + l
		default:
			b, err := os.ReadFile(p)
			must(t, err)
			info, _ := d.Info()
			got[rel] = string(b)
			if info.Mode()&0o111 != 0 {
				got[rel] += "*"
			}
		}
		return nil
	}))
	return got
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pack(t testing.TB, opts PackOptions) ([]byte, Summary) {
	t.Helper()
	if opts.MTime.IsZero() {
		opts.MTime = epoch
	}
	var b bytes.Buffer
	s, err := Pack(context.Background(), &b, opts)
	must(t, err)
	return b.Bytes(), s
}

// tarOf writes headers as they are, with bodies of zeros for files that have none.
func tarOf(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		must(t, w.WriteHeader(&h))
		_, err := io.CopyN(w, zeros{}, h.Size)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
