// Command esd plans and applies deployments of scientific software.
package main

import (
	"os"
	"runtime/debug"

	"esd/internal/cli"
	"esd/internal/sandbox"
)

// gcPercent trades a tenth of the processor time of a large plan for a tenth of
// its memory: plans are also made on login nodes and in small CI containers.
const gcPercent = 75

func main() {
	sandbox.Init()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(cli.Main(os.Args[1:], cli.SystemIO()))
}
