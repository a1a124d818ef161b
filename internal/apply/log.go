package apply

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"esd/internal/providers"
)

// LogName is the file name of the log of a step: its identity with the
// characters that are not fit for file names replaced, and a digest where that
// leaves the name ambiguous or it would be too long.
func LogName(stepID string) string {
	var b strings.Builder
	replaced := false
	for _, r := range stepID {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			b.WriteRune(r)
		case r == '#':
			b.WriteByte('.')
		default:
			replaced = true
			if r != '"' && r != ']' {
				b.WriteByte('_')
			}
		}
	}
	name := b.String()
	if replaced || len(name) > maxLogName || strings.Count(stepID, "#") > 1 {
		name = name[:min(len(name), maxLogName)] + "-" + providers.ShortDigest(stepID)[:8]
	}
	return name + ".log"
}

// maxLogName leaves room for a digest and an extension in the 255 bytes that
// file names may have.
const maxLogName = 200

// lazyLog is a log file that comes into being with the first byte.
type lazyLog struct {
	path string
	mu   sync.Mutex
	file *os.File
	err  error
}

func (l *lazyLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil && l.err == nil {
		if l.err = os.MkdirAll(filepath.Dir(l.path), 0o755); l.err == nil {
			l.file, l.err = os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		}
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.file.Write(p)
}

// Close ends the log. It reports the first error of opening or closing it.
func (l *lazyLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return l.err
	}
	return l.file.Close()
}

// written is the path of the log if anything was written.
func (l *lazyLog) written() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return ""
	}
	return l.path
}
