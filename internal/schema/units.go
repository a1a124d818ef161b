package schema

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

var sizeUnits = map[string]float64{
	"": 1, "B": 1,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// ParseSize reads a size as the language writes it (`512MiB`, `2GB`, `1.5GiB`,
// a bare number of bytes) and returns bytes.
func ParseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "BKMGTki")
	value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	factor, known := sizeUnits[s[len(number):]]
	if err != nil || !known || value < 0 || math.IsNaN(value) || value*factor >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size; write a number and a unit, as in 512MiB or 2GB", s)
	}
	return int64(value * factor), nil
}

// ParseDuration reads a time as the language writes it: Go's durations, and
// days as in `90d` or `1d12h`.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a time; write numbers and units, as in 90d, 4h30m or 20s", s)
	rest, days := s, time.Duration(0)
	if before, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, bad
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || days+d < 0 {
		return 0, bad
	}
	return days + d, nil
}

// CheckSize is an attribute check for sizes.
func CheckSize(v cty.Value) error {
	_, err := ParseSize(v.AsString())
	return err
}

// CheckDuration is an attribute check for times.
func CheckDuration(v cty.Value) error {
	_, err := ParseDuration(v.AsString())
	return err
}

// CheckVersion refuses what is no version: empty, or with characters that
// would not survive in a path.
func CheckVersion(v cty.Value) error {
	s := v.AsString()
	if s == "" {
		return errors.New("a version must not be empty")
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return !isPathSafe(r) }); i >= 0 || s[0] == '.' || len(s) > 64 {
		return fmt.Errorf("%q is not a version; use at most 64 letters, digits and . _ + - and do not begin with a dot", s)
	}
	return nil
}

func isPathSafe(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._+-", r)
}
