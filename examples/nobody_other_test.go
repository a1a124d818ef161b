//go:build !linux

package examples

import (
	"os/exec"
	"testing"
)

func asNobody(t *testing.T) func(*exec.Cmd, string) {
	t.Helper()
	t.Skip("another user is tried on Linux only")
	return nil
}
