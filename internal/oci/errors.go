package oci

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Sentinels for errors.Is. Errors of this package wrap one of them and say in their
// text which registry and repository, or which layout, they are about.
var (
	// ErrNotFound says that a tag, manifest, blob or repository does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized says that a registry wants other credentials than it was given.
	ErrUnauthorized = errors.New("access denied")
	// ErrUnavailable says that a registry could not be reached, or kept failing, for
	// as long as the retry policy lasts. Trying again later may help.
	ErrUnavailable = errors.New("registry unavailable")
	// ErrUnsupported says that a registry does not implement the operation.
	ErrUnsupported = errors.New("not supported by the registry")
	// ErrMissingBlob says that a manifest was refused, because something it refers to
	// is not stored, or no longer.
	ErrMissingBlob = errors.New("a blob of the manifest is missing")
	// ErrPlainHTTP says that a registry speaks HTTP where HTTPS was expected.
	ErrPlainHTTP = errors.New("registry speaks plain HTTP")
	// ErrInvalidReference says that a text is not a reference to an image.
	ErrInvalidReference = errors.New("invalid reference")
	// ErrInvalidContent says that a manifest, index, configuration or layout is
	// malformed, or larger than is accepted.
	ErrInvalidContent = errors.New("invalid content")
)

// DigestMismatchError says that content is not what its descriptor promises: it has
// another digest, or another size.
type DigestMismatchError struct {
	Location                 string // repository or layout the content came from or went to
	Expected, Actual         digest.Digest
	ExpectedSize, ActualSize int64
}

// Error implements error.
func (e *DigestMismatchError) Error() string {
	if e.Actual == "" {
		return fmt.Sprintf("%s: content of %s has %d bytes, %d expected: the source is damaged or lying",
			e.Location, e.Expected, e.ActualSize, e.ExpectedSize)
	}
	return fmt.Sprintf("%s: content has digest %s, expected %s: the source is damaged or lying",
		e.Location, e.Actual, e.Expected)
}

// AuthError is the detailed form of [ErrUnauthorized].
type AuthError struct {
	Location string   // registry and repository
	Registry string   // what to log in to
	Status   int      // HTTP status, 0 when the registry was not even asked
	Source   string   // where the credentials that were refused came from; "" when there were none
	Looked   []string // credential files that were searched, in order
	Reason   string   // what the registry said; never contains a secret
}

// Error implements error. It never contains a secret.
func (e *AuthError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Location, ErrUnauthorized)
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", e.Reason)
	}
	if e.Source != "" {
		fmt.Fprintf(&b, "; the credentials from %s were refused", e.Source)
	} else {
		b.WriteString("; no credentials were found")
		if len(e.Looked) > 0 {
			fmt.Fprintf(&b, " in %s", strings.Join(e.Looked, ", "))
		}
	}
	fmt.Fprintf(&b, "; log in with `skopeo login %s` or `docker login %s`", e.Registry, e.Registry)
	return b.String()
}

// Unwrap makes errors.Is(err, ErrUnauthorized) true.
func (e *AuthError) Unwrap() error { return ErrUnauthorized }

// UploadRedirectError says that a registry wants uploads to go to another host.
// They are refused, because credentials would be sent to that host.
type UploadRedirectError struct {
	Location string // registry and repository
	Host     string // where the registry wants the upload to go
}

// Error implements error.
func (e *UploadRedirectError) Error() string {
	return fmt.Sprintf("%s: the registry wants the upload to go to another host, %q; "+
		"this is refused because it would hand credentials to that host: "+
		"use the registry's public name, or set its external URL", e.Location, e.Host)
}

// Unwrap makes errors.Is(err, ErrUnsupported) true.
func (e *UploadRedirectError) Unwrap() error { return ErrUnsupported }
