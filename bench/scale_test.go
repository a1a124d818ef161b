// Package bench measures what esd promises, with the real program as its users
// run it. Nothing here fails because a machine is slow: the figures are
// printed, as metrics of Go benchmarks, and compared in docs/performance.md.
package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"
)

// build compiles esd once for a benchmark.
func build(b testing.TB) string {
	b.Helper()
	bin := filepath.Join(b.TempDir(), "esd")
	cmd := exec.Command("go", "build", "-o", bin, "esd/cmd/esd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released: for any Linux
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// usage is what one run of a program took.
type usage struct {
	cpu    time.Duration
	rss    int64 // bytes, at the most
	wall   time.Duration
	stdout []byte
}

// run runs a program and measures it; it must exit with one of the codes.
func run(b testing.TB, dir string, codes []int, name string, args ...string) usage {
	b.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	forgetPeak()
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	ok := false
	for _, c := range codes {
		ok = ok || cmd.ProcessState.ExitCode() == c
	}
	if !ok {
		b.Fatalf("%s %v: %v\n%s%s", name, args, err, tail(out.Bytes()), tail(problems.Bytes()))
	}
	ru := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return usage{
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		rss: ru.Maxrss << 10, wall: wall, stdout: out.Bytes(),
	}
}

// forgetPeak makes this process small, and lets Linux forget that it was not:
// the peak of a process counts from before it became another program.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

func tail(b []byte) []byte { return b[max(0, len(b)-4000):] }

// layered writes a configuration of n recipes in 20 layers, each of which
// needs 4 of the layer before: the shape on which docs/performance.md has the
// figures of Terraform and OpenTofu. Each recipe has a source directory of its
// own with one file.
func layered(b testing.TB, dir string, n int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	var hcl bytes.Buffer
	const layers = 20
	width := n / layers
	for i := range n {
		fmt.Fprintf(&hcl, "recipe \"p%d\" {\n  version = \"1.%d\"\n  source { path = \"src/p%d\" }\n", i, i%7, i)
		if layer := i / width; layer > 0 && layer < layers {
			hcl.WriteString("  needs   = [")
			seen := map[int]bool{}
			for len(seen) < min(4, width) {
				d := (layer-1)*width + rng.IntN(width)
				if !seen[d] {
					if len(seen) > 0 {
						hcl.WriteString(", ")
					}
					fmt.Fprintf(&hcl, "recipe.p%d", d)
				}
				seen[d] = true
			}
			hcl.WriteString("]\n")
		}
		hcl.WriteString("  script  = \"mkdir -p $prefix && cp data $prefix/\"\n}\n\n")
		src := filepath.Join(dir, "src", fmt.Sprintf("p%d", i))
		if err := os.MkdirAll(src, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(src, "data"), fmt.Appendf(nil, "package %d\n", i), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), hcl.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPlanFromNothing plans when nothing was ever built.
func BenchmarkPlanFromNothing(b *testing.B) {
	bin := build(b)
	for _, n := range []int{2000, 5000, 20000} {
		dir := b.TempDir()
		layered(b, dir, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) { measure(b, n, dir, bin, "plan") })
	}
}

// measure runs esd and reports processor time and the peak of memory.
func measure(b *testing.B, n int, dir, bin string, args ...string) {
	var cpu time.Duration
	var rss int64
	for b.Loop() {
		u := run(b, dir, []int{0}, bin, args...)
		cpu += u.cpu
		rss = max(rss, u.rss)
	}
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(rss)/1e6, "peak-MB")
	b.ReportMetric(cpu.Seconds()/float64(b.N)/float64(n)*1e6, "cpu-µs/recipe")
	b.ReportMetric(0, "ns/op")
}
