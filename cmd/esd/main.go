// Command esd plans and applies deployments of scientific software.
package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"esd/internal/cli"
	"esd/internal/sandbox"
)

// gcPercent trades a tenth of the processor time of a large plan for a tenth of
// its memory: plans are also made on login nodes and in small CI containers.
const gcPercent = 75

// gcFloor is the size of the heap, in bytes, below which nothing is collected:
// most runs end before, and collecting would be a third of their time.
const gcFloor = 48 << 20

func main() {
	sandbox.Init()
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		collectFrom(gcFloor, gcPercent)
	}
	os.Exit(cli.Main(os.Args[1:], cli.SystemIO()))
}

// collectFrom lets the heap grow to floor bytes before the garbage collector
// runs for the first time; from then on it runs as with GOGC=percent.
func collectFrom(floor int64, percent int) {
	none := debug.SetMemoryLimit(-1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(floor)
	// The first collection finds this unreachable.
	runtime.SetFinalizer(new([64]byte), func(*[64]byte) {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(none)
	})
}
