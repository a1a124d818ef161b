package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TransientError marks what may pass: a server that is overloaded, a connection
// that broke.
type TransientError struct {
	Err error
	// After is how long the server asked to wait, 0 for nothing.
	After time.Duration
}

// Error implements error.
func (e *TransientError) Error() string { return e.Err.Error() }

// Unwrap implements errors.Unwrap.
func (e *TransientError) Unwrap() error { return e.Err }

// errDenied: the server knows the file, or us, and says no.
var errDenied = errors.New("access denied")

// newClient gives up on servers that do not answer, and has no limit for those
// that send.
func newClient() *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: 60 * time.Second,
		IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 8,
		DisableCompression: true, // the digest is of the file as it lies there
	}}
}

// get asks a web server for a file from a byte on.
func (w *Web) get(ctx context.Context, address string, offset int64) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	resp, err := w.request(ctx, address, offset)
	if err != nil {
		cancel(nil)
		return nil, 0, err
	}
	from, err := firstByte(resp, offset)
	if err != nil {
		_ = resp.Body.Close()
		cancel(nil)
		return nil, 0, fmt.Errorf("%s: %w", redacted(address), err)
	}
	stall := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	return &body{resp.Body, ctx, stall, cancel}, from, nil
}

func (w *Web) request(ctx context.Context, address string, offset int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: not an address to fetch from", redacted(address))
	}
	for name, values := range w.Header {
		req.Header[name] = values
	}
	req.Header.Set("Accept-Encoding", "identity")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "esd")
	}
	if offset > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	resp, err := w.Client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its URL may have a password
		}
		err = fmt.Errorf("%s: %w", redacted(address), err)
		if mayPass(err) {
			return nil, &TransientError{Err: err}
		}
		return nil, err
	}
	return resp, nil
}

// firstByte turns the status of an answer into an error, or the first byte that
// the answer has.
func firstByte(resp *http.Response, offset int64) (int64, error) {
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		return 0, nil
	case s == http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(offset, 10)+"-") {
			return 0, fmt.Errorf("asked for bytes from %d on, the server sent %q", offset, resp.Header.Get("Content-Range"))
		}
		return offset, nil
	case s == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		return 0, errRange
	case s == http.StatusNotFound, s == http.StatusGone:
		return 0, fs.ErrNotExist
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return 0, fmt.Errorf("%w (%s)", errDenied, resp.Status)
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500 && s != http.StatusNotImplemented:
		seconds, _ := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32) // dates are rare, and count as nothing
		return 0, &TransientError{Err: fmt.Errorf("the server answers %s", resp.Status), After: time.Duration(max(seconds, 0)) * time.Second}
	}
	return 0, fmt.Errorf("the server answers %s", resp.Status)
}

var (
	errRange   = errors.New("the server has fewer bytes than are here")
	errStalled = errors.New("the server stopped sending")
)

const stallTimeout = 2 * time.Minute

// body is an answer that is given up when nothing comes any more.
type body struct {
	io.ReadCloser
	ctx    context.Context
	stall  *time.Timer
	cancel context.CancelCauseFunc
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.stall.Reset(stallTimeout)
	if err != nil && err != io.EOF {
		if errors.Is(context.Cause(b.ctx), errStalled) {
			err = errStalled
		}
		if mayPass(err) {
			err = &TransientError{Err: err}
		}
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.stall.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// mayPass tells failures of the network that may pass from those that will not:
// names that do not exist, certificates, the end of the context.
func mayPass(err error) bool {
	var dns *net.DNSError
	var network net.Error
	switch {
	case errors.Is(err, errStalled):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return true
	}
	return errors.As(err, &network) // refused, reset, timed out
}
