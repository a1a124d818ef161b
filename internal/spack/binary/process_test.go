package binary

import (
	"bufio"
	"bytes"
	"io"
	"runtime"
	"syscall"
	"testing"
)

func umask(mask int) int { return syscall.Umask(mask) }

func decompressBytes(data []byte) (io.ReadCloser, error) {
	return decompress(bufio.NewReader(bytes.NewReader(data)))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func withProcessors(t testing.TB, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}
