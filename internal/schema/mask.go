package schema

import (
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Patterns of what one logs in with, in texts of any kind. They find rather too
// much: what they find is not shown, and that is all.
var (
	// ://user:password@host, also with one slash, as a path of it has
	userInfoPattern = regexp.MustCompile(`(?i)([a-z0-9+.-]*:/+)([^\s@]+)@`)
	// user:password@host without a scheme
	barePattern = regexp.MustCompile(`(^|[\s"'` + "`" + `(=,/])([^\s"'` + "`" + `/:@(=,]+:[^\s@/]+)@`)
	// ?token=… in a URL
	parameterPattern = regexp.MustCompile(`([?&;#])([^\s=&;#"'?]+)=([^\s&;#"']+)`)
	digestPattern    = regexp.MustCompile(`@sha(256|512):`)
)

// HoldsSecret reports whether a text seems to hold a URL or a reference by which
// one logs in. It is for what is shown and finds rather too much; what a
// configuration may hold is decided by CheckNoSecret and CheckRepository.
func HoldsSecret(text string) bool {
	if _, rest, isURL := strings.Cut(text, "://"); isURL && CheckNoSecret("x://"+rest, "") != nil && (!isSSH(text) || CheckRepository(cty.StringVal(text)) != nil) {
		return true // also where it has spaces
	}
	return MaskSecrets(text) != text
}

// MaskSecrets puts … in place of the secrets of all URLs and references in a
// text: of user names with passwords, and of parameters that are tokens or
// signatures.
func MaskSecrets(text string) string {
	if !strings.ContainsAny(text, "@=") {
		return text
	}
	const at = "\x00" // no @ of a digest is the end of a password
	text = digestPattern.ReplaceAllStringFunc(text, func(s string) string { return at + s[1:] })
	text = userInfoPattern.ReplaceAllStringFunc(text, func(s string) string {
		m := userInfoPattern.FindStringSubmatch(s)
		if strings.HasPrefix(m[2], "…") || isSSH(m[1]) && !strings.Contains(m[2], ":") || strings.Contains(m[2], "/") && !strings.Contains(m[2], ":") {
			return s
		}
		return m[1] + "…@"
	})
	text = barePattern.ReplaceAllString(text, "$1…@")
	text = parameterPattern.ReplaceAllStringFunc(text, func(s string) string {
		m := parameterPattern.FindStringSubmatch(s)
		if !isSecretName(m[2]) && !IsSecretKey(m[2]) {
			return s
		}
		return m[1] + m[2] + "=…"
	})
	return strings.ReplaceAll(text, at, "@")
}

// isSSH tells addresses where a name alone is no secret.
func isSSH(address string) bool {
	scheme, _, _ := strings.Cut(address, ":")
	return strings.Contains(strings.ToLower(scheme), "ssh")
}

// secretKeys are parts of the names under which secrets are kept, in lower case
// and without dashes and underscores.
var secretKeys = []string{
	"password", "passwd", "passphrase", "pwd", "token", "secret", "credential", "connstr", "privatekey", "accesskey", "apikey",
	"authorization", "accesspair", "signature",
}

// IsSecretKey reports whether what is kept under a name seems to be a secret, by
// its name alone. Names of variables that hold one (secret_variable) are none.
func IsSecretKey(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, "_variable") {
		return false
	}
	if strings.HasSuffix(lower, "_pem") {
		return true
	}
	lower = strings.NewReplacer("-", "", "_", "").Replace(lower)
	for _, part := range secretKeys {
		if strings.Contains(lower, part) {
			return true
		}
	}
	return false
}
