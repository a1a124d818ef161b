package oci

import "strings"

// What references are made of, as in the OCI distribution specification 1.1,
// section "Pulling manifests". The patterns are matched by hand: compiling
// them would take longer than most runs have use for.

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// only reports whether s has no other characters than those.
func only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// isTag matches [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
func isTag(s string) bool {
	return s != "" && len(s) <= 128 && only(s, lower+upper+digits+"._-") && s[0] != '.' && s[0] != '-'
}

// isRepository matches components with slashes between them, each of which is
// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*.
func isRepository(s string) bool {
	for component := range strings.SplitSeq(s, "/") {
		if !isComponent(component) {
			return false
		}
	}
	return true
}

func isComponent(s string) bool {
	for {
		rest := strings.TrimLeft(s, lower+digits)
		if len(rest) == len(s) {
			return false // a separator stands first or last, or another character
		}
		if rest == "" {
			return true
		}
		s = strings.TrimLeft(rest, "._-")
		switch separator := rest[:len(rest)-len(s)]; {
		case separator == "." || separator == "_" || separator == "__":
		case separator == "" || !only(separator, "-"):
			return false
		}
	}
}

// isHost matches labels with dots between them, [a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?
// each, or an address of IPv6 in brackets; a port may follow.
func isHost(s string) bool {
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		port := s[i+1:]
		if port == "" || len(port) > 5 || !only(port, digits) {
			return false
		}
		s = s[:i]
	}
	if address, ok := strings.CutPrefix(s, "["); ok {
		address, ok = strings.CutSuffix(address, "]")
		return ok && address != "" && only(address, digits+"abcdefABCDEF:")
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || !only(label, lower+upper+digits+"-") {
			return false
		}
	}
	return true
}
