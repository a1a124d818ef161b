package config

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bigConfig is a configuration of n recipes with about four needs each.
func bigConfig(n int) []byte {
	var b bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		fmt.Fprintf(&b, "recipe \"r%d\" {\n  version = \"1.%d.0\"\n  source { path = \"src/r%d\" }\n  needs   = [", i, i%7, i)
		for k := range min(4, i) {
			if k > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "recipe.r%d", random.IntN(i))
		}
		b.WriteString("]\n  script  = \"make -j $jobs install PREFIX=$prefix\"\n}\n\n")
	}
	return b.Bytes()
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peakMemory is the largest resident set of this process so far, in MB.
func peakMemory() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kilobytes / 1e3
		}
	}
	return 0
}

// The peak is that of the whole process: run one size at a time.
func BenchmarkLoadAndEvaluate(b *testing.B) {
	for _, n := range []int{500, 2000, 5000, 20000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "big.hcl")
			if err := os.WriteFile(path, bigConfig(n), 0o644); err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			start := cpuTime()
			for b.Loop() {
				c, diags := Load(Options{Path: path, Schemas: testSchemas()})
				if diags.HasErrors() {
					b.Fatal(diags)
				}
				e, diags := c.Evaluate(context.Background(), standIn)
				if diags.HasErrors() || len(e.Objects) != n {
					b.Fatal(len(e.Objects), diags)
				}
			}
			b.ReportMetric((cpuTime()-start).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(peakMemory(), "peak-MB")
		})
	}
}
