//go:build !unix

package backend

// ProcessStart is not known on this system.
func ProcessStart(int) string { return "" }

// processRuns cannot tell here, and a process is dead only when that is sure.
func processRuns(Process) bool { return true }

func processSpace() string { return "" }
