package store

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"esd/internal/spack"
)

// BenchmarkInstallToys installs the twenty toys from a cache of files, and lets
// Spack do the same.
func BenchmarkInstallToys(b *testing.B) {
	for name, l := range labs() {
		for _, sync := range []struct {
			name   string
			noSync bool
		}{{"synced", false}, {"not synced", true}} {
			b.Run(name+"/we, "+sync.name, func(b *testing.B) {
				s := l.at(b, 0)
				opts := s.options()
				opts.NoSync = sync.noSync
				archives := map[spack.Hash]string{} // a cache knows where they are
				for _, p := range s.packages() {
					archives[p.Spec.Hash], _ = s.archive(p.Spec.Hash)
				}
				opts.Fetch = fetchFiles(archives)
				measure(b, unix.RUSAGE_SELF, func() {
					store, err := Open(s.root, Options{DatabaseVersion: s.generation})
					if err != nil {
						b.Fatal(err)
					}
					mustInstall(b, store, s.packages(), opts)
					if err := store.Close(); err != nil {
						b.Fatal(err)
					}
				}, func() { _ = os.RemoveAll(s.root) })
			})
		}
		b.Run(name+"/Spack", func(b *testing.B) {
			s := l.at(b, 0)
			measure(b, unix.RUSAGE_CHILDREN, s.installCached, func() { _ = os.RemoveAll(s.root) })
		})
	}
}

// measure reports the processor time of f, of this process or of its children.
func measure(b *testing.B, who int, f, after func()) {
	b.Helper()
	var spent time.Duration
	for b.Loop() {
		start := cpuTime(b, who)
		f()
		spent += cpuTime(b, who) - start
		b.StopTimer()
		after()
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms/op")
}

func cpuTime(b *testing.B, who int) time.Duration {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(who, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
