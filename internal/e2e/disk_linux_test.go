package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk mounts a small file system at a directory.
func disk(t *testing.T, dir, size string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
}

func grow(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size="+size); err != nil {
		t.Fatal(err)
	}
}

func TestAFullDiskIsSaidAndTheNextRunGoesOn(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	tests := map[string]string{ // what is on the small disk
		"of working data":    ".esd",
		"of the cache":       "../cache",
		"of the destination": "dist",
	}
	for name, place := range tests {
		for _, size := range []string{"1m", "9m", "18m"} { // in the build, in the archive, after it
			t.Run(name+" "+size, func(t *testing.T) {
				t.Parallel()
				host := newRegistry(t, nil)
				files := replaced(bigStack(host, "small"), `"]`, `", "oci:dist/lab:v1"]`)
				files["cache.hcl"] = "cache \"artifact\" \"shared\" {\n  url = \"../cache\"\n}\n"
				m := newMachine(t, files)
				disk(t, m.path(place), size)
				e := m.esd("apply", "--auto-approve")
				if e.code != 0 {
					wantSays(t, e, "o space left") // the kernel says "no", head says "No"
					t.Logf("exit code %d: %s", e.code, lastLines(e.stderr, 10))
				}
				m.want(0, "state", "list")
				records(t, filepath.Clean(m.path("../cache")))
				layoutTag(t, m.path("dist/lab"), "v1")
				before := records(t, m.path("../cache"))

				grow(t, m.path(place), "200m")
				built := m.apply().completed("build")
				for _, address := range built {
					if _, had := before[strings.TrimPrefix(address, "recipe.")]; had {
						t.Errorf("%s was built again", address)
					}
				}
				if got := tagged(t, host, "esd/lab", "v1"); got != m.output("digest") {
					t.Errorf("the tag names %s, want %s", got, m.output("digest"))
				}
				wantWhole(t, host, "esd/lab", "v1")
				m.wantNothingToDo()
			})
		}
	}
}

func TestACacheThatCannotBeWrittenIsSaid(t *testing.T) {
	t.Parallel()
	m := newMachine(t, smallStack("one", "oci:dist/lab:v1"))
	m.write(map[string]string{"cache.hcl": "cache \"artifact\" \"shared\" {\n  url = \"../cache\"\n}\n"})
	m.apply()
	if os.Getuid() == 0 {
		disk(t, m.path("../readonly"), "1m")
		if err := os.CopyFS(m.path("../readonly"), os.DirFS(m.path("../cache"))); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", m.path("../readonly"), "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	} else {
		if err := os.Rename(m.path("../cache"), m.path("../readonly")); err != nil {
			t.Fatal(err)
		}
		setDirectories(t, m.path("../readonly"), 0o555)
		t.Cleanup(func() { setDirectories(t, m.path("../readonly"), 0o755) })
	}
	m.write(map[string]string{"cache.hcl": "cache \"artifact\" \"shared\" {\n  url = \"../readonly\"\n}\n"})
	m.wantNothingToDo() // reading is enough where nothing is to be built

	m.write(smallStack("two", "oci:dist/lab:v1"))
	e := m.want(6, "apply", "--auto-approve")
	wantSays(t, e, "readonly", "push = false")
	t.Log(lastLines(e.stderr, 8))

	m.write(map[string]string{"cache.hcl": "cache \"artifact\" \"a\" {\n  url  = \"../readonly\"\n  push = false\n}\ncache \"artifact\" \"b\" {\n  url = \"../mine\"\n}\n"})
	if built := m.apply().completed("build"); len(built) != 1 {
		t.Errorf("%v was built, want only what the cache does not have", built)
	}
	m.wantNothingToDo()
}

// setDirectories sets the mode of all directories below one, and of itself.
func setDirectories(t testing.TB, top string, mode fs.FileMode) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Error(err)
	}
}
