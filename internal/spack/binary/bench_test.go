package binary

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"esd/internal/spack"
)

const benchHash = spack.Hash("abcdefghijklmnopqrstuvwxyz234567")

func benchSpec() *spack.Spec {
	return &spack.Spec{Name: "bench", Version: "1", Hash: benchHash, Arch: spack.Arch{Platform: "linux"}}
}

// systemTree copies libraries of this machine, to pack them as if they were a
// package.
func systemTree(b *testing.B, most int64) string {
	b.Helper()
	tree := b.TempDir()
	var size int64
	for _, from := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/gcc", "/usr/lib/python3", "/usr/lib"} {
		_ = filepath.WalkDir(from, func(p string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || size > most {
				return nil
			}
			data, err := os.ReadFile(p)
			to := filepath.Join(tree, p)
			if err == nil && os.MkdirAll(filepath.Dir(to), 0o755) == nil && os.WriteFile(to, data, 0o755) == nil {
				size += int64(len(data))
			}
			return nil
		})
	}
	if size < most/2 {
		b.Skip("not enough in /usr/lib to measure with")
	}
	return tree
}

func packTree(b *testing.B, tree string) (name string, tarSize int64) {
	b.Helper()
	name = filepath.Join(b.TempDir(), "archive.tar.gz")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p, err := Pack(context.Background(), f, benchPack(tree))
	if err != nil {
		b.Fatal(err)
	}
	return name, p.TarSize
}

func benchPack(tree string) PackRequest {
	return PackRequest{Prefix: "/opt/old/store/linux-x86_64/bench-1-" + string(benchHash), Dir: tree, Spec: benchSpec(), StoreRoot: "/opt/old/store"}
}

func smallTree(b *testing.B, n int) string {
	tree := b.TempDir()
	for i := range n {
		name := filepath.Join(tree, fmt.Sprintf("lib/d%03d/f%d.py", i/100, i))
		text := strings.Repeat(fmt.Sprintf("def f%d(): return %d\n", i, i), 50)
		if i%10 == 0 {
			text = "#!/opt/old/store/linux-x86_64/bench-1-" + string(benchHash) + "/bin/python\n" + text
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return tree
}

// cpu reports the processor time of this process and of those it ran, which says
// more than the clock where others use the machine as well.
func cpu(b *testing.B) func() {
	used := func() (sum time.Duration) {
		for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
			var r syscall.Rusage
			if err := syscall.Getrusage(who, &r); err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
		return sum
	}
	sum, start := time.Duration(0), used()
	return func() {
		if start >= 0 {
			sum += used() - start
			start = -1
			b.ReportMetric(float64(sum.Milliseconds())/float64(b.N), "cpu-ms/op")
			return
		}
		start = used()
	}
}

// measure runs an install, and zcat and tar over the same archive for comparison.
func measure(b *testing.B, name string, size int64) {
	dest := b.TempDir()
	b.Run("install", func(b *testing.B) {
		b.SetBytes(size)
		toggle := cpu(b)
		toggle()
		for i := range b.N {
			toggle()
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			at := filepath.Join(dest, fmt.Sprint(i))
			_, err = Install(context.Background(), f, Request{Spec: benchSpec(), Prefix: "/o/bench-1-" + string(benchHash), Root: "/o", Dest: at, NoSync: true})
			f.Close()
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			toggle()
			os.RemoveAll(at)
			b.StartTimer()
		}
	})
	b.Run("zcat-tar", func(b *testing.B) {
		b.SetBytes(size)
		toggle := cpu(b)
		toggle()
		for i := range b.N {
			toggle()
			at := filepath.Join(dest, fmt.Sprint("t", i))
			if out, err := exec.Command("sh", "-c", `mkdir "$1" && zcat "$0" | tar -C "$1" -x --no-same-owner`, name, at).CombinedOutput(); err != nil {
				b.Skipf("%v: %s", err, out)
			}
			b.StopTimer()
			toggle()
			os.RemoveAll(at)
			b.StartTimer()
		}
	})
	b.Run("layer", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			f, err := os.Open(name)
			if err != nil {
				b.Fatal(err)
			}
			_, err = Layer(context.Background(), f, io.Discard, Request{Spec: benchSpec(), Prefix: "/o/bench-1-" + string(benchHash), Root: "/o"})
			f.Close()
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBigArchive(b *testing.B) {
	name, size := packTree(b, systemTree(b, 500<<20))
	measure(b, name, size)
}

func BenchmarkManySmallFiles(b *testing.B) {
	name, size := packTree(b, smallTree(b, 20000))
	measure(b, name, size)
}

func BenchmarkPack(b *testing.B) {
	for name, tree := range map[string]string{"big": systemTree(b, 100<<20), "small-files": smallTree(b, 10000)} {
		var size int64
		b.Run(name+"/pack", func(b *testing.B) {
			for b.Loop() {
				p, err := Pack(context.Background(), io.Discard, benchPack(tree))
				if err != nil {
					b.Fatal(err)
				}
				size = p.TarSize
				b.SetBytes(size)
				b.ReportMetric(float64(p.Size)/float64(p.TarSize), "ratio")
			}
		})
		b.Run(name+"/tar-gzip", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if err := exec.Command("sh", "-c", `tar -C "$0" -c . | gzip -6 > /dev/null`, tree).Run(); err != nil {
					b.Skip(err)
				}
			}
		})
	}
}
