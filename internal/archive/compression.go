package archive

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"esd/internal/archive/gunzip"
)

// Compression is how an archive is compressed when it is written. Reading needs no
// such choice: the first bytes tell.
type Compression int

// The compressions that an OCI layer may have.
const (
	Zstd Compression = iota // the default: best ratio for the time
	Gzip                    // for registries and runtimes that know no zstd
	None
)

// Media types of OCI layers, image specification 1.1.
const (
	MediaTypeZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
	MediaTypeGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
	MediaTypeNone = "application/vnd.oci.image.layer.v1.tar"
)

// MediaType gives the OCI media type of a layer with this compression.
func (c Compression) MediaType() string {
	switch c {
	case Gzip:
		return MediaTypeGzip
	case None:
		return MediaTypeNone
	default:
		return MediaTypeZstd
	}
}

// String gives the name users write: zstd, gzip or none.
func (c Compression) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case None:
		return "none"
	default:
		return "zstd"
	}
}

// ParseCompression reads what String writes.
func ParseCompression(s string) (Compression, error) {
	for _, c := range []Compression{Zstd, Gzip, None} {
		if s == c.String() {
			return c, nil
		}
	}
	return 0, fmt.Errorf("compression %q is not known; use zstd, gzip or none", s)
}

const (
	// zstdWindow bounds the memory of a writer: the encoder works on jobs of four
	// windows. Of 1, 2, 4 and 8 MiB, 2 MiB costs 1 % in size against 8 MiB and a
	// third of its memory.
	zstdWindow = 2 << 20
	// zstdWorkers must be at least 2 whatever the machine: with one, the encoder does
	// not split into jobs and the bytes differ. Every number from 2 on gives the same.
	zstdWorkers = 2
	// gzipLevel is what gzip itself defaults to.
	gzipLevel = 6
	// maxWindow is the most that a decoder keeps for an archive of others: what
	// `zstd --ultra` and `xz -9` need, and then some.
	maxWindow = 128 << 20
)

// newCompressor wraps w. Its output depends on its input alone: not on the sizes of
// writes, nor the number of processors, nor the time.
func newCompressor(w io.Writer, c Compression) (io.WriteCloser, error) {
	switch c {
	case None:
		return nopWriteCloser{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, gzipLevel)
	case Zstd:
		return zstd.NewWriter(w,
			zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(zstdWorkers),
			zstd.WithConcurrentBlocks(true))
	default:
		return nil, fmt.Errorf("archive: compression %d is not known", int(c))
	}
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }

// format is what an archive turns out to be.
type format int

const (
	formatUnknown format = iota
	formatTar
	formatGzip
	formatBzip2
	formatZstd
	formatXZ
	formatZip
)

// blockSize is the unit of the tar format.
const blockSize = 512

// detect tells the format from the first bytes, up to one tar block. An old tar
// without magic is recognised by its checksum.
func detect(head []byte) format {
	for magic, f := range map[string]format{
		"\x1f\x8b":             formatGzip,
		"BZh":                  formatBzip2,
		"\x28\xb5\x2f\xfd":     formatZstd,
		"\xfd7zXZ\x00":         formatXZ,
		"PK\x03\x04":           formatZip,
		"PK\x05\x06":           formatZip,
		"PK\x07\x08PK\x03\x04": formatZip,
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return f
		}
	}
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")) {
		return formatZstd // a skippable frame comes first
	}
	if len(head) >= blockSize && isTarHeader(head[:blockSize]) {
		return formatTar
	}
	return formatUnknown
}

// isTarHeader verifies the checksum of a header block: the sum of its bytes, those of
// the checksum field taken as blanks. A block of zeros, the end of an empty archive,
// counts too.
func isTarHeader(block []byte) bool {
	const at, size = 148, 8
	sum, zero := int64(size*' '), true
	for i, b := range block {
		zero = zero && b == 0
		if i < at || i >= at+size {
			sum += int64(b)
		}
	}
	if zero {
		return true
	}
	var stored int64
	for _, b := range bytes.Trim(block[at:at+size], " \x00") {
		if b < '0' || b > '7' {
			return false
		}
		stored = stored<<3 | int64(b-'0')
	}
	return stored == sum
}

// ErrFormat says that something is not an archive of a kind that can be read.
var ErrFormat = errors.New("not an archive")

// decompress gives the tar stream inside r, whose format was detected.
func decompress(r *bufio.Reader, f format) (io.ReadCloser, error) {
	switch f {
	case formatTar:
		return io.NopCloser(r), nil
	case formatGzip:
		return gunzip.NewReader(r)
	case formatBzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case formatZstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case formatXZ:
		if err := checkXZDictionary(r); err != nil {
			return nil, err
		}
		d, err := xz.NewReader(r)
		return io.NopCloser(d), err
	default:
		head, _ := r.Peek(blockSize)
		return nil, unknownFormat(head)
	}
}

// unknownFormat says what was found in place of an archive. Servers like to answer
// with a page of HTML, which deserves its own words.
func unknownFormat(head []byte) error {
	text := bytes.ToLower(bytes.TrimSpace(head))
	switch {
	case len(head) == 0:
		return fmt.Errorf("%w: it is empty", ErrFormat)
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
		return fmt.Errorf("%w: it is an HTML page; is the address right, and does it need a login?", ErrFormat)
	default:
		return fmt.Errorf("%w: it begins with %q; tar (plain, gzip, bzip2, xz, zstd) and zip can be read",
			ErrFormat, head[:min(len(head), 16)])
	}
}

// checkXZDictionary refuses an xz file whose first block asks for more memory than
// any usual one: the decoder would allocate up to 4 GiB on its word.
// Layout of the header: xz file format 1.1.0, sections 2.1 and 3.1.
func checkXZDictionary(r *bufio.Reader) error {
	const streamHeader, sizeFlags, filterLZMA2 = 12, 0xc0, 0x21
	head, err := r.Peek(streamHeader + 32)
	if err != nil && len(head) < streamHeader+8 {
		return nil // too short for any block: the decoder says what is wrong
	}
	block := head[streamHeader:]
	i := 2
	for flag := byte(0x40); flag&sizeFlags != 0; flag <<= 1 {
		if block[1]&flag == 0 {
			continue
		}
		for i < len(block)-1 && block[i]&0x80 != 0 { // a variable-length number
			i++
		}
		i++
	}
	if i+2 >= len(block) || block[0] == 0 || block[i] != filterLZMA2 {
		return nil // no block, or a filter that the decoder refuses
	}
	bits := block[i+2] & 0x3f
	if size := uint64(2|bits&1) << (bits/2 + 11); size > maxWindow {
		return fmt.Errorf("%w: xz with a dictionary of %d MiB, at most %d MiB are accepted",
			ErrLimit, size>>20, maxWindow>>20)
	}
	return nil
}
