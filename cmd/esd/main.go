// Command esd plans and applies deployments of scientific software.
package main

import (
	"os"

	"esd/internal/cli"
	"esd/internal/sandbox"
)

func main() {
	sandbox.Init()
	os.Exit(cli.Main(os.Args[1:], cli.SystemIO()))
}
