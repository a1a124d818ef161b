package schema

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// SecretError says that a value holds what one logs in with. It does not repeat
// the value, and nobody who shows it may: neither as text nor with its source.
type SecretError struct{ reason string }

func (e *SecretError) Error() string { return e.reason }

// CheckNoSecret refuses a URL or an image reference that holds what one logs in
// with: it would end up in plans, in the state and in logs. What it refuses is
// not repeated in the error. The advice says where it belongs instead.
func CheckNoSecret(place, advice string) error {
	authority, rest := place, ""
	if _, after, isURL := strings.Cut(place, "://"); isURL {
		authority = after
	}
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority, rest = authority[:i], authority[i:]
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 && !isDigest(authority[i+1:]) {
		return &SecretError{"it must not contain a user name, a password or a token: it would end up in plans, in the state and in logs; " + advice}
	}
	if name := secretParameter(rest); name != "" {
		return &SecretError{fmt.Sprintf("its parameter %q is a secret, which would end up in plans, in the state and in logs; %s", name, advice)}
	}
	return nil
}

// secretParameter is the name of a parameter of a URL that holds a secret; empty
// if there is none.
func secretParameter(address string) string {
	_, query, _ := strings.Cut(address, "?")
	query, _, _ = strings.Cut(query, "#")
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if value != "" && isSecretName(name) {
			return name
		}
	}
	return ""
}

// isDigest tells what follows an @ in an image reference from a host.
func isDigest(s string) bool {
	return strings.HasPrefix(s, "sha256:") || strings.HasPrefix(s, "sha512:")
}

// secretNames are how parameters are called by which servers know who asks, in
// lower case and without dashes and underscores: tokens of forges, and the
// signatures of S3, Google and Azure.
var secretNames = []string{
	"accesstoken", "apikey", "auth", "authtoken", "authorization", "clientsecret", "jobtoken", "passwd", "password", "privatetoken",
	"secret", "sig", "signature", "token", "xamzcredential", "xamzsecuritytoken", "xamzsignature", "xgoogcredential", "xgoogsignature",
}

func isSecretName(name string) bool {
	name = strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
	return slices.Contains(secretNames, name)
}
