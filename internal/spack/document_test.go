package spack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack"
)

// TestDocumentsAreWrittenAsBySpack compares with digests of the documents that
// Spack 1.2 and 0.23 wrote of each package of the locks.
func TestDocumentsAreWrittenAsBySpack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v12-medium", "v023-medium"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := specsOf(t, name)
			recorded, err := os.ReadFile(filepath.Join("testdata", name+".documents"))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(recorded)), "\n")
			if len(lines) != len(lock.Specs) {
				t.Fatalf("%d documents of %d specs", len(lines), len(lock.Specs))
			}
			for _, line := range lines {
				hash, want, _ := strings.Cut(line, " ")
				s := lock.Specs[spack.Hash(hash)]
				data, err := spack.EncodeDocument(s, lock.Specs, 0)
				if err != nil {
					t.Fatal(err)
				}
				if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
					t.Errorf("the document of %s is another one", s.Name)
				}
				readBack(t, s, data)
			}
		})
	}
}

func readBack(t *testing.T, s *spack.Spec, data []byte) {
	t.Helper()
	doc, err := spack.DecodeDocument(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := spack.EncodeDocument(doc.Root, doc.Specs, 0)
	if err != nil || !bytes.Equal(again, data) || doc.Root.Hash != s.Hash {
		t.Errorf("the document of %s is not the same after reading it: %v", s.Name, err)
	}
}

func TestADocumentForACacheNamesItsLayout(t *testing.T) {
	t.Parallel()
	lock := specsOf(t, "v12-small")
	data, err := spack.EncodeDocument(lock.Specs[lock.Roots[0].Hash], lock.Specs, 2)
	if err != nil || !bytes.HasSuffix(data, []byte(`]},"buildcache_layout_version":2}`)) {
		t.Fatalf("%v: %s", err, data[max(0, len(data)-50):])
	}
	doc, err := spack.DecodeDocument(data)
	if err != nil || doc.LayoutVersion != 2 || doc.Version != 5 || len(doc.Specs) != 21 {
		t.Errorf("%+v, %v", doc, err)
	}
}

// nodeOf is a spec without anything that is optional.
func nodeOf(name string, hash spack.Hash, more string) string {
	return fmt.Sprintf(`{"name":%q,"version":"1","arch":{"platform":"linux","platform_os":"debian12","target":"zen3"},"parameters":{}%s,"hash":%q}`, name, more, hash)
}

// needs is the part of a node with one dependency.
func needs(name string, hash spack.Hash) string {
	return fmt.Sprintf(`,"dependencies":[{"name":%q,"hash":%q,"parameters":{"deptypes":["link"],"virtuals":[]}}]`, name, hash)
}

func hashOf(letter string) spack.Hash { return spack.Hash(strings.Repeat(letter, spack.HashLength)) }

func TestASplicedSpecBringsWhatItWasBuiltAs(t *testing.T) {
	t.Parallel()
	a, b, c, d := hashOf("a"), hashOf("b"), hashOf("c"), hashOf("d")
	built := fmt.Sprintf(`,"build_spec":{"name":"top","hash":%q}`, d)
	all := spack.Specs{}
	for _, raw := range []string{
		nodeOf("top", a, needs("mid", b)+built), nodeOf("mid", b, needs("low", c)), nodeOf("low", c, ""), nodeOf("top", d, needs("low", c)),
	} {
		s, err := spack.DecodeSpec([]byte(raw), 5)
		if err != nil {
			t.Fatal(err)
		}
		all[s.Hash] = s
	}
	data, err := spack.EncodeDocument(all[a], all, 0)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := spack.DecodeDocument(data)
	if err != nil || fmt.Sprint(doc.Order) != fmt.Sprint([]spack.Hash{a, d, c, b}) {
		t.Errorf("%v, %v", doc.Order, err)
	}
	delete(all, d)
	if _, err := spack.EncodeDocument(all[a], all, 0); !isMissing(err, d) {
		t.Errorf("without the spec that it was built as: %v", err)
	}
}

func isMissing(err error, h spack.Hash) bool {
	var missing *spack.MissingError
	return errors.As(err, &missing) && missing.Hash == h
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	t.Parallel()
	a, b := hashOf("a"), hashOf("b")
	document := func(nodes ...string) string {
		return `{"spec":{"_meta":{"version":5},"nodes":[` + strings.Join(nodes, ",") + `]}}`
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"another file":      `{"database":{}}`,
		"version 1":         `{"spec":[{"zlib":{}}]}`,
		"a newer version":   `{"spec":{"_meta":{"version":6},"nodes":[` + nodeOf("x", a, "") + `]}}`,
		"no nodes":          document(),
		"a hash twice":      document(nodeOf("x", a, ""), nodeOf("x", a, "")),
		"a missing node":    document(nodeOf("x", a, needs("y", b))),
		"another name":      document(nodeOf("x", a, needs("y", b)), nodeOf("z", b, "")),
		"a circle":          document(nodeOf("x", a, needs("y", b)), nodeOf("y", b, needs("x", a))),
		"cut short":         document(nodeOf("x", a, ""))[:150],
		"name with a slash": document(nodeOf("../x", a, "")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := spack.DecodeDocument([]byte(text)); err == nil {
				t.Error("it is taken for a document")
			} else {
				t.Log(err)
			}
		})
	}
}

func FuzzDecodeDocument(f *testing.F) {
	a, b := hashOf("a"), hashOf("b")
	f.Add([]byte(`{"spec":{"_meta":{"version":5},"nodes":[` + nodeOf("x", a, needs("y", b)) + `,` + nodeOf("y", b, `,"external":{"path":"/usr","module":null}`) + `]},"buildcache_layout_version":2}`))
	f.Add([]byte(`{"spec":{"_meta":{"version":5},"nodes":[` + nodeOf("x", a, `,"build_spec":{"name":"x","hash":"`+string(b)+`"}`) + `,` + nodeOf("x", b, ``) + `]}}`))
	f.Add([]byte(`{"spec":{"_meta":{"version":4},"nodes":[` + nodeOf("x", hashOf("a"), `,"compiler":{"name":"gcc","version":"1"}`) + `]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := spack.DecodeDocument(data)
		if err != nil {
			return
		}
		if _, err := spack.EncodeDocument(doc.Root, doc.Specs, doc.LayoutVersion); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
	})
}
