package apply

import (
	"os"
	"path/filepath"
	"strings"
	"sync"

	"esd/internal/providers"
)

// LogName is the file name of the log of a step: its identity with the
// characters that are not fit for file names replaced, and a digest where the
// name would be too long or ambiguous.
func LogName(stepID string) string {
	var b strings.Builder
	for _, r := range stepID {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			b.WriteRune(r)
		case r == '#':
			b.WriteByte('.')
		case r == '"' || r == ']':
		default:
			b.WriteByte('_')
		}
	}
	name := b.String()
	if strings.ContainsAny(stepID, "[/") || len(name) > 200 {
		name = name[:min(len(name), 200)] + "-" + providers.ShortDigest(stepID)[:8]
	}
	return name + ".log"
}

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
