package bench

import (
	"os"
	"strconv"
	"testing"
)

// TestGenerate writes a configuration to a directory, for profiling by hand.
func TestGenerate(t *testing.T) {
	dir, n := os.Getenv("ESD_GENERATE"), 5000
	if dir == "" {
		t.Skip("set ESD_GENERATE to a directory (and ESD_GENERATE_N) to get a configuration there")
	}
	if v, err := strconv.Atoi(os.Getenv("ESD_GENERATE_N")); err == nil {
		n = v
	}
	layered(t, dir, n)
}
