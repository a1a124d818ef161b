package cli

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"
)

// errReaderGone is the error of writing results that nobody reads any more, as
// in `esd plan | head`.
var errReaderGone = errors.New("nobody reads the results any more")

// outlet is standard output. It tells a reader that has gone from all other
// errors.
type outlet struct {
	w    io.Writer
	gone atomic.Bool
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.gone.Store(true)
		return n, errReaderGone
	}
	return n, err
}

func (o *outlet) broken() bool { return o.gone.Load() }
