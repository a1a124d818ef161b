package command

import (
	"bytes"
	"regexp"
	"strings"
	"time"
)

// EventKind says what an [Event] is about.
type EventKind string

// What Spack tells while it builds.
const (
	// Started: Spack has the package's lock and begins.
	Started EventKind = "started"
	// Fetching: a source is being fetched; Text is where from.
	Fetching EventKind = "fetching"
	// Patched: a patch was applied; Text is its name.
	Patched EventKind = "patched"
	// Phase: a phase of the build begins; Text is its name: "configure", "install".
	Phase EventKind = "phase"
	// Installed: the package is in the store; Text is its prefix, as far as Spack
	// shows it.
	Installed EventKind = "installed"
	// Times: how long it took, as Spack says it.
	Times EventKind = "times"
	// Waiting: another process has the package's lock.
	Waiting EventKind = "waiting"
)

// Event is something that happened during a build.
type Event struct {
	Kind EventKind
	Text string
	// Times are the seconds that each phase took, "Stage", "Install" and "Total" among them.
	Times map[string]time.Duration
}

var (
	phaseLine   = lazily(`^==> [^ ]+: Executing phase: '([^']*)'$`)
	patchLine   = lazily(`^==> Applied patch (.+)$`)
	fetchLine   = lazily(`^==> (?:Fetching|Using cached archive:|Cloning git repository:) (.+)$`)
	startLine   = lazily(`^==> Installing ([^ ]+)(?: \[\d+/\d+\])?$`)
	waitingLine = lazily(`^==> Waiting for ([^ ]+)`)
	timesWord   = lazily(`([A-Z][A-Za-z_-]*): (?:(\d+)h )?(?:(\d+)m )?(\d+(?:\.\d+)?)s`)
)

// parseLine finds out what a line of Spack's output tells (spack/installer.py
// writes them). Lines of the build itself can look alike, so this is good for
// showing progress and for nothing else.
func parseLine(line string) (Event, bool) {
	line = strings.TrimRight(line, " \r")
	switch {
	case strings.HasPrefix(line, "[+] "):
		return Event{Kind: Installed, Text: strings.TrimSpace(line[4:])}, true
	case strings.HasPrefix(line, "  Stage: "):
		times := map[string]time.Duration{}
		for _, w := range timesWord().FindAllStringSubmatch(line, 64) {
			if d, err := time.ParseDuration(unit(w[2], "h") + unit(w[3], "m") + w[4] + "s"); err == nil {
				times[w[1]] = d
			}
		}
		return Event{Kind: Times, Text: strings.TrimSpace(line), Times: times}, true
	case !strings.HasPrefix(line, "==> "):
		return Event{}, false
	}
	for _, l := range []struct {
		kind EventKind
		form func() *regexp.Regexp
	}{{Phase, phaseLine}, {Patched, patchLine}, {Fetching, fetchLine}, {Started, startLine}, {Waiting, waitingLine}} {
		if m := l.form().FindStringSubmatch(line); m != nil {
			return Event{Kind: l.kind, Text: m[1]}, true
		}
	}
	return Event{}, false
}

// unit is a number with its unit, or nothing.
func unit(number, name string) string {
	if number == "" {
		return ""
	}
	return number + name
}

// maxLine is where longer lines are cut for looking at them.
const maxLine = 8 << 10

// follower hands on the lines of what is written to it, and keeps the last ones.
type follower struct {
	each func(line string)
	line []byte
	tail tail
}

// Write implements io.Writer; it always takes everything.
func (f *follower) Write(p []byte) (int, error) {
	f.tail.add(p)
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		piece := p
		if end >= 0 {
			piece = p[:end]
		}
		f.line = append(f.line, piece[:min(len(piece), maxLine-len(f.line))]...)
		if end < 0 {
			break
		}
		f.each(string(f.line))
		f.line = f.line[:0]
		p = p[end+1:]
	}
	return n, nil
}

// tail keeps the end of a stream.
type tail struct{ kept []byte }

const tailSize = 64 << 10

func (t *tail) add(p []byte) {
	if len(p) >= tailSize {
		t.kept = append(t.kept[:0], p[len(p)-tailSize:]...)
		return
	}
	if len(t.kept)+len(p) > 2*tailSize {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-tailSize:]...)
	}
	t.kept = append(t.kept, p...)
}
