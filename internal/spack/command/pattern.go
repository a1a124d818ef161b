package command

import (
	"regexp"
	"sync"
)

// lazily compiles a pattern when it is first used: most runs need none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
