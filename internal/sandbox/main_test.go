//go:build linux

package sandbox

import (
	"os"
	"testing"
)

// programVariable makes the test binary play another program, see programs.
const programVariable = "SANDBOX_TEST_PROGRAM"

func TestMain(m *testing.M) {
	Init()
	if play := programs()[os.Getenv(programVariable)]; play != nil {
		os.Exit(play())
	}
	os.Exit(m.Run())
}
