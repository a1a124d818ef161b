package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"esd/internal/oci"
	"esd/internal/spack/transport"
)

// Options say how sources are fetched.
type Options struct {
	// Mirrors are asked before the sources' own URLs, the first one first; then those
	// that take sources get what they lack.
	Mirrors []*Mirror
	// Parallel is how many are fetched at once; zero means 8.
	Parallel int
	// MaxSize is the size of the largest file that is accepted; zero means 32 GiB.
	MaxSize int64
	// Transport says how the sources' own URLs are reached.
	Transport transport.Options
	// Others fetches what is no file with a digest behind a URL of this package's
	// kinds: checkouts, mostly. It stores them in the directory at their paths.
	// Without it they are errors.
	Others func(ctx context.Context, dir string, sources []Source) error
	// Events is called for each source that is there; may be nil. Calls do not overlap.
	Events func(Event)
}

// Event says that a source is in the mirror that is filled, and in all others that take
// sources.
type Event struct {
	Source Source
	// From is where it came from, "" for what was there.
	From  string
	Bytes int64 // that came
	// To are the mirrors in which it was stored, Size is how large it is.
	To   []string
	Size int64
}

// SourceError says why a source could not be had.
type SourceError struct {
	Source Source
	// Tried are the errors of each place, in order.
	Tried []error
}

// Error implements error.
func (e *SourceError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a source of %s could not be fetched (%s)", e.Source.Package, cmp.Or(e.Source.Digest, e.Source.Revision, e.Source.Path))
	for _, err := range e.Tried {
		b.WriteString("\n  " + err.Error())
	}
	return b.String()
}

// Unwrap gives the errors of all places.
func (e *SourceError) Unwrap() []error { return e.Tried }

// Fetch brings sources into the mirror in directory dir, and from there into those of
// Mirrors that take sources. What is there already is not fetched again, each digest is
// fetched once. Files appear in a mirror when they are complete and verified; what was
// interrupted is resumed the next time. Several processes may fill one mirror.
//
// One source that cannot be had does not keep the others from being fetched;
// the errors are joined, most of them [*SourceError].
func Fetch(ctx context.Context, dir string, sources []Source, opts Options) error {
	opts, err := opts.withDefaults()
	if err != nil {
		return err
	}
	f := &fetcher{Options: opts, dir: dir}
	groups, others, err := f.sort(sources)
	if err != nil {
		return err
	}
	if err := makeDir(filepath.Join(dir, partsDir)); err != nil {
		return err
	}
	each(f, groups, func(group []Source) error {
		err := f.group(ctx, group)
		if err != nil && f.Others != nil && !direct(group) && !final(ctx, err) && !f.hasAll(group) {
			f.leave(group) // no mirror has it, and its URLs are of other kinds
			return nil
		}
		return err
	})
	if others = append(others, f.left...); len(others) > 0 && ctx.Err() == nil {
		f.others(ctx, others)
	}
	_ = os.Remove(filepath.Join(dir, partsDir)) // when nothing is left in it
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	slices.SortFunc(f.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(f.errs...)
}

func (o Options) withDefaults() (Options, error) {
	o.Parallel = cmp.Or(max(o.Parallel, 0), 8)
	o.MaxSize = cmp.Or(o.MaxSize, 32<<30)
	if o.Transport.Clock == nil {
		o.Transport.Clock = oci.SystemClock{}
	}
	if o.Transport.HTTP.Client == nil { // one for all URLs
		o.Transport.HTTP.StallTimeout = cmp.Or(o.Transport.HTTP.StallTimeout, 2*time.Minute)
		client, err := transport.NewClient(o.Transport.HTTP)
		if err != nil {
			return o, err
		}
		o.Transport.HTTP.Client = client
	}
	return o, nil
}

type fetcher struct {
	Options
	dir string

	mutex sync.Mutex // of what follows, and of calls of Events
	errs  []error
	left  []Source // for Others
}

// each does something with all of a list, several at once, and notes what fails.
func each[T any](f *fetcher, list []T, do func(T) error) {
	var all errgroup.Group
	all.SetLimit(f.Parallel)
	for _, one := range list {
		all.Go(func() error {
			f.note(do(one))
			return nil
		})
	}
	_ = all.Wait()
}

func (f *fetcher) note(err error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if err != nil {
		f.errs = append(f.errs, err)
	}
}

func (f *fetcher) leave(group []Source) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.left = append(f.left, group...)
}

func (f *fetcher) tell(e Event) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.Events != nil {
		f.Events(e)
	}
}

// sort puts sources with one digest together, and aside what is not ours to
// fetch. All of a group are the same bytes.
func (f *fetcher) sort(sources []Source) (groups [][]Source, others []Source, err error) {
	at := map[string]int{}
	for _, s := range sources {
		if err := s.Check(); err != nil {
			return nil, nil, err
		}
		if s.Kind != Archive || s.Digest == "" || len(f.Mirrors) == 0 && !direct([]Source{s}) {
			others = append(others, s)
			continue
		}
		i, seen := at[s.Digest]
		if !seen {
			i = len(groups)
			at[s.Digest] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], s)
	}
	return groups, others, nil
}

// direct reports whether any URL is of a kind that this package speaks.
func direct(group []Source) bool {
	return slices.ContainsFunc(group, func(s Source) bool { return slices.ContainsFunc(s.URLs, isDirect) })
}

func isDirect(address string) bool {
	scheme, _, _ := strings.Cut(address, "://")
	return slices.Contains([]string{"https", "http", "file", "s3"}, scheme)
}

func (f *fetcher) has(path string) bool {
	info, err := os.Stat(f.local(path))
	return err == nil && info.Mode().IsRegular()
}

func (f *fetcher) hasAll(group []Source) bool {
	return !slices.ContainsFunc(group, func(s Source) bool { return !f.has(s.Path) })
}

// local is where a path is in the mirror that is filled.
func (f *fetcher) local(path string) string { return filepath.Join(f.dir, filepath.FromSlash(path)) }

// final reports whether trying another place, or again, makes no sense.
func final(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
