package schema

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// CheckRepository checks the address of a git repository: it refuses what would carry a secret into plans, logs and the lock file.
// The name by which one logs in with ssh is none.
func CheckRepository(v cty.Value) error {
	scheme, rest, isURL := strings.Cut(v.AsString(), "://")
	if !isURL {
		scheme, rest = "ssh", v.AsString() // user@host:path, or a directory
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	i := strings.LastIndexByte(rest, '@')
	known := i < 0 || strings.Contains(strings.ToLower(scheme), "ssh") && !strings.Contains(rest[:i], ":")
	if known && secretParameter(v.AsString()) == "" {
		return nil
	}
	return &SecretError{"the address of a git repository must not contain a password or a token: it would end up in plans, logs and the lock file; " +
		"leave it to a credential helper of git, or to a key of ssh"}
}
