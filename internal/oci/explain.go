package oci

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// ResponseError is an answer of a registry that is neither success nor covered by a
// more specific error.
type ResponseError struct {
	Location string   // registry and repository
	Request  string   // method and path, without the query: it may carry signatures
	Status   int      // HTTP status
	Codes    []string // error codes of the distribution specification
	Message  string   // what the registry said, cleaned
}

// Error implements error.
func (e *ResponseError) Error() string {
	text := fmt.Sprintf("%s: the registry answered %d %s to %s", e.Location, e.Status, http.StatusText(e.Status), e.Request)
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap gives the sentinel that the answer amounts to, if any.
func (e *ResponseError) Unwrap() error {
	switch {
	case e.missingBlob():
		return ErrMissingBlob
	case e.Status == http.StatusNotFound:
		return ErrNotFound
	case e.Status == http.StatusMethodNotAllowed, e.Status == http.StatusNotImplemented, slices.Contains(e.Codes, errcode.ErrorCodeUnsupported):
		return ErrUnsupported
	case retryable(e.Status):
		return ErrUnavailable
	}
	return nil
}

// missingBlob tells a manifest that was refused because of what it refers to.
func (e *ResponseError) missingBlob() bool {
	return strings.HasPrefix(e.Request, http.MethodPut+" ") && strings.Contains(e.Request, "/manifests/") &&
		(slices.Contains(e.Codes, errcode.ErrorCodeManifestBlobUnknown) || slices.Contains(e.Codes, errcode.ErrorCodeBlobUnknown))
}

// explain turns what the HTTP and oras layers say into an error of this package, and
// marks it transient where trying again may help. No secret and no query of a URL
// gets into its text.
func (r *remote) explain(ctx context.Context, err error, a *attempt) error {
	var (
		own      *localError
		mismatch *DigestMismatchError
		resp     *errcode.ErrorResponse
		found    *ResponseError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.cause
	case errors.As(err, &mismatch):
		return mismatch
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", r.Location(), context.Cause(ctx))
	case a.uploadHost != "":
		return &UploadRedirectError{Location: r.Location(), Host: a.uploadHost}
	case errors.As(err, &resp):
		return r.explainResponse(resp, a)
	case errors.As(err, &found), errors.Is(err, ErrInvalidContent), errors.Is(err, ErrInvalidReference):
		return err
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("%s: %w", r.Location(), ErrNotFound)
	case errors.Is(err, errdef.ErrInvalidReference), errors.Is(err, errdef.ErrInvalidDigest):
		return fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, err)
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return r.authError(0, "the registry asks for a user and a password")
	}
	return r.explainNetwork(err)
}

// explainNetwork sorts failures to get an answer at all.
func (r *remote) explainNetwork(err error) error {
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		dns         *net.DNSError
		network     net.Error
	)
	text := r.networkText(err)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s: %w: allow it for this registry (plain_http) or give it a certificate", r.Location(), ErrPlainHTTP)
	case errors.As(err, &certificate), errors.As(err, &authority):
		return fmt.Errorf("%s: the certificate of the registry is not trusted: %s; name its authority in a CA file", r.Location(), text)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%s: %w: %s", r.Location(), ErrUnavailable, text)
	case errors.As(err, &network), isCut(err):
		return &transientError{cause: errors.New(text), refused: errors.Is(err, syscall.ECONNREFUSED)}
	}
	return fmt.Errorf("%s: %s", r.Location(), text)
}

func (r *remote) explainResponse(resp *errcode.ErrorResponse, a *attempt) error {
	e := &ResponseError{
		Location: r.Location(), Status: resp.StatusCode,
		Request: resp.Method + " " + resp.URL.Host + resp.URL.Path,
	}
	var said []string
	for _, s := range resp.Errors {
		e.Codes = append(e.Codes, s.Code)
		said = append(said, strings.ToLower(strings.ReplaceAll(s.Code, "_", " "))+": "+s.Message)
	}
	e.Message = r.clean(strings.Join(said, "; "))
	switch {
	case e.Status == http.StatusUnauthorized && a.accepted:
		// The token ran out between the two requests of an upload; a new try gets one.
		return &transientError{cause: e}
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return r.authError(e.Status, e.Message)
	case retryable(e.Status):
		return &transientError{cause: e}
	}
	return e
}

func (r *remote) authError(status int, reason string) error {
	cred, looked, _ := r.credential(context.Background())
	e := &AuthError{Location: r.Location(), Registry: r.ref.Registry, Status: status, Looked: looked, Reason: reason}
	if !cred.Empty() {
		e.Source = cred.Source
		if e.Source == "" {
			e.Source = "the options given"
		}
	}
	return e
}

// networkText describes a failure without the URL, whose query may be a secret.
func (r *remote) networkText(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		host := r.ref.Registry
		if parsed, perr := url.Parse(u.URL); perr == nil && parsed.Host != "" {
			host = parsed.Host
		}
		return r.clean(fmt.Sprintf("%s %s: %v", strings.ToUpper(u.Op), host, u.Err))
	}
	return r.clean(err.Error())
}

// clean makes text from outside fit for a message: one line, bounded, and without the
// credentials, should the other side repeat them.
func (r *remote) clean(text string) string {
	const most = 400
	for _, secret := range r.secrets() {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	text = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// localError marks a failure to read what is to be sent: no registry's fault, and
// nothing that a new try would change.
type localError struct{ cause error }

// Error implements error.
func (e *localError) Error() string { return e.cause.Error() }

// Unwrap implements errors.Unwrap.
func (e *localError) Unwrap() error { return e.cause }
