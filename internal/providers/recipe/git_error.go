package recipe

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// gitError is a git command that failed, with all that it said.
type gitError struct {
	command, said string
	err           error
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", e.command, e.err, essence(e.said))
}

func (e *gitError) Unwrap() error { return e.err }

// passing are the words by which git, curl and ssh tell of failures of a network
// or a server that may go away by themselves. Everything else, as a repository
// that does not exist or a refused login, is the same at the next try.
var passing = []string{
	"Could not resolve host", "Connection refused", "Connection reset", "Failed to connect", "timed out",
	"early EOF", "unexpected disconnect", "RPC failed", "The requested URL returned error: 5",
}

// mayGoAway reports whether it is worth trying again.
func (e *gitError) mayGoAway() bool {
	for _, words := range passing {
		if strings.Contains(e.said, words) {
			return true
		}
	}
	return false
}

// essence is what is worth telling of what git said: the last two lines before
// its general advice, without the user information of any URL. The settings of a
// user (url.*.insteadOf) can bring passwords into addresses that have none.
func essence(said string) string {
	said, _, _ = strings.Cut(said, "\nPlease make sure")
	lines := strings.FieldsFunc(said, func(r rune) bool { return r == '\n' || r == '\r' })
	lines = lines[max(len(lines)-2, 0):]
	return userInfo().ReplaceAllString(strings.Join(lines, "; "), "$1")
}

var userInfo = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s]*@`)
})
