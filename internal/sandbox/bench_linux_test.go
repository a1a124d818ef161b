package sandbox

import (
	"context"
	"os/exec"
	"testing"
)

// The overhead of a sandbox is what a command that does nothing costs in it, beside what it costs plainly.
func BenchmarkTrue(b *testing.B) {
	b.Run("plain exec", func(b *testing.B) {
		for b.Loop() {
			cmd := exec.Command("/bin/true")
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, kind := range []string{None, Namespace} {
		b.Run(kind, func(b *testing.B) {
			s := noneSandbox(b)
			if kind == Namespace {
				s = namespaceSandbox(b)
			}
			spec, _ := script(b, s, "")
			spec.Argv = []string{"/bin/true"}
			for b.Loop() {
				if _, err := s.Run(context.Background(), spec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What a talkative command prints must not wait for the sandbox.
func BenchmarkOutput(b *testing.B) {
	s := noneSandbox(b)
	const size = 256 << 20
	spec, _ := script(b, s, "head -c 268435456 /dev/zero")
	spec.LogLimit = 1 << 20
	b.SetBytes(size)
	for b.Loop() {
		if _, err := s.Run(context.Background(), spec); err != nil {
			b.Fatal(err)
		}
	}
}

// Probing is paid once in a process.
func BenchmarkProbe(b *testing.B) {
	for b.Loop() {
		probe(context.Background())
	}
}
