package filesystem

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

var (
	hashA = spack.Hash(strings.Repeat("a", 32))
	hashB = spack.Hash(strings.Repeat("b", 32))
)

const owner = "0123456789abcdef"

// newTree makes a directory that has a database's directory.
func newTree(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, databaseDir), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLedgers(t *testing.T) {
	t.Parallel()
	t.Run("read back as written, sorted and each hash once", func(t *testing.T) {
		t.Parallel()
		path := newTree(t)
		l := ledger{Target: "target.filesystem.x", Members: []spack.Hash{hashB, hashA, hashB}, Installed: []spack.Hash{hashB}}
		if err := l.write(path, owner); err != nil {
			t.Fatal(err)
		}
		got, ok, err := readLedger(path, owner)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if diff := cmp.Diff(ledger{1, "target.filesystem.x", []spack.Hash{hashA, hashB}, []spack.Hash{hashB}, nil}, got); diff != "" {
			t.Error(diff)
		}
		if names, _ := os.ReadDir(filepath.Join(path, databaseDir)); len(names) != 1 {
			t.Errorf("something is left behind: %v", names)
		}
	})
	t.Run("that are not there are empty", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{owner, "", "../../../etc/passwd"} {
			if _, ok, err := readLedger(newTree(t), name); ok || err != nil {
				t.Error(name, ok, err)
			}
		}
	})
	t.Run("have names that lead nowhere else", func(t *testing.T) {
		t.Parallel()
		if err := (ledger{}).write(newTree(t), "../../evil/abcde"); err == nil {
			t.Error("written")
		}
	})
	t.Run("of others reserve their members", func(t *testing.T) {
		t.Parallel()
		path := newTree(t)
		for name, l := range map[string]ledger{
			owner: {Members: []spack.Hash{hashA}}, "fedcba9876543210": {Members: []spack.Hash{hashB}, Installed: []spack.Hash{hashA}},
		} {
			if err := l.write(path, name); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(path, databaseDir, "esd-notes.json"), []byte("not ours"), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := reserved(path, owner)
		if err != nil || !cmp.Equal(got, map[spack.Hash]bool{hashB: true}) {
			t.Error(got, err)
		}
	})
	t.Run("of others that cannot be read are an error", func(t *testing.T) {
		t.Parallel()
		path := newTree(t)
		if err := os.WriteFile(ledgerPath(path, "fedcba9876543210"), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := reserved(path, owner); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
	})
}

func TestDamagedLedgersAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "damaged"},
		"cut short":          {`{"format_version":1,"members":["aaaa`, "damaged"},
		"of another version": {`{"format_version":2}`, "version 2"},
		"of no version":      {`{}`, "version 0"},
		"with a path":        {`{"format_version":1,"installed":["../../../../../../../etc/passwd1"]}`, "no hash"},
	} {
		if _, err := parseLedger([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseLedger(f *testing.F) {
	f.Add([]byte(`{"format_version":1,"target":"t","members":["` + hashA + `"],"installed":["` + hashA + `"],"marked":["` + hashA + `"]}`))
	f.Add([]byte(`{"format_version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseLedger(data)
		if err != nil {
			return
		}
		for _, list := range [][]spack.Hash{l.Members, l.Installed, l.Marked} {
			for _, h := range list {
				if !h.Valid() {
					t.Errorf("%q was taken", h)
				}
			}
		}
	})
}

func TestSentencesCountAndName(t *testing.T) {
	t.Parallel()
	specs := []*spack.Spec{{Name: "a", Version: "1"}, {Name: "b", Version: "2"}, {Name: "c", Version: "3"}, {Name: "d", Version: "4"}, {Name: "e", Version: "5"}}
	for n, want := range map[int]string{
		1: "a 1 is", 2: "a 1 and b 2 are", 3: "a 1, b 2 and c 3 are", 4: "a 1, b 2, c 3 and d 4 are", 5: "a 1, b 2, c 3 and 2 others are",
	} {
		if got := names(specs[:n], "is", "are"); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestRealPathsAreThoseWithoutLinks(t *testing.T) {
	t.Parallel()
	dir := real(t.TempDir())
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                     dir,
		"link":                 dir,
		"link/not/there":       dir + "/not/there",
		"link/link/not":        dir + "/not",
		"not/../is/not/called": dir + "/is/not/called",
	} {
		if got := real(filepath.Join(dir, path)); got != want {
			t.Errorf("%s is %s", path, got)
		}
	}
}
