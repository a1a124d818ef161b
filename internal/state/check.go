package state

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// maxAddress bounds the length of an address in bytes.
const maxAddress = 2048

// The checks say what is wrong with a string, or "" when nothing is.

func checkAddress(s string) string {
	switch {
	case s == "":
		return "an empty address"
	case len(s) > maxAddress:
		return fmt.Sprintf("an address of %d bytes, the limit is %d", len(s), maxAddress)
	case !utf8.ValidString(s):
		return fmt.Sprintf("the address %q is not UTF-8", s)
	}
	for rest := s; rest != ""; {
		_, after, ok := cutSegment(rest, len(rest) == len(s))
		if !ok {
			return fmt.Sprintf("%q is no address", s)
		}
		rest = after
	}
	return ""
}

func checkKind(s string) string {
	if s == "" {
		return "an empty kind"
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.') {
			return fmt.Sprintf("%q is no kind", s)
		}
	}
	return ""
}

func checkKey(s string) string {
	if len(s) == 64 {
		for i := range len(s) {
			if !isHex(s[i]) {
				return fmt.Sprintf("%q is no content key (64 lower-case hexadecimal digits)", s)
			}
		}
		return ""
	}
	return fmt.Sprintf("%q is no content key (64 lower-case hexadecimal digits)", s)
}

func checkLineage(s string) string {
	if !IsID(s) {
		return fmt.Sprintf("%q is no lineage (a UUID in lower case)", s)
	}
	return ""
}

func checkWhen(s string) string {
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return fmt.Sprintf("%q is no time (RFC 3339)", s)
	}
	return ""
}

// check returns what is wrong with an object, or "".
func (o *Object) check() string {
	for _, fault := range []string{checkAddress(o.Address), checkKind(o.Kind), checkKey(o.Key)} {
		if fault != "" {
			return fault
		}
	}
	if o.When != "" {
		if fault := checkWhen(o.When); fault != "" {
			return fault
		}
	}
	for _, dep := range o.Dependencies {
		if fault := checkAddress(dep); fault != "" {
			return fault
		}
	}
	return ""
}

// Valid reports whether the figures can be recorded: finite, not below zero, and
// whole numbers that every JSON reader can hold.
func (d Duration) Valid() bool {
	return d.Seconds >= 0 && !math.IsInf(d.Seconds, 0) &&
		d.PeakMemory >= 0 && d.PeakMemory <= maxSerial && d.Size >= 0 && d.Size <= maxSerial
}
