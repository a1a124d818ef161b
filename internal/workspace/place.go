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
		if !said {
			continue
		}
		if a.Secret {
			p.Hidden = true
			if v = publicOf(&a, v); v == cty.NilVal {
				continue
			}
		} else if v.Type() == cty.String {
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

// publicOf is what may be remembered of a secret value; cty.NilVal for nothing.
func publicOf(a *backend.Attribute, v cty.Value) cty.Value {
	if a.Public == nil || v.Type() != cty.String {
		return cty.NilVal
	}
	text := a.Public(v.AsString())
	if text == "" {
		return cty.NilVal
	}
	return cty.StringVal(text)
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
		if !a.Secret || !completes(&a, v, env.Getenv) {
			said[a.Name] = v
		}
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

// completes tells that the environment gives a secret of which this is the part
// that was remembered.
func completes(a *backend.Attribute, remembered cty.Value, getenv func(string) (string, bool)) bool {
	for _, name := range a.Variables {
		if text, ok := getenv(name); ok && text != "" {
			v := publicOf(a, cty.StringVal(text))
			return v != cty.NilVal && v.RawEquals(remembered)
		}
	}
	return false
}

// elsewhere says, where a place was opened again and leads elsewhere than it did,
// why that may be: part of it was secret, and what the environment says now is
// something else. It is nil where it leads where it did.
func (s *sighting) elsewhere(b backend.Backend) error {
	now, ok := b.(interface{ Location() string })
	if !ok || s.Location == "" || now.Location() == s.Location {
		return nil
	}
	kind, err := findKind(s.Kind)
	if err != nil {
		return err
	}
	const orOld = "name the old configuration: `esd state migrate --from OLD.hcl`"
	for _, a := range kind.Attributes {
		if a.Public != nil && len(a.Variables) > 0 {
			return fmt.Errorf("the state was in %s, but its %s is not remembered in full, as it may hold a password, and what is left of it leads to %s now: set %s to it, or %s",
				s.Location, a.Name, now.Location(), a.Variables[0], orOld)
		}
	}
	return fmt.Errorf("the state was in %s, but what is remembered of that leads to %s now: %s", s.Location, now.Location(), orOld)
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
