package view

import (
	"fmt"
	"strconv"
	"time"
)

// Bytes writes a number of bytes for people: 512 B, 1.2 GiB.
func Bytes(n int64) string {
	if n < 1024 && n > -1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), -1
	for value >= 1023.95 || value <= -1023.95 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + string("KMGTPE"[unit]) + "iB"
}

// Duration writes a duration for people: 0.4s, 12s, 3m12s, 1h02m, 2d03h.
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if tenths := d.Round(100 * time.Millisecond); tenths < 10*time.Second {
		return strconv.FormatFloat(tenths.Seconds(), 'f', 1, 64) + "s"
	}
	return wholeSeconds(d.Round(time.Second))
}

// wholeSeconds is Duration without fractions, for what is counted while one
// watches.
func wholeSeconds(d time.Duration) string {
	s := max(int64(d/time.Second), 0)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/(24*3600), s/3600%24)
}

// seconds is Duration of a number of seconds; "unknown" below 0.
func seconds(s float64) string {
	if s < 0 {
		return "unknown"
	}
	return Duration(time.Duration(s * float64(time.Second)))
}

// Number writes a count for people: 3,000.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Plural writes a count with its noun: 1 step, 3,000 steps. It knows the
// regular plural only.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}
