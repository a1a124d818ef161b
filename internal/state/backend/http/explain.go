package httpstate

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// What is tried, as errors say it.
const (
	reading   = "reading"
	writing   = "writing"
	locking   = "locking"
	unlocking = "unlocking"
)

const (
	fixAddress = "check the address of the state block"
	fixLogIn   = "check the address, and give username and password (ESD_HTTP_USERNAME, ESD_HTTP_PASSWORD)"
)

var errDigest = errors.New("what arrived is not what the server's Content-MD5 describes")

// suspicion is an answer that cannot be one of a state server.
type suspicion struct{ problem, fix string }

// Error says what is wrong.
func (s *suspicion) Error() string { return s.problem }

func redirected(to *url.URL) error {
	shown := url.URL{Scheme: to.Scheme, Host: to.Host, Path: to.Path}
	s := &suspicion{problem: fmt.Sprintf("the server redirects to %s, which no state server does", shown.String()), fix: fixLogIn}
	if !logIn.MatchString(to.Path) {
		s.fix = "if the state has moved, change the address in the state block to that; nothing was sent there"
	}
	return s
}

// logIn matches paths of pages to log in.
var logIn = regexp.MustCompile(`(?i)/(log[-_]?[io]n|sign[-_]?[io]n|sso|saml\d?|oauth2?|authorize)([/.]|$)`)

// page is the suspicion that an answer is a page for people, nil if it is none.
func (a *answer) page() error {
	if !isPage(a) {
		return nil
	}
	return &suspicion{problem: fmt.Sprintf("the server answers HTTP %d with a page of HTML, perhaps one to log in", a.status), fix: fixLogIn}
}

func isPage(a *answer) bool {
	kind := strings.ToLower(a.header.Get("Content-Type"))
	return strings.HasPrefix(kind, "text/html") || strings.HasPrefix(kind, "application/xhtml")
}

// statusError is an answer that says no.
type statusError struct {
	status  int
	message string // of the server, "" where it said nothing for people
}

// status is the error that an answer is.
func (c *client) status(a *answer) *statusError {
	return &statusError{status: a.status, message: c.message(a)}
}

// HTTPStatusCode is the status of the answer: whoever tries again asks whether
// that is of use.
func (e *statusError) HTTPStatusCode() int { return e.status }

// Error gives the status and what the server said.
func (e *statusError) Error() string {
	text := fmt.Sprintf("the server answers HTTP %d %s", e.status, http.StatusText(e.status))
	if e.message != "" {
		text += fmt.Sprintf(" (%q)", e.message)
	}
	return text
}

const maxMessage = 200

// message is what the server said of an error, cleaned and without secrets.
func (c *client) message(a *answer) string {
	if isPage(a) {
		return ""
	}
	text := string(a.body)
	var said struct{ Message, Error any }
	if json.Unmarshal(a.body, &said) == nil {
		text = ""
		for _, v := range []any{said.Message, said.Error} {
			if v != nil && text == "" {
				text = fmt.Sprint(v)
			}
		}
	}
	text = c.withoutSecrets(text)
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage]) + "…"
	}
	return text
}

// withoutSecrets blots out what a server may repeat of a request.
func (c *client) withoutSecrets(text string) string {
	secrets := []string{c.password}
	for _, value := range c.headers {
		secrets = append(secrets, value)
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}

// fix says what to do about a status.
func (e *statusError) fix(f flavor, doing string) string {
	switch e.status {
	case http.StatusUnauthorized:
		return "give username and password, or a token as password (ESD_HTTP_USERNAME, ESD_HTTP_PASSWORD); a token may have expired"
	case http.StatusForbidden:
		if f == gitlab {
			return "the account needs the role Developer to read states and Maintainer to lock and write them, " +
				"and a token the scope api; a job token must be allowed by the project of the state"
		}
		return "the account may not do this; use one that may"
	case http.StatusNotFound:
		return "the address does not exist, or the account may not know that it does; " + fixAddress
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return "the server does not know this method; check update_method, lock_method and unlock_method"
	case http.StatusRequestEntityTooLarge:
		if f == gitlab {
			return "the administrator of GitLab has limited the size of Terraform states; have that raised, or divide the configuration"
		}
		return "the server, or one before it, takes no document of this size; have that raised, or divide the configuration"
	case http.StatusUnprocessableEntity:
		return "the server refuses the document: it has this serial already, or the state is being deleted there; read the state again and repeat"
	case http.StatusTooManyRequests:
		return "the server has had too many requests; try again later"
	}
	if e.status >= 500 {
		return "the server has trouble; try again later, or see its log"
	}
	if doing == locking || doing == unlocking {
		return "check lock_address, unlock_address and their methods"
	}
	return fixAddress
}
