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
	"strings"
	"time"
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
	place Place
	name  string
}

func (o origin) String() string { return strings.TrimSuffix(o.place.Location(), "/") + "/" + o.name }

// group brings one file to all paths at which a source wants it.
func (f *fetcher) group(ctx context.Context, group []Source) error {
	if len(group) == 1 && f.has(group[0].Path) { // no need to wait for anybody
		f.tell(Event{Source: group[0]})
		return nil
	}
	p, err := openPart(ctx, filepath.Join(f.dir, partsDir, group[0].Digest), group[0].Digest)
	if err != nil {
		return err
	}
	defer p.close()
	have := ""
	for _, s := range group {
		if f.has(s.Path) {
			have = s.Path
		}
	}
	from, count := "", int64(0)
	if have == "" {
		if from, count, err = f.download(ctx, p, group); err != nil {
			return err
		}
		have = group[0].Path
	}
	for _, s := range group {
		if err := f.alsoAt(have, s.Path); err != nil {
			return err
		}
		f.tell(Event{s, from, count})
		from, count = "", 0
	}
	return nil
}

// alsoAt gives a file of the mirror a further name.
func (f *fetcher) alsoAt(have, path string) error {
	if f.has(path) {
		return nil
	}
	to := filepath.Join(f.dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	err := os.Link(filepath.Join(f.dir, filepath.FromSlash(have)), to)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// origins are all places to try for a group, mirrors first.
func (f *fetcher) origins(group []Source) []origin {
	var all []origin
	seen := map[string]bool{}
	add := func(o origin) {
		if !seen[o.String()] {
			seen[o.String()] = true
			all = append(all, o)
		}
	}
	for _, m := range f.Mirrors {
		for _, s := range group {
			add(origin{m, s.Path})
		}
	}
	for _, s := range group {
		for _, address := range s.URLs {
			if o, ok := f.direct(address); ok {
				add(o)
			}
		}
	}
	return all
}

// direct is the place of a URL.
func (f *fetcher) direct(address string) (origin, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return origin{}, false
	}
	switch u.Scheme {
	case "file":
		return origin{file(u.Path), ""}, true
	case "http", "https":
		return origin{&page{Web{Base: address, Client: f.Client}}, ""}, true
	}
	return origin{}, false
}

// file is a place with one file, page one with one URL, which is taken as it is.
type file string
type page struct{ Web }

func (p file) Location() string { return "file://" + string(p) }
func (p file) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, int64, error) {
	return openAt(string(p), offset)
}
func (p *page) Open(ctx context.Context, _ string, offset int64) (io.ReadCloser, int64, error) {
	return p.get(ctx, p.Base, offset)
}

// download gets a file from the first place that has it.
func (f *fetcher) download(ctx context.Context, p *part, group []Source) (from string, count int64, err error) {
	if p.size > 0 && p.digest() == group[0].Digest { // all of it came, and then the process was killed
		return "", 0, p.commit(filepath.Join(f.dir, filepath.FromSlash(group[0].Path)))
	}
	failed := &SourceError{Source: group[0]}
	for _, o := range f.origins(group) {
		count, err := f.try(ctx, p, group[0], o)
		if err == nil {
			return o.String(), count, nil
		}
		failed.Tried = append(failed.Tried, err)
		if final(ctx, err) {
			break
		}
	}
	if len(failed.Tried) == 0 {
		failed.Tried = []error{errors.New("none of its URLs is of a kind that can be fetched")}
	}
	return "", 0, failed
}

// try gets a file from one place, again as long as what goes wrong may pass.
func (f *fetcher) try(ctx context.Context, p *part, s Source, o origin) (int64, error) {
	total := int64(0)
	for attempt := 1; ; attempt++ {
		n, err := f.once(ctx, p, s, o)
		total += n
		var passing *TransientError
		switch {
		case err == nil, final(ctx, err):
			return total, err
		case errors.As(err, &passing) && attempt < f.Retry.Attempts && passing.After <= f.Retry.MaxRetryAfter:
			if err := f.Clock.Sleep(ctx, f.pause(attempt, passing.After)); err != nil {
				return total, err
			}
		case errors.Is(err, errResumed) && attempt < f.Retry.Attempts+1: // what was here was wrong: once more from the beginning
		default:
			return total, fmt.Errorf("%s: %w", o, err)
		}
	}
}

func (f *fetcher) pause(attempt int, after time.Duration) time.Duration {
	return max(after, min(f.Retry.Max, f.Retry.Base<<min(attempt-1, 20)))
}

// errResumed: the file was put together from an earlier part and is wrong.
var errResumed = errors.New("the part from an earlier download does not fit")

// once transfers what is missing of a file, verifies it and puts it into place.
func (f *fetcher) once(ctx context.Context, p *part, s Source, o origin) (count int64, err error) {
	r, from, err := o.place.Open(ctx, o.name, p.size)
	if errors.Is(err, errRange) {
		return 0, errors.Join(errResumed, p.restart())
	}
	if err != nil {
		return 0, err
	}
	defer r.Close()
	resumed := from > 0
	if from != p.size {
		if err := p.restart(); err != nil {
			return 0, err
		}
	}
	count, err = io.Copy(p, &limited{&cancelable{r, ctx}, f.MaxSize - p.size})
	if err != nil {
		return count, err
	}
	if actual := p.digest(); actual != s.Digest {
		mismatch := &DigestError{Location: o.String(), Expected: s.Digest, Actual: actual, WebPage: p.isWebPage()}
		if err := p.restart(); err != nil {
			return count, err
		}
		if resumed {
			return count, errResumed
		}
		return count, mismatch
	}
	return count, p.commit(filepath.Join(f.dir, filepath.FromSlash(s.Path)))
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

// cancelable ends with its context, which files do not do by themselves.
type cancelable struct {
	io.Reader
	ctx context.Context
}

// Read implements io.Reader.
func (c *cancelable) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.Reader.Read(p)
}

// copyCheckout takes what has no digest from a mirror, as Spack would: it trusts
// its mirrors.
func (f *fetcher) copyCheckout(ctx context.Context, s Source) bool {
	for _, m := range f.Mirrors {
		r, _, err := m.Open(ctx, s.Path, 0)
		if err != nil {
			continue
		}
		err = f.store(&limited{&cancelable{r, ctx}, f.MaxSize}, s.Path)
		_ = r.Close()
		if err == nil {
			return true
		}
	}
	return false
}

// store writes a file of the mirror from a stream.
func (f *fetcher) store(r io.Reader, path string) error {
	out, err := os.CreateTemp(filepath.Join(f.dir, partsDir), "checkout-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	if _, err := io.Copy(out, r); err != nil {
		return err
	}
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	return (&part{File: out}).commit(filepath.Join(f.dir, filepath.FromSlash(path)))
}
