package binary

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/relocate"
)

// rpathOf gives the directories that a library is looked for in.
func rpathOf(t testing.TB, name string) string {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	rpath, _ := f.DynString(elf.DT_RPATH)
	runpath, _ := f.DynString(elf.DT_RUNPATH)
	return strings.Join(append(rpath, runpath...), ":")
}

// Into a longer root, Spack calls patchelf for RPATHs, so files may differ in
// how they say the same; and what Spack cannot install, we must not either.
func TestInstallsIntoALongerRootMeanWhatSpacksMean(t *testing.T) {
	t.Parallel()
	lab := lab(t)
	top, err := os.MkdirTemp("/tmp", "a-root-that-is-longer-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	spackInstall(t, filepath.Join(lab, "env12.sh"), "env-toy12", "v3", top, 0, "|| true")
	theirs := readIndex(t, top, top, 5)
	// What Spack could not install is not in its database.
	source := readIndex(t, filepath.Join(lab, "store12"), "", 5)
	locate := func(h spack.Hash) (string, bool) {
		old, ok := source.paths[h]
		return strings.Replace(old, filepath.Join(lab, "store12"), top, 1), ok
	}
	refused, patched := 0, 0
	for _, h := range source.hashes() {
		spec := source.specs[h]
		file := cached(t, filepath.Join(lab, "caches/v3"), spec)
		if file == "" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		prefix, _ := locate(h)
		req := Request{
			Spec: spec, Specs: source.specs, Prefix: prefix, Dest: filepath.Join(t.TempDir(), string(h)),
			Root: top, Locate: locate, NoSync: true,
		}
		_, err = Install(context.Background(), bytes.NewReader(data), req)
		var grow *relocate.CannotGrowStringError
		if errors.As(err, &grow) {
			refused++
			if _, installed := theirs.paths[h]; installed {
				t.Errorf("Spack has installed %s, we have not: %v", spec.ID(), err)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		compareLayer(t, data, req)
		if _, installed := theirs.paths[h]; !installed {
			continue // a dependency of it was refused
		}
		diff := diffTrees(treeOf(t, prefix), treeOf(t, req.Dest))
		diff = slices.DeleteFunc(diff, func(line string) bool {
			name, _, _ := strings.Cut(line, " ")
			ours := rpathOf(t, filepath.Join(req.Dest, name))
			same := ours != "" && ours == rpathOf(t, filepath.Join(prefix, name))
			if same {
				patched++
			}
			return same || name == ".spack/install_times.json"
		})
		if len(diff) > 0 {
			t.Errorf("%s:\n%s", spec.ID(), strings.Join(diff, "\n"))
		}
	}
	if refused == 0 || patched == 0 {
		t.Errorf("%d packages were refused, %d RPATHs grew: this says too little", refused, patched)
	}
	t.Logf("%d packages refused, %d files with a longer RPATH", refused, patched)
}
