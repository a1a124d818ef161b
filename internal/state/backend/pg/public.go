package pg

import (
	"net/url"
	"slices"
	"strings"
)

// publicWords are the keywords of a connection string that say where the
// database is and how it is spoken to. Whatever else there is may be secret, or
// does not matter for finding it again.
var publicWords = []string{
	"host", "hostaddr", "port", "dbname", "user", "service", "servicefile", "passfile",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "sslnegotiation", "target_session_attrs", "connect_timeout",
}

// public is a connection string without its password, so that it can be
// remembered; "" where it is not certain what of it is a password.
func public(connString string) string {
	if strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://") {
		return publicURL(connString)
	}
	words, ok := keywords(connString)
	if !ok {
		return ""
	}
	var kept []string
	for _, w := range words {
		if slices.Contains(publicWords, w.name) {
			kept = append(kept, w.name+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(w.value)+"'")
		}
	}
	return strings.Join(kept, " ")
}

func publicURL(connString string) string {
	u, err := url.Parse(connString)
	if err != nil || strings.ContainsAny(u.Host, "@/?#[]= ") && !strings.HasPrefix(u.Host, "[") {
		return ""
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	query := url.Values{}
	for name, values := range u.Query() {
		if slices.Contains(publicWords, name) {
			query[name] = values
		}
	}
	u.RawQuery, u.Fragment, u.RawFragment = query.Encode(), "", ""
	if text := u.String(); strings.Contains(text, "://") {
		return text
	}
	return ""
}

// keyword is a setting in a connection string of words.
type keyword struct{ name, value string }

// keywords reads a connection string as libpq does ("Keyword/Value Connection
// Strings" in its manual): NAME = VALUE, quoted by '...', escaped by \.
func keywords(text string) (list []keyword, ok bool) {
	for {
		text = strings.TrimLeft(text, space)
		if text == "" {
			return list, true
		}
		name, rest, found := strings.Cut(text, "=")
		name = strings.TrimRight(name, space)
		if !found || name == "" || strings.ContainsAny(name, space+`'\`) {
			return nil, false
		}
		value, rest, ok := keywordValue(strings.TrimLeft(rest, space))
		if !ok {
			return nil, false
		}
		list, text = append(list, keyword{name, value}), rest
	}
}

// space separates keywords.
const space = " \t\n\r\f\v"

// keywordValue takes the value off the beginning of a text.
func keywordValue(text string) (value, rest string, ok bool) {
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if i++; i == len(text) {
				return "", "", false
			}
			b.WriteByte(text[i])
		case quoted && c == '\'':
			return b.String(), text[i+1:], true
		case !quoted && strings.IndexByte(space, c) >= 0:
			return b.String(), text[i:], true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", !quoted
}
