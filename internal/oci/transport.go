package oci

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	defaultStallTimeout = 5 * time.Minute
	dialTimeout         = 30 * time.Second
	idleTimeout         = 20 * time.Second
	idleConnections     = 16 // kept for parallel transfers
)

// attempt collects what the transport sees of one try of an operation and the oras
// client does not pass on. It travels in the request's context. A try sends its
// requests one after the other, so there is no lock.
type attempt struct {
	retryAfter time.Duration // what the registry asked us to wait
	uploadHost string        // another host that an upload was sent to
	accepted   bool          // an upload was begun
}

type attemptKey struct{}

// tap counts requests and records what an attempt needs to know.
type tap struct {
	base  http.RoundTripper
	meter *Meter
	clock Clock
}

// RoundTrip implements http.RoundTripper.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	t.meter.request(req)
	resp, err := t.base.RoundTrip(req)
	a, ok := req.Context().Value(attemptKey{}).(*attempt)
	if err != nil || !ok {
		return resp, err
	}
	if retryable(resp.StatusCode) {
		a.retryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), t.clock.Now())
	}
	if req.Method == http.MethodPost && resp.StatusCode == http.StatusAccepted {
		a.accepted = true
		if loc, err := resp.Location(); err == nil && !sameHost(loc, req.URL) {
			a.uploadHost = loc.Host
		}
	}
	return resp, nil
}

func withAttempt(ctx context.Context, a *attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// parseRetryAfter reads seconds or an HTTP date (RFC 9110, section 10.2.3).
func parseRetryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		if u.Scheme == "https" {
			return "443"
		}
		return "80"
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// newTransport builds the HTTP transport of one store.
func newTransport(opts Options) (*http.Transport, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: opts.Insecure} //nolint:gosec // asked for by the user
	if opts.CAFile != "" {
		pool, err := certificates(opts.CAFile)
		if err != nil {
			return nil, err
		}
		tlsConfig.RootCAs = pool
	}
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &meteredConn{Conn: conn, meter: opts.Meter, stall: opts.StallTimeout}, nil
		},
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   dialTimeout,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // content is compressed already, and its digest is of what is sent
	}, nil
}

// certificates adds the certificates of a PEM file to the system's.
func certificates(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading certificates: %s has no PEM certificate in it", file)
	}
	return pool, nil
}

// isLoopback tells hosts on this machine, where plain HTTP cannot be overheard.
func isLoopback(registry string) bool {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
