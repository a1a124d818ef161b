package oci

import (
	"context"
	"encoding/base64"
	"log/slog"
)

// Credential lets into a registry. It prints without its secrets.
type Credential struct {
	Username      string
	Password      string
	IdentityToken string // OAuth2 refresh token, in place of a password
	AccessToken   string // registry token, sent as it is
	Source        string // where it comes from, for messages: a file, a helper
}

// String implements fmt.Stringer without the secrets.
func (c Credential) String() string {
	if c.Empty() {
		return "no credentials"
	}
	return "credentials of " + c.Username + " from " + c.Source
}

// GoString implements fmt.GoStringer without the secrets.
func (c Credential) GoString() string { return "oci.Credential(" + c.String() + ")" }

// LogValue implements slog.LogValuer without the secrets.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Empty tells whether there is nothing to log in with.
func (c Credential) Empty() bool {
	return c.Password == "" && c.IdentityToken == "" && c.AccessToken == ""
}

// Credentials find what to log in with.
type Credentials interface {
	// Lookup gives the credential for a repository, or an empty one when there is
	// none, and the files it looked at.
	Lookup(ctx context.Context, registry, repository string) (cred Credential, looked []string, err error)
}

// StaticCredential is the same [Credential] for every repository.
type StaticCredential Credential

// Lookup implements Credentials.
func (s StaticCredential) Lookup(context.Context, string, string) (Credential, []string, error) {
	return Credential(s), nil, nil
}

// secrets lists what must not appear in any text, in all the forms it is sent in.
func (c Credential) secrets() []string {
	var all []string
	for _, s := range []string{c.Password, c.IdentityToken, c.AccessToken} {
		if s != "" {
			all = append(all, s)
		}
	}
	if c.Password != "" {
		all = append(all, base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)))
	}
	return all
}
