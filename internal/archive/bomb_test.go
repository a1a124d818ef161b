package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// A sparse file announces far more than it has: 1 TiB of holes in 1.5 KiB.
func TestUnpackRefusesBombs(t *testing.T) {
	sparse := tarOf(t, tar.Header{Name: "x"})
	block := bytes.Clone(sparse[:blockSize])
	block[156] = 'S'
	copy(block[257:], "ustar  \x00")
	copy(block[386:], "00000000000\x0000000000000\x00")                   // one fragment, of nothing
	copy(block[483:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00") // real size 2^40
	sum := 0
	copy(block[148:], "        ")
	for _, b := range block {
		sum += int(b)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	bombs := map[string]func() io.Reader{
		"holes":  func() io.Reader { return bytes.NewReader(append(block, make([]byte, 1024)...)) },
		"a file": func() io.Reader { return compressedZeros(t, tar.Header{Name: "z", Size: 1 << 30}) },
		"padding without end": func() io.Reader {
			return compressedZeros(t, tar.Header{Name: "z", Size: 0}, 1<<30)
		},
	}
	for name, bomb := range bombs {
		for limit, limits := range map[string]Limits{"size": {MaxBytes: 1 << 20, MaxRatio: -1}, "ratio": {MaxBytes: -1, MaxFileSize: -1}} {
			t.Run(name+", "+limit, func(t *testing.T) {
				if testing.Short() && limit == "ratio" {
					t.Skip("writes 256 MB")
				}
				dest := filepath.Join(t.TempDir(), "x")
				_, err := UnpackAtomic(context.Background(), bomb(), UnpackOptions{Dest: dest, Limits: limits})
				if !errors.Is(err, ErrLimit) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

// compressedZeros gives a compressed tar of one entry and any number of zeros behind.
func compressedZeros(t testing.TB, h tar.Header, behind ...int64) io.Reader {
	r, w := io.Pipe()
	go func() {
		zw, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
		tw := tar.NewWriter(zw)
		h.Mode, h.Typeflag = 0o644, tar.TypeReg
		err := tw.WriteHeader(&h)
		if err == nil {
			_, err = io.CopyN(tw, zeros{}, h.Size)
		}
		for _, n := range behind {
			if err == nil {
				_, err = io.CopyN(zw, zeros{}, n)
			}
		}
		if err == nil {
			err = zw.Close()
		}
		w.CloseWithError(err)
	}()
	t.Cleanup(func() { r.Close() })
	return r
}
