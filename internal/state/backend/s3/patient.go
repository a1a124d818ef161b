package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// patient ends requests in which nothing has moved for a while, in either
// direction. A time for the whole request would be too short for a large state,
// or too long for a server that hangs.
type patient struct {
	client   s3.HTTPClient
	patience time.Duration
}

// stalledError says that the server was silent for too long.
type stalledError struct{ patience time.Duration }

func (e *stalledError) Error() string {
	return fmt.Sprintf("the server did not move for %s", e.patience)
}

// Timeout and ConnectionError tell the SDK that another try may help.
func (e *stalledError) Timeout() bool         { return true }
func (e *stalledError) ConnectionError() bool { return true }

// Do implements s3.HTTPClient.
func (p *patient) Do(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(p.patience, func() { cancel(&stalledError{p.patience}) })
	watched := &watch{ctx: ctx, timer: timer, patience: p.patience, cancel: cancel}
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &moving{ReadCloser: r.Body, watch: watched}
	}
	response, err := p.client.Do(r)
	if err != nil {
		err = watched.explain(err)
		watched.end()
		return response, err
	}
	watched.moved()
	response.Body = &moving{ReadCloser: response.Body, watch: watched, last: true}
	return response, nil
}

// watch is the watch over one request.
type watch struct {
	ctx      context.Context //nolint:containedctx // that of the request, which it ends
	timer    *time.Timer
	patience time.Duration
	cancel   context.CancelCauseFunc
}

func (w *watch) moved() { w.timer.Reset(w.patience) }

func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain is the reason why the request was ended, where that was the watch.
func (w *watch) explain(err error) error {
	if stalled, ok := context.Cause(w.ctx).(*stalledError); ok && err != nil && err != io.EOF { //nolint:errorlint // both are given as they are
		return stalled
	}
	return err
}

// moving is a body that tells when it moves.
type moving struct {
	io.ReadCloser
	watch *watch
	last  bool // with this body the request ends
}

// Read implements io.Reader.
func (m *moving) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if n > 0 {
		m.watch.moved()
	}
	return n, m.watch.explain(err)
}

// Close implements io.Closer.
func (m *moving) Close() error {
	err := m.ReadCloser.Close()
	if m.last {
		m.watch.end()
	}
	return err
}
