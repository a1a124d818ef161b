package transport

import (
	"context"
	"errors"
	"fmt"
	"io"

	"esd/internal/oci"
)

// maxResumes is how often one download is taken up again.
const maxResumes = 100

// ResumeOptions say where reading begins, and how long it is tried.
type ResumeOptions struct {
	From  int64
	Retry oci.RetryPolicy // Attempts without a byte in between
	Clock oci.Clock
}

// Reader reads an object to its end, and takes it up again where the connection broke.
// What it gives is not verified: the object may have changed in between.
type Reader struct {
	Info // of the object when it was opened first

	ctx     context.Context
	opts    ResumeOptions
	open    func(from int64) (*Object, error)
	body    *Object
	offset  int64
	resumes int
	stuck   int // resumes without a byte in between
}

// Resume reads what open opens, from any byte on. The caller closes.
func Resume(ctx context.Context, open func(from int64) (*Object, error), opts ResumeOptions) (*Reader, error) {
	body, err := open(opts.From)
	if err != nil {
		return nil, err
	}
	return &Reader{Info: body.Info, ctx: ctx, opts: opts, open: open, body: body, offset: opts.From}, nil
}

// Resumes is how often the connection broke so far.
func (r *Reader) Resumes() int { return r.resumes }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for {
		n, err := r.body.Read(p)
		r.offset += int64(n)
		if n > 0 {
			r.stuck = 0
		}
		if err == nil || errors.Is(err, io.EOF) || n > 0 {
			if n > 0 && !errors.Is(err, io.EOF) {
				err = nil // a broken body repeats its error
			}
			return n, err
		}
		if err := r.resume(err); err != nil {
			return 0, err
		}
	}
}

func (r *Reader) resume(cause error) error {
	if !IsTransient(cause) || r.ctx.Err() != nil {
		return cause
	}
	r.resumes++
	r.stuck++
	if r.resumes > maxResumes || r.stuck >= r.opts.Retry.Attempts {
		return fmt.Errorf("%w: %w (taken up %d times)", ErrUnavailable, cause, r.resumes)
	}
	r.body.Close()
	if err := r.opts.Clock.Sleep(r.ctx, wait(r.opts.Retry, r.stuck, 0)); err != nil {
		return err
	}
	body, err := r.open(r.offset)
	if err != nil {
		return err
	}
	r.body = body
	return nil
}

// Close implements io.Closer.
func (r *Reader) Close() error { return r.body.Close() }
