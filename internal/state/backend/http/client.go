package httpstate

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // the protocol names this one
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds on what is read of a server.
const (
	maxSmall     = 64 << 10 // an answer that is no state: fields of a lock, an error
	prefixSize   = 4 << 10  // of a state, where only its header is wanted
	maxRedirects = 4
)

var errStalled = errors.New("the server was silent for too long")

// client speaks HTTP with the servers of one state.
type client struct {
	http      *http.Client
	retry     Retry
	stall     time.Duration
	userAgent string
	headers   map[string]string
	limit     int // on a state, in bytes

	username, password string
	hosts              map[string]bool // origins that are given headers
	logins             map[string]bool // origins that are given user and password
}

func newClient(opts Options, p places) *client {
	c := &client{
		retry: opts.Retry, stall: cmp.Or(opts.Stall, time.Minute), userAgent: cmp.Or(opts.UserAgent, "esd"), limit: maxDocument,
		headers: maps.Clone(opts.Headers), username: p.username, password: p.password,
		hosts: map[string]bool{}, logins: map[string]bool{},
	}
	for _, u := range []*url.URL{p.state, p.lock, p.unlock, p.lease} {
		if u != nil {
			c.hosts[origin(u)] = true
			c.logins[origin(u)] = !opts.SameHost
		}
	}
	c.logins[origin(p.state)] = true
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:     opts.TLS,
			TLSHandshakeTimeout: 30 * time.Second,
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     20 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

func origin(u *url.URL) string {
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + portOf(u.Scheme, u.Port())
}

// request is what the server is asked.
type request struct {
	method string
	url    *url.URL
	body   []byte
	limit  int // on the bytes of the answer
	// enough is given the beginning of an answer and its size, -1 where that is
	// not known. If it is satisfied the rest is not read. The answer is then
	// asked for uncompressed, so that its size is known.
	enough func(prefix []byte, size int64) bool
}

// answer is what the server said.
type answer struct {
	status int
	header http.Header
	body   []byte
	cut    bool // enough of it was read
	moved  bool // it is of another address, to which the server redirected
	// repeated: the request was sent before, and that may have been carried out.
	repeated bool
}

func (a *answer) ok() bool {
	return a.status == http.StatusOK || a.status == http.StatusCreated || a.status == http.StatusNoContent
}

// send sends a request once. Only reading follows redirects: other servers on
// the way learn neither user and password nor headers.
func (c *client) send(ctx context.Context, r request) (*answer, error) {
	next := r.url
	for range maxRedirects {
		a, err := c.hop(ctx, r, next)
		if err != nil || a.status < 300 || a.status > 399 {
			return a, err
		}
		to, err := next.Parse(a.header.Get("Location"))
		switch {
		case err != nil || a.header.Get("Location") == "" || to.Host == "":
			return nil, &suspicion{problem: fmt.Sprintf("the server redirects (HTTP %d) without saying where to", a.status), fix: fixAddress}
		case r.method != http.MethodGet || logIn.MatchString(to.Path) || next.Scheme == "https" && to.Scheme != "https" || to.Scheme != "http" && to.Scheme != "https":
			return nil, redirected(to)
		}
		next = to
	}
	return nil, redirected(next)
}

// hop sends a request to one address.
func (c *client) hop(ctx context.Context, r request, to *url.URL) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := newWatchdog(c.stall, func() { cancel(errStalled) })
	defer dog.stop()
	req, err := c.build(ctx, r, to, dog)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		var a *answer
		if a, err = read(r, resp, dog); err == nil {
			a.moved = to != r.url
			return a, nil
		}
	}
	var where *url.Error
	if errors.As(err, &where) {
		err = where.Err // without the URL, in which a token may stand
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, errStalled) {
		err = fmt.Errorf("%w (%s)", errStalled, c.stall)
	}
	var suspect *suspicion
	if errors.As(err, &suspect) || errors.Is(err, errDigest) {
		return nil, err
	}
	return nil, &brokenError{err: err, sent: !beforeSending(err)}
}

// brokenError is a request without an answer. If it was sent it may have been
// carried out.
type brokenError struct {
	err  error
	sent bool
}

// Error is that of the connection.
func (e *brokenError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *brokenError) Unwrap() error { return e.err }

// beforeSending tells whether there was no connection yet.
func beforeSending(err error) bool {
	var op *net.OpError
	var unverified *tls.CertificateVerificationError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &unverified)
}

func (c *client) build(ctx context.Context, r request, to *url.URL, dog *watchdog) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, to.String(), body)
	if err != nil {
		return nil, err
	}
	if c.hosts[origin(to)] {
		for name, value := range c.headers {
			req.Header.Set(name, value)
		}
	}
	if c.logins[origin(to)] && (c.username != "" || c.password != "") && req.Header.Get("Authorization") == "" {
		req.SetBasicAuth(c.username, c.password)
	}
	req.Header.Set("User-Agent", c.userAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-MD5", digest(r.body))
		req.Body = &watchedBody{ReadCloser: req.Body, dog: dog}
		req.GetBody = nil
	}
	if r.enough != nil {
		req.Header.Set("Accept-Encoding", "identity")
	}
	return req, nil
}

// read reads an answer as far as it is wanted.
func read(r request, resp *http.Response, dog *watchdog) (*answer, error) {
	a := &answer{status: resp.StatusCode, header: resp.Header}
	body := &watchedBody{ReadCloser: resp.Body, dog: dog}
	limit := r.limit
	if !a.ok() || limit == 0 {
		limit = maxSmall
	}
	if r.enough != nil && a.ok() {
		prefix := make([]byte, prefixSize)
		n, err := io.ReadFull(body, prefix)
		a.body = prefix[:n]
		if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		if err == nil && r.enough(a.body, resp.ContentLength) {
			a.cut = true
			return a, nil
		}
		// A short answer is looked at below, when it is known to be whole.
	}
	rest, err := io.ReadAll(io.LimitReader(body, int64(limit+1-len(a.body))))
	if err != nil {
		return nil, err
	}
	a.body = append(a.body, rest...)
	if want := resp.ContentLength; want >= 0 && int64(len(a.body)) < want && len(a.body) <= limit {
		return nil, io.ErrUnexpectedEOF
	}
	if len(a.body) > limit {
		if !a.ok() {
			a.body = a.body[:limit]
			return a, nil
		}
		return nil, &suspicion{problem: fmt.Sprintf("the answer is larger than %d bytes", limit), fix: fixAddress}
	}
	if said := resp.Header.Get("Content-MD5"); said != "" && a.ok() && said != digest(a.body) {
		return nil, errDigest
	}
	return a, nil
}

// digest is the value of the header Content-MD5 (RFC 1864).
func digest(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // it finds accidents, not attacks
	return base64.StdEncoding.EncodeToString(sum[:])
}

// watchdog ends what makes no progress.
type watchdog struct {
	mu    sync.Mutex
	timer *time.Timer
	after time.Duration
}

func newWatchdog(after time.Duration, bite func()) *watchdog {
	return &watchdog{timer: time.AfterFunc(after, bite), after: after}
}

func (d *watchdog) moved() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer.Stop() {
		d.timer.Reset(d.after)
	}
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer.Stop()
	d.after = time.Duration(1<<63 - 1) // a body that is still being sent must not wake it
}

type watchedBody struct {
	io.ReadCloser
	dog *watchdog
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.dog.moved()
	}
	return n, err
}
