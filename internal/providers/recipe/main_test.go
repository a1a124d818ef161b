package recipe

import (
	"os"
	"testing"

	"esd/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}
