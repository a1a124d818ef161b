package environment

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func writeManifest(t *testing.T, dir, include string) *existing {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "spack.yaml")
	text := fmt.Sprintf("spack:\n  include: [%s]\n  specs: [zlib]\n", include)
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	x, err := readExisting(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestAManifestIsTheSameWhereverItIsCheckedOut(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	site := filepath.Join(top, "site", "packages.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(site), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(site, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("packages: {all: {require: target=zen2}}\n")
	near, far := filepath.Join(top, "here"), filepath.Join(top, "builds", "1234", "checkout")
	for _, include := range []string{site, filepath.Dir(site)} {
		a, b := writeManifest(t, near, include), writeManifest(t, far, include)
		if a.digest != b.digest {
			t.Errorf("with %s included it is %s in one directory and %s in another", include, a.digest, b.digest)
		}
	}
	before := writeManifest(t, near, site).digest
	write("packages: {all: {require: target=zen3}}\n")
	if after := writeManifest(t, near, site).digest; after == before {
		t.Error("what is included has changed, and that is not seen")
	}
}
