package transport

import (
	"errors"
	"hash"
	"io"
)

// Verify passes content through, and has it judged where it ends: after size bytes, or
// where reading ends when size is negative. The judge gets how many bytes there were and
// their sum; when it returns an error, the last bytes are held back and the error is in
// their place, so that nobody who knows the size takes them for good.
func Verify(src io.Reader, size int64, h hash.Hash, judge func(n int64, sum []byte) error) io.Reader {
	return &verifier{src: src, size: size, hash: h, judge: judge}
}

type verifier struct {
	src   io.Reader
	size  int64
	hash  hash.Hash
	judge func(n int64, sum []byte) error
	n     int64
	err   error // what reading ended with
}

// Read implements io.Reader.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.src.Read(p)
	v.n += int64(n)
	v.hash.Write(p[:n])
	if v.size >= 0 && n > 0 && v.n >= v.size || errors.Is(err, io.EOF) {
		if wrong := v.judge(v.n, v.hash.Sum(nil)); wrong != nil {
			v.err = wrong
			return 0, wrong
		}
	}
	v.err = err
	return n, err
}
