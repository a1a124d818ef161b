package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"esd/internal/oci"
)

// HTTPOptions say how http(s):// stores are reached. A user and password may also
// stand in the URL; they are never shown.
type HTTPOptions struct {
	Username, Password string
	Token              string        // sent as bearer token, in place of a password
	CAFile             string        // PEM file of certificates to trust besides the system's; S3 too
	Insecure           bool          // do not verify the certificate
	UserAgent          string        // default "esd"
	StallTimeout       time.Duration // a connection without progress for this long is given up; default 5 min
	// Client is for stores that share connections, see [NewClient]; it has CAFile,
	// Insecure and StallTimeout already. S3 has its own.
	Client *http.Client
}

// httpBackend reads a store from a web server. Spack writes none there, and how a
// server would be written and listed is not agreed upon.
type httpBackend struct {
	base   *url.URL // without user
	whole  bool     // base is the one object, to be asked for as it is
	client *http.Client
	auth   func(*http.Request)
	clock  oci.Clock
}

func newHTTP(u *url.URL, opts HTTPOptions, clock oci.Clock) (*httpBackend, error) {
	t, err := newPage(u, opts, clock)
	if err != nil {
		return nil, err
	}
	t.whole = false
	t.base.RawQuery = ""
	t.base.Path = strings.TrimSuffix(t.base.Path, "/")
	return t, nil
}

func newPage(u *url.URL, opts HTTPOptions, clock oci.Clock) (*httpBackend, error) {
	client := opts.Client
	if client == nil {
		var err error
		if client, err = NewClient(opts); err != nil {
			return nil, err
		}
	}
	user, password := opts.Username, opts.Password
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	base := *u
	base.User, base.Fragment = nil, ""
	return &httpBackend{
		base: &base, whole: true, clock: clock, client: client,
		auth: func(r *http.Request) {
			r.Header.Set("User-Agent", cmp.Or(opts.UserAgent, "esd"))
			switch {
			case opts.Token != "":
				r.Header.Set("Authorization", "Bearer "+opts.Token)
			case user != "" || password != "":
				r.SetBasicAuth(user, password)
			}
		},
	}, nil
}

// NewClient makes a client whose connections end when nothing moves, for
// [HTTPOptions].Client.
func NewClient(opts HTTPOptions) (*http.Client, error) {
	rt, err := newRoundTripper(opts)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: rt}, nil
}

func newRoundTripper(opts HTTPOptions) (*http.Transport, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: opts.Insecure} //nolint:gosec // asked for by the user
	if opts.CAFile != "" {
		pem, err := os.ReadFile(opts.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading certificates: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading certificates: %s has no PEM certificate in it", opts.CAFile)
		}
		config.RootCAs = pool
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         dialer(cmp.Or(opts.StallTimeout, 5*time.Minute)),
		TLSClientConfig:     config,
		TLSHandshakeTimeout: 30 * time.Second,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     20 * time.Second,
		DisableCompression:  true, // digests are of what is stored
	}, nil
}

// dialer makes connections that end when nothing moves for as long as stall.
func dialer(stall time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		var timeout net.Error
		switch {
		case err == nil:
			return &movingConn{conn, stall}, nil
		case ctx.Err() == nil && errors.As(err, &timeout) && timeout.Timeout():
			return nil, &transientError{cause: err} // it looks like the end of the context
		}
		return nil, err
	}
}

// movingConn gives up a connection that makes no progress in either direction.
type movingConn struct {
	net.Conn
	stall time.Duration
}

// Read implements net.Conn.
func (c *movingConn) Read(p []byte) (int, error) {
	_ = c.Conn.SetDeadline(time.Now().Add(c.stall))
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *movingConn) Write(p []byte) (int, error) {
	_ = c.Conn.SetDeadline(time.Now().Add(c.stall))
	return c.Conn.Write(p)
}

func (t *httpBackend) location() string {
	shown := *t.base
	shown.RawQuery = "" // signed URLs have their secrets there
	return shown.String()
}

func (t *httpBackend) request(ctx context.Context, method, name string, header map[string]string) (*http.Response, error) {
	target := *t.base
	if !t.whole {
		target.Path += "/" + name
		target.RawPath = ""
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, err
	}
	t.auth(req)
	req.Header.Set("Accept-Encoding", "identity")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := t.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its URL is said below, without a password
		}
		return nil, fmt.Errorf("%s: %w", at(t.location(), name), err)
	}
	if err := t.explain(name, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

// explain turns statuses into errors.
func (t *httpBackend) explain(name string, resp *http.Response) error {
	where := at(t.location(), name)
	switch s := resp.StatusCode; {
	case s == http.StatusOK, s == http.StatusPartialContent:
		return nil
	case s == http.StatusNotModified:
		return ErrNotModified
	case s == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%s: %w", where, ErrRange)
	case s == http.StatusNotFound, s == http.StatusGone:
		return fmt.Errorf("%s: %w", where, ErrNotFound)
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fmt.Errorf("%s: %w (%s)", where, ErrDenied, resp.Status)
	case isTransientStatus(s):
		return &transientError{fmt.Errorf("%s: %s", where, resp.Status), retryAfter(resp.Header.Get("Retry-After"), t.clock.Now())}
	}
	return fmt.Errorf("%s: the server answers %s", where, resp.Status)
}

func isTransientStatus(s int) bool {
	return s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500 && s != http.StatusNotImplemented
}

// retryAfter reads seconds or an HTTP date (RFC 9110, section 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

func (t *httpBackend) get(ctx context.Context, name string, opts GetOptions) (*Object, error) {
	header := map[string]string{}
	if opts.IfNoneMatch != "" {
		header["If-None-Match"] = opts.IfNoneMatch
	}
	if r := opts.byteRange(); r != "" {
		header["Range"] = r
	}
	resp, err := t.request(ctx, http.MethodGet, name, header)
	if err != nil {
		return nil, err
	}
	o := &Object{ReadCloser: resp.Body, Info: Info{Size: resp.ContentLength, ETag: strongETag(resp.Header)}}
	if resp.StatusCode == http.StatusPartialContent {
		var first int64
		if first, o.Size, err = contentRange(resp.Header.Get("Content-Range")); err == nil && first != opts.Offset {
			err = fmt.Errorf("%w: the server sent another range than asked for", ErrInvalid)
		}
	} else if opts.Offset > 0 { // a server without ranges
		if _, err = io.CopyN(io.Discard, resp.Body, opts.Offset); errors.Is(err, io.EOF) {
			err = ErrRange // not cut, but at its end
		}
	}
	if err != nil {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: %w", at(t.location(), name), err)
	}
	if opts.Length > 0 {
		o.ReadCloser = limitedBody{io.LimitReader(resp.Body, opts.Length), resp.Body}
	}
	return o, nil
}

// byteRange is the value of a Range header, "" for all.
func (o GetOptions) byteRange() string {
	switch {
	case o.Length > 0:
		return fmt.Sprintf("bytes=%d-%d", o.Offset, o.Offset+o.Length-1)
	case o.Offset > 0:
		return fmt.Sprintf("bytes=%d-", o.Offset)
	}
	return ""
}

// strongETag leaves weak ones out: they do not promise the same bytes.
func strongETag(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return ""
}

// contentRange reads "bytes 5-9/10": the first byte that was sent, and the size.
func contentRange(value string) (first, size int64, err error) {
	span, total, _ := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	from, _, _ := strings.Cut(span, "-")
	if first, err = strconv.ParseInt(from, 10, 64); err != nil {
		return 0, 0, fmt.Errorf("%w: Content-Range %.200q", ErrInvalid, value)
	}
	if size, err = strconv.ParseInt(total, 10, 64); err != nil || size < 0 {
		size = -1
	}
	return first, size, nil
}

func (t *httpBackend) stat(ctx context.Context, name string) (Info, error) {
	resp, err := t.request(ctx, http.MethodHead, name, nil)
	if err != nil {
		return Info{}, err
	}
	resp.Body.Close()
	return Info{Size: resp.ContentLength, ETag: strongETag(resp.Header)}, nil
}

func (t *httpBackend) put(context.Context, string, Source) error { return t.readOnly() }
func (t *httpBackend) remove(context.Context, string) error      { return t.readOnly() }

func (t *httpBackend) readOnly() error {
	return fmt.Errorf("%s: %w over HTTP; write to where the server takes its files from", t.location(), ErrReadOnly)
}

func (t *httpBackend) list(context.Context, string, func(string, Info) error) error {
	return fmt.Errorf("%s: %w over HTTP", t.location(), ErrUnlistable)
}
