package artifact

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

// verifier reads an archive and compares it with its descriptor at the end. It never
// gives out more than the size announced.
type verifier struct {
	src     io.ReadCloser
	want    Descriptor
	hash    hash.Hash
	n       int64
	done    error                     // what every further Read gives
	corrupt func(reason string) error // makes the error for content that is not as announced
}

func newVerifier(src io.ReadCloser, want Descriptor, corrupt func(string) error) *verifier {
	return &verifier{src: src, want: want, hash: sha256.New(), corrupt: corrupt}
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.done != nil {
		return 0, v.done
	}
	n, err := v.src.Read(p[:min(int64(len(p)), v.want.Size-v.n)])
	v.n += int64(n)
	v.hash.Write(p[:n])
	switch {
	case v.n == v.want.Size:
		// Whoever knows the size may not read on to the end, so the last bytes are
		// held back when they are wrong.
		if v.done = v.end(); !errors.Is(v.done, io.EOF) {
			return 0, v.done
		}
	case errors.Is(err, io.EOF):
		v.done = v.corrupt(fmt.Sprintf("its archive has %d bytes, %d expected", v.n, v.want.Size))
	case err != nil:
		v.done = err
	}
	return n, v.done
}

// end judges content that has all the bytes it should have.
func (v *verifier) end() error {
	var one [1]byte
	switch n, err := io.ReadFull(v.src, one[:]); {
	case n > 0:
		return v.corrupt(fmt.Sprintf("its archive has more than the %d bytes expected", v.want.Size))
	case err != io.EOF:
		return err
	}
	if got := digest.NewDigest(digest.SHA256, v.hash); got != v.want.Digest {
		return v.corrupt(fmt.Sprintf("its archive has digest %s, %s expected", got, v.want.Digest))
	}
	return io.EOF
}

// Close implements io.Closer.
func (v *verifier) Close() error { return v.src.Close() }
