package relocate

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build compiles an executable that calls a library, which it finds by its RPATH.
func build(t *testing.T, dir, prefix string, flags ...string) (exe, lib string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc to build with")
	}
	libDir := filepath.Join(dir, "lib")
	if err := os.MkdirAll(libDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"l.c": "static char big[1<<20]; int answer(int n) { big[n]=1; return 41 + big[n]; }\n",
		"m.c": "#include <stdio.h>\nint answer(int);\nstatic char zeros[3<<20];\nint main(int c, char **v) { zeros[c]=1; printf(\"%d\\n\", answer(c)+zeros[c+1]); return 0; }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	exe, lib = filepath.Join(dir, "m"), filepath.Join(libDir, "libl.so")
	run := func(args ...string) {
		cmd := exec.Command("gcc", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Skipf("gcc %v: %v\n%s", args, err, out)
		}
	}
	shared := []string{"-shared", "-fPIC", "-o", lib, "l.c", "-Wl,-rpath," + prefix + "/lib", "-Wl,-soname,libl.so"}
	program := []string{"-o", exe, "m.c", "-Llib", "-ll", "-Wl,-rpath," + prefix + "/lib"}
	for _, f := range flags {
		if f != "-no-pie" {
			shared = append(shared, f)
		}
		program = append(program, f)
	}
	run(shared...)
	run(program...)
	return exe, lib
}

func mapOf(t *testing.T, pairs ...string) *Map {
	t.Helper()
	var rs []Replacement
	for i := 0; i < len(pairs); i += 2 {
		rs = append(rs, Replacement{pairs[i], pairs[i+1]})
	}
	m, err := New(rs)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// relocateFile relocates a file on disk.
func relocateFile(t *testing.T, m *Map, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	size, _, err := m.Binary(filepath.Base(name), f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	if info, err = f.Stat(); err != nil || info.Size() != size {
		t.Fatalf("size is %d, announced %d: %v", info.Size(), size, err)
	}
}

func TestProgramsRunWithALongerRpath(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"position-independent":            nil,
		"at a fixed address":              {"-no-pie"},
		"with RPATH":                      {"-Wl,--disable-new-dtags"},
		"without build ID":                {"-Wl,--build-id=none"},
		"without any property note":       {"-Wl,--build-id=none", "-Wl,-z,nognustack", "-fcf-protection=none"},
		"with huge pages":                 {"-Wl,-z,max-page-size=0x200000"},
		"with all relocations at startup": {"-Wl,-z,relro,-z,now"},
		"linked by gold":                  {"-fuse-ld=gold"},
		"linked by lld":                   {"-fuse-ld=lld"},
		"with code apart from data":       {"-Wl,-z,separate-code"},
		"with code beside data":           {"-Wl,-z,noseparate-code"},
		"of 32 bits":                      {"-m32"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			exe, lib := build(t, dir, "/old", flags...)
			m := mapOf(t, "/old", dir)
			relocateFile(t, m, exe)
			relocateFile(t, m, lib)
			out, err := exec.Command(exe).CombinedOutput()
			if err != nil || string(out) != "42\n" {
				t.Fatalf("%v: %s", err, out)
			}
			for _, file := range []string{exe, lib} {
				f, err := elf.Open(file)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				runpath, _ := f.DynString(elf.DT_RUNPATH)
				rpath, _ := f.DynString(elf.DT_RPATH)
				if got := strings.Join(append(runpath, rpath...), ":"); got != dir+"/lib" {
					t.Errorf("the RPATH is %q", got)
				}
				if data, _ := os.ReadFile(file); bytes.Contains(data, []byte("/old")) {
					t.Error("the old prefix is still in the file")
				}
			}
			strip(t, exe)
		})
	}
}

// strip checks that other tools still understand the file.
func strip(t *testing.T, exe string) {
	t.Helper()
	if _, err := exec.LookPath("strip"); err != nil {
		return
	}
	if out, err := exec.Command("readelf", "-aW", exe).CombinedOutput(); err != nil || bytes.Contains(out, []byte("Warning")) {
		t.Errorf("readelf: %v\n%s", err, out)
	}
	if out, err := exec.Command("strip", exe).CombinedOutput(); err != nil {
		t.Fatalf("strip: %v\n%s", err, out)
	}
	if out, err := exec.Command(exe).CombinedOutput(); err != nil || string(out) != "42\n" {
		t.Errorf("after strip: %v: %s", err, out)
	}
}

func TestProgramsRunWithALongerInterpreter(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"position-independent": nil, "at a fixed address": {"-no-pie"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			exe, lib := build(t, dir, "/old", append(flags, "-Wl,--dynamic-linker=/old/ld.so")...)
			original, _ := build(t, filepath.Join(dir, "plain"), "/old", flags...)
			f, err := elf.Open(original)
			if err != nil {
				t.Fatal(err)
			}
			interp, err := f.Section(".interp").Data()
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(string(bytes.TrimRight(interp, "\x00")), filepath.Join(dir, "ld.so")); err != nil {
				t.Fatal(err)
			}
			m := mapOf(t, "/old", dir)
			relocateFile(t, m, exe)
			relocateFile(t, m, lib)
			if out, err := exec.Command(exe).CombinedOutput(); err != nil || string(out) != "42\n" {
				t.Fatalf("%v: %s", err, out)
			}
		})
	}
}

func TestRefusesToGrowWhatCarriesSomethingAtItsEnd(t *testing.T) {
	t.Parallel()
	exe, _ := build(t, t.TempDir(), "/old")
	data, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, strings.Repeat("PK archive of a self-extracting program", 10)...)
	_, _, err = mapOf(t, "/old", "/much/longer").Binary("bin/m", &Buffer{data}, int64(len(data)))
	var grow *CannotGrowStringError
	if !errors.As(err, &grow) || grow.Old != "/old" || grow.File != "bin/m" {
		t.Errorf("got %v", err)
	}
}

// recorded is a library that was built once: prefix and strings as in the tests
// of package binary.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const recordedPrefix = "/opt/old/store/linux-x86_64/toy-1.0-abcdefghijklmnopqrstuvwxyz234567"

func TestALibraryWithoutNotesGetsNewHeaders(t *testing.T) {
	t.Parallel()
	m := mapOf(t, recordedPrefix, "/a/prefix/that/is/much"+recordedPrefix)
	b := &Buffer{recorded(t, "librpath.so")}
	old := int64(len(b.Data))
	size, changed, err := m.Binary("lib", b, old)
	if err != nil || !changed || size != int64(len(b.Data)) || size <= old {
		t.Fatal(size, changed, err)
	}
	f, err := elf.NewFile(bytes.NewReader(b.Data))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.DynString(elf.DT_RUNPATH)
	if err != nil || len(got) != 1 || got[0] != "/a/prefix/that/is/much"+recordedPrefix+"/lib" {
		t.Errorf("the RUNPATH is %q: %v", got, err)
	}
	if soname, err := f.DynString(elf.DT_SONAME); err != nil || soname[0] != "librpath.so" {
		t.Errorf("the name is %q: %v", soname, err)
	}
	last := f.Progs[0]
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			if p.Vaddr < last.Vaddr {
				t.Error("segments are out of order")
			}
			last = p
		}
	}
	if last.Vaddr%last.Align != last.Off%last.Align || int64(last.Off+last.Filesz) != size {
		t.Errorf("the last segment is %+v", last.ProgHeader)
	}
}

func FuzzBinary(f *testing.F) {
	f.Add(recorded(f, "libtoy.so"), true)
	f.Add(recorded(f, "librpath.so"), false)
	f.Add([]byte(recordedPrefix+"\x00"), true)
	f.Fuzz(func(t *testing.T, data []byte, longer bool) {
		to := "/n"
		if longer {
			to = "/a/prefix/that/is/much" + recordedPrefix
		}
		m := mapOf(t, recordedPrefix, to)
		b := &Buffer{bytes.Clone(data)}
		size, changed, err := m.Binary("f", b, int64(len(data)))
		if err != nil {
			return
		}
		if size != int64(len(b.Data)) || !changed && !bytes.Equal(b.Data, data) {
			t.Fatalf("size %d of %d, changed %v", size, len(b.Data), changed)
		}
	})
}

func BenchmarkBinary(b *testing.B) {
	data := bytes.Repeat(recorded(b, "libtoy.so"), 4000)
	m, err := New([]Replacement{{recordedPrefix, "/o/toy-1.0-abcdefghijklmnopqrstuvwxyz234567"}, {"/opt/old/store", "/o"}})
	if err != nil {
		b.Fatal(err)
	}
	for name, content := range map[string][]byte{"few-prefixes": make([]byte, len(data)), "many-prefixes": data} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if _, _, err := m.Binary("f", &Buffer{content}, int64(len(content))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
