package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// benchTree is 60 files of 1 MB and 4,000 of 1 kB: a library package with headers.
func benchTree(b *testing.B) (dir string, size int64) {
	b.Helper()
	dir = b.TempDir()
	text := pseudoText(1 << 20)
	for i := range 60 {
		must(b, os.MkdirAll(filepath.Join(dir, "lib"), 0o755))
		must(b, os.WriteFile(filepath.Join(dir, "lib", fmt.Sprintf("lib%d.so", i)), append(text, byte(i)), 0o755))
		size += int64(len(text))
	}
	for i := range 4000 {
		sub := filepath.Join(dir, "include", fmt.Sprint(i/100))
		must(b, os.MkdirAll(sub, 0o755))
		must(b, os.WriteFile(filepath.Join(sub, fmt.Sprintf("h%d.h", i)), text[i*16:i*16+1024], 0o644))
		size += 1024
	}
	return dir, size
}

func BenchmarkPack(b *testing.B) {
	dir, size := benchTree(b)
	for _, c := range []Compression{Zstd, Gzip, None} {
		b.Run(c.String(), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				s, err := Pack(context.Background(), io.Discard, PackOptions{Root: dir, At: "opt/esd/x", MTime: epoch, Compression: c})
				must(b, err)
				b.ReportMetric(float64(s.Size)/float64(s.Uncompressed), "ratio")
			}
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	dir, size := benchTree(b)
	for _, c := range []Compression{Zstd, Gzip, None} {
		b.Run(c.String(), func(b *testing.B) {
			raw, _ := pack(b, PackOptions{Root: dir, At: "x", Compression: c})
			b.SetBytes(size)
			for i := 0; b.Loop(); i++ {
				dest := filepath.Join(b.TempDir(), fmt.Sprint(i))
				_, err := Unpack(context.Background(), bytes.NewReader(raw), UnpackOptions{Dest: dest})
				must(b, err)
				b.StopTimer()
				must(b, os.RemoveAll(dest))
				b.StartTimer()
			}
		})
	}
}

func BenchmarkUnpackSmallFiles(b *testing.B) {
	const files = 10_000
	headers := make([]tar.Header, files)
	for i := range headers {
		headers[i] = tar.Header{Name: fmt.Sprintf("d%d/f%d", i/100, i), Size: 100}
	}
	raw := tarOf(b, headers...)
	for i := 0; b.Loop(); i++ {
		dest := filepath.Join(b.TempDir(), fmt.Sprint(i))
		_, err := Unpack(context.Background(), bytes.NewReader(raw), UnpackOptions{Dest: dest})
		must(b, err)
		b.StopTimer()
		must(b, os.RemoveAll(dest))
		b.StartTimer()
	}
	b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

func BenchmarkRelocate(b *testing.B) {
	text := pseudoText(16 << 20)
	for name, every := range map[string]int{"nothing to replace": 0, "a path every 4 kB": 4 << 10} {
		b.Run(name, func(b *testing.B) {
			data := bytes.Clone(text)
			for at := every; every > 0 && at+20 < len(data); at += every {
				copy(data[at:], "/tmp/e3x1/lib")
			}
			rr := newRelocatingReader(&Relocation{From: "/tmp/e3x1", To: "/opt/esd1"})
			buf := make([]byte, copyBuffer)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				rr.reset(bytes.NewReader(data))
				_, err := io.CopyBuffer(onlyWriter{io.Discard}, rr, buf)
				must(b, err)
			}
		})
	}
}

func BenchmarkHashTree(b *testing.B) {
	b.Run("2,000 trees of 2 small files", func(b *testing.B) {
		dir := b.TempDir()
		var dirs []string
		for i := range 2000 {
			d := filepath.Join(dir, fmt.Sprint(i))
			must(b, os.Mkdir(d, 0o755))
			must(b, os.WriteFile(filepath.Join(d, "main.c"), fmt.Appendf(nil, "int main() { return %d; }\n", i), 0o644))
			must(b, os.WriteFile(filepath.Join(d, "Makefile"), []byte("install:\n\tcp main $(PREFIX)\n"), 0o644))
			dirs = append(dirs, d)
		}
		before := cpuTime(b)
		for b.Loop() {
			for _, d := range dirs {
				_, err := HashTree(context.Background(), d, HashOptions{})
				must(b, err)
			}
		}
		b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
	})
	b.Run("60 files of 1 MB and 4,000 of 1 kB", func(b *testing.B) {
		dir, size := benchTree(b)
		b.SetBytes(size)
		for b.Loop() {
			_, err := HashTree(context.Background(), dir, HashOptions{})
			must(b, err)
		}
	})
	b.Run("two files of 128 MB", func(b *testing.B) {
		dir := b.TempDir()
		for _, name := range []string{"a", "b"} {
			must(b, os.WriteFile(filepath.Join(dir, name), make([]byte, 128<<20), 0o644))
		}
		b.SetBytes(256 << 20)
		for b.Loop() {
			_, err := HashTree(context.Background(), dir, HashOptions{})
			must(b, err)
		}
	})
}

// cpuTime is what this process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkCopyTree(b *testing.B) {
	dir, size := benchTree(b)
	b.SetBytes(size)
	for i := 0; b.Loop(); i++ {
		dest := filepath.Join(b.TempDir(), fmt.Sprint(i))
		must(b, CopyTree(context.Background(), dir, dest, CopyOptions{}))
		b.StopTimer()
		must(b, os.RemoveAll(dest))
		b.StartTimer()
	}
}
