package binary

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"esd/internal/archive"
	"esd/internal/archive/gunzip"
)

const (
	tarBlock = 512
	// sourceBuffer is how much of an archive is read at once.
	sourceBuffer = 64 << 10
	// maxWindow is the most memory that a decoder gets for an archive of others.
	maxWindow = 128 << 20
)

// decompress gives the tar inside r. Spack writes gzip and reads whatever
// Python's tarfile does, by the first bytes; so does this, and zstd as well.
func decompress(r *bufio.Reader) (io.ReadCloser, error) {
	head, err := r.Peek(tarBlock)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	starts := func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }
	switch {
	case starts("\x1f\x8b"):
		return gunzip.NewReader(r)
	case starts("BZh"):
		return io.NopCloser(bzip2.NewReader(r)), nil
	case starts("\x28\xb5\x2f\xfd"):
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case starts("\xfd7zXZ\x00"):
		if err := checkDictionary(head); err != nil {
			return nil, err
		}
		d, err := xz.NewReader(r)
		return io.NopCloser(d), err
	case len(head) == tarBlock && string(head[257:262]) == "ustar":
		return io.NopCloser(r), nil
	case len(head) == 0:
		return nil, fmt.Errorf("%w: it is empty", archive.ErrFormat)
	}
	return nil, fmt.Errorf("%w: it begins with %q; install archives are tar, plain or compressed with gzip, bzip2, xz or zstd",
		archive.ErrFormat, head[:min(len(head), 16)])
}

// checkDictionary refuses an xz file whose first block announces a dictionary
// of more than maxWindow, which the decoder would allocate. (xz file format
// 1.1.0, sections 3.1 and 5.3.1; LZMA2 is the only filter that takes memory.)
func checkDictionary(head []byte) error {
	const streamHeader, sizes, lzma2 = 12, 0xc0, 0x21
	block := head[min(streamHeader, len(head)):]
	if len(block) < 32 || block[0] == 0 {
		return nil // too short for any block, or none: the decoder says so
	}
	at := 2
	for flag := byte(0x40); flag&sizes != 0; flag <<= 1 {
		if block[1]&flag == 0 {
			continue
		}
		for at < len(block)-1 && block[at]&0x80 != 0 {
			at++
		}
		at++
	}
	if at+2 >= len(block) || block[at] != lzma2 {
		return nil
	}
	bits := block[at+2] & 0x3f
	if size := uint64(2|bits&1) << (bits/2 + 11); size > maxWindow {
		return fmt.Errorf("%w: xz with a dictionary of %d MiB, at most %d MiB are accepted", archive.ErrLimit, size>>20, maxWindow>>20)
	}
	return nil
}
