package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"esd/internal/spack/transport"
)

// partsDir is where files are while they are incomplete.
const partsDir = ".parts"

// DigestError says that a file is not the one that the recipe states.
type DigestError struct {
	Location         string
	Expected, Actual string
	// WebPage: what came is HTML, as from a server that asks to log in or explains
	// that there is no such file.
	WebPage bool
	// Here: it is in the mirror that is filled, where it was before.
	Here bool
}

// Error implements error.
func (e *DigestError) Error() string {
	text := fmt.Sprintf("%s: the file has digest %s, the recipe states %s", e.Location, e.Actual, e.Expected)
	if e.WebPage {
		return text + " (the server sent a web page)"
	}
	return text
}

// origin is one place where one file may be had.
type origin struct {
	store *transport.Store
	name  string
}

func (o origin) String() string { return o.store.Where(o.name) }

// group brings one file to all paths at which a source wants it, and to all mirrors
// that take it.
func (f *fetcher) group(ctx context.Context, group []Source) error {
	if len(group) == 1 && f.has(group[0].Path) && !f.pushes() { // no need to wait for anybody
		f.tell(Event{Source: group[0]})
		return nil
	}
	known := newKnowledge()
	for again := false; ; again = true {
		from, count, err := f.bring(ctx, group, known)
		for _, s := range group {
			if err == nil {
				err = f.share(ctx, s, from, count, known)
			}
			from, count = "", 0
		}
		var damaged *DigestError
		if again || !errors.As(err, &damaged) || !damaged.Here {
			return err
		}
		for _, s := range group { // what was here was not what it should be: once more
			_ = os.Remove(f.local(s.Path))
		}
	}
}

// bring fetches a file, unless it is here, and gives it all its names.
func (f *fetcher) bring(ctx context.Context, group []Source, known *knowledge) (from string, count int64, err error) {
	p, err := openPart(ctx, filepath.Join(f.dir, partsDir, group[0].Digest), group[0].Digest)
	if err != nil {
		return "", 0, err
	}
	defer p.close()
	have := ""
	for _, s := range group {
		if f.has(s.Path) {
			have = s.Path
		}
	}
	if have == "" {
		if from, count, err = f.download(ctx, p, group, known); err != nil {
			return "", 0, err
		}
		have, known.verified = group[0].Path, true
	}
	for _, s := range group {
		if err := f.alsoAt(have, s.Path); err != nil {
			return "", 0, err
		}
	}
	return from, count, nil
}

// alsoAt gives a file of the mirror a further name.
func (f *fetcher) alsoAt(have, path string) error {
	if f.has(path) {
		return nil
	}
	to := f.local(path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	err := os.Link(f.local(have), to)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// download gets a file from the first place that has it, mirrors first.
func (f *fetcher) download(ctx context.Context, p *part, group []Source, known *knowledge) (from string, count int64, err error) {
	if p.size > 0 && p.digest() == group[0].Digest { // all of it came, and then the process was killed
		return "", 0, p.commit(f.local(group[0].Path))
	}
	d := &download{fetcher: f, part: p, known: known, failed: &SourceError{Source: group[0]}}
	for _, m := range f.Mirrors {
		for _, s := range group {
			if !m.available(f.Transport.Clock) {
				break
			}
			done := d.from(ctx, origin{m.store, s.Path})
			m.learn(d.err, f.Transport.Clock)
			if done {
				return d.origin, d.count, d.err
			}
		}
	}
	asked := map[string]bool{}
	for _, s := range group {
		for _, address := range s.URLs {
			if asked[address] || !isDirect(address) {
				continue
			}
			asked[address] = true
			store, name, err := transport.OpenObject(address, f.Transport)
			if err != nil {
				d.failed.Tried = append(d.failed.Tried, fmt.Errorf("%s: %w", redacted(address), err))
			} else if d.from(ctx, origin{store, name}) {
				return d.origin, d.count, d.err
			}
		}
	}
	if len(d.failed.Tried) == 0 {
		d.failed.Tried = []error{errors.New("none of its URLs is of a kind that can be fetched")}
	}
	return "", 0, d.failed
}

// download is the search for one file.
type download struct {
	*fetcher
	part   *part
	known  *knowledge
	failed *SourceError

	origin string // where it came from
	count  int64
	err    error // of the last place
}

// from tries a place, and reports whether that was the last.
func (d *download) from(ctx context.Context, o origin) bool {
	d.count, d.err = d.try(ctx, d.part, d.failed.Source, o)
	d.known.learn(o, d.err)
	d.origin = o.String()
	if d.err == nil {
		return true
	}
	d.failed.Tried = append(d.failed.Tried, d.err)
	if final(ctx, d.err) {
		d.err = d.failed
		return true
	}
	return false
}

// try gets a file from one place; anew when what was here of it does not fit.
func (f *fetcher) try(ctx context.Context, p *part, s Source, o origin) (int64, error) {
	total := int64(0)
	for attempt := 1; ; attempt++ {
		n, resumed, err := f.once(ctx, p, s, o)
		total += n
		if err == nil || !resumed || attempt > maxAnew {
			return total, err
		}
	}
}

// maxAnew is how often a file is fetched from its beginning, in place of a rest that
// does not fit.
const maxAnew = 2

// once transfers what is missing of a file, verifies it and puts it into place. What
// turns out to be wrong is thrown away; resumed says that it was put together.
func (f *fetcher) once(ctx context.Context, p *part, s Source, o origin) (count int64, resumed bool, err error) {
	r, err := o.store.Read(ctx, o.name, p.size)
	if err != nil {
		if errors.Is(err, transport.ErrRange) {
			return 0, true, errors.Join(err, p.restart())
		}
		return 0, false, err
	}
	defer r.Close()
	before := p.size
	_, err = p.ReadFrom(&limited{transport.WithContext(ctx, r), f.MaxSize - p.size})
	count, resumed = p.size-before, before > 0 || r.Resumes() > 0
	switch {
	case errors.Is(err, transport.ErrRange):
		return count, true, errors.Join(err, p.restart())
	case err != nil:
		return count, false, fmt.Errorf("%s: %w", o, err)
	}
	if actual := p.digest(); actual != s.Digest {
		wrong := &DigestError{Location: o.String(), Expected: s.Digest, Actual: actual, WebPage: p.isWebPage()}
		if err := p.restart(); err != nil {
			return count, false, err
		}
		return count, resumed, wrong
	}
	return count, false, p.commit(f.local(s.Path))
}

// redacted shows an address without what may be secret in it.
func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a URL that cannot be parsed"
	}
	u.User, u.RawQuery = nil, "" // signed URLs have their secrets there
	return u.String()
}

// limited fails when there is more than allowed.
type limited struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errors.New("it is larger than a source may be")
	}
	return n, err
}
