package workspace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"esd/internal/state/backend"
)

// place says where a state is kept: what its block says and what variables say
// for it, without secrets, so that it can be remembered and opened again.
type place struct {
	Kind     string                     `json:"kind"`
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	// Hidden tells that a secret setting was given besides, which may say where
	// the place is.
	Hidden bool `json:"hidden,omitempty"`
}

// placeOf is the place of a backend with some settings.
func placeOf(kind *backend.Kind, settings backend.Settings) (place, error) {
	p := place{Kind: kind.Name, Settings: map[string]json.RawMessage{}}
	for _, a := range kind.Attributes {
		v, said := settings[a.Name]
		if said && a.Secret {
			p.Hidden = true
		}
		if !said || a.Secret {
			continue
		}
		if v.Type() == cty.String {
			v = cty.StringVal(withoutSecrets(v.AsString()))
		}
		data, err := ctyjson.Marshal(v, a.Type)
		if err != nil {
			return p, fmt.Errorf("%s of state %q: %w", a.Name, kind.Name, err)
		}
		p.Settings[a.Name] = data
	}
	return p, nil
}

// open opens the backend at a place. What is secret comes from the environment
// as always; all else is as it was then, whatever the environment says now.
func (p place) open(env backend.Env) (backend.Backend, error) {
	kind, err := findKind(p.Kind)
	if err != nil {
		return nil, err
	}
	said, secret := map[string]cty.Value{}, map[string]bool{}
	for _, a := range kind.Attributes {
		if a.Secret {
			for _, name := range a.Variables {
				secret[name] = true
			}
		}
		data, ok := p.Settings[a.Name]
		if !ok {
			continue
		}
		v, err := ctyjson.Unmarshal(data, a.Type)
		if err != nil {
			return nil, fmt.Errorf("what is remembered as %s of state %q: %w", a.Name, p.Kind, err)
		}
		said[a.Name] = v
	}
	settings, err := kind.Decode(cty.ObjectVal(said), func(name string) (string, bool) {
		if !secret[name] {
			return "", false
		}
		return env.Getenv(name)
	})
	if err != nil {
		return nil, err
	}
	return kind.Open(settings, env)
}

// says reports whether two places have the same settings.
func (p place) says(q place) bool {
	return p.Kind == q.Kind && maps.EqualFunc(p.Settings, q.Settings, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// String names a place whose location is not known: its kind, and its first
// setting that says where.
func (p place) String() string {
	for _, name := range []string{"address", "url", "bucket", "repository", "connection", "path"} {
		var text string
		if json.Unmarshal(p.Settings[name], &text) == nil && text != "" {
			return fmt.Sprintf("state %q (%s)", p.Kind, text)
		}
	}
	return fmt.Sprintf("state %q", p.Kind)
}

// secretWords are parts of names of parameters that hold secrets.
var secretWords = []string{"token", "secret", "pass", "pwd", "sig", "auth", "credential", "key", "jwt"}

// keyword is a password in a connection string of words, as libpq reads them.
var keyword = regexp.MustCompile(`(?i)\b(password|passfile_password|sslpassword)\s*=\s*('([^'\\]|\\.)*'|\S*)`)

// withoutSecrets takes out of a text what people put into addresses although it
// should not stand there: passwords and tokens.
func withoutSecrets(text string) string {
	text = keyword.ReplaceAllString(text, "")
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" && u.User == nil {
		return strings.TrimSpace(text)
	}
	u.User, u.Fragment, u.RawFragment = nil, "", "" // some take a token as the name of the user
	query := u.Query()
	maps.DeleteFunc(query, func(name string, _ []string) bool {
		return slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(strings.ToLower(name), word) })
	})
	if len(query) != len(u.Query()) {
		u.RawQuery = query.Encode()
	}
	return u.String()
}
