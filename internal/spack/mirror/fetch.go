package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"esd/internal/oci"
)

// Options say how sources are fetched.
type Options struct {
	// Mirrors are asked before the sources' own URLs, the first one first.
	Mirrors []Place
	// Parallel is how many are fetched at once; zero means 8.
	Parallel int
	// MaxSize is the size of the largest file that is accepted; zero means 32 GiB.
	MaxSize int64
	// Client makes the requests; nil means one that gives up on servers that do not
	// answer.
	Client *http.Client
	Retry  oci.RetryPolicy // zero: [oci.DefaultRetry]
	Clock  oci.Clock       // nil: the real one
	// Others fetches what is no file with a digest behind a URL of this package's
	// kinds: checkouts, mostly. It stores them in the directory at their paths.
	// Without it they are errors.
	Others func(ctx context.Context, dir string, sources []Source) error
	// Events is called for each source that is there; may be nil. Calls do not overlap.
	Events func(Event)
}

// Event says that a source is in the mirror.
type Event struct {
	Source Source
	// From is where it came from, "" for what was there.
	From  string
	Bytes int64 // that were transferred
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

// Fetch brings sources into the mirror in directory dir. What is there already
// is not fetched again, each digest is fetched once. Files appear in the mirror
// when they are complete and verified; what was interrupted is resumed the next
// time. Several processes may fill one mirror.
//
// One source that cannot be had does not keep the others from being fetched;
// the errors are joined, most of them [*SourceError].
func Fetch(ctx context.Context, dir string, sources []Source, opts Options) error {
	f := &fetcher{Options: opts.withDefaults(), dir: dir}
	groups, others, err := f.sort(sources)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, partsDir), 0o755); err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(f.Parallel)
	for _, group := range groups {
		all.Go(func() error {
			err := f.group(ctx, group)
			if err != nil && f.Others != nil && !direct(group) && !final(ctx, err) {
				f.leave(group) // no mirror has it, and its URLs are of other kinds
				return nil
			}
			f.note(err)
			return nil
		})
	}
	_ = all.Wait()
	if others = append(others, f.left...); len(others) > 0 && ctx.Err() == nil {
		f.note(f.others(ctx, others))
	}
	_ = os.Remove(filepath.Join(dir, partsDir)) // when nothing is left in it
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	slices.SortFunc(f.errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(f.errs...)
}

func (o Options) withDefaults() Options {
	o.Parallel = cmp.Or(max(o.Parallel, 0), 8)
	o.MaxSize = cmp.Or(o.MaxSize, 32<<30)
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Retry == (oci.RetryPolicy{}) {
		o.Retry = oci.DefaultRetry()
	}
	if o.Clock == nil {
		o.Clock = oci.SystemClock{}
	}
	for i, m := range o.Mirrors {
		if w, ok := m.(*Web); ok && w.Client == nil {
			with := *w
			with.Client = o.Client
			o.Mirrors = slices.Clone(o.Mirrors)
			o.Mirrors[i] = &with
		}
	}
	return o
}

type fetcher struct {
	Options
	dir string

	mutex sync.Mutex // of what follows, and of calls of Events
	errs  []error
	left  []Source // for Others
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
	return slices.ContainsFunc(group, func(s Source) bool {
		return slices.ContainsFunc(s.URLs, func(u string) bool {
			return strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "file://")
		})
	})
}

// others hands on what is not in the mirrors.
func (f *fetcher) others(ctx context.Context, sources []Source) error {
	var missing []Source
	for _, s := range sources {
		if f.has(s.Path) || f.copyCheckout(ctx, s) {
			f.tell(Event{Source: s})
			continue
		}
		missing = append(missing, s)
	}
	if len(missing) == 0 {
		return nil
	}
	if f.Others == nil {
		var errs []error
		for _, s := range missing {
			errs = append(errs, &SourceError{s, []error{errors.New("it is no file with a digest, and nobody was named who fetches such")}})
		}
		return errors.Join(errs...)
	}
	if err := f.Others(ctx, f.dir, missing); err != nil {
		return err
	}
	var errs []error
	for _, s := range missing {
		if !f.has(s.Path) {
			errs = append(errs, &SourceError{s, []error{fs.ErrNotExist}})
			continue
		}
		f.tell(Event{Source: s, From: strings.Join(s.URLs, " ")})
	}
	return errors.Join(errs...)
}

func (f *fetcher) has(path string) bool {
	info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(path)))
	return err == nil && info.Mode().IsRegular()
}

// final reports whether trying another place, or again, makes no sense.
func final(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
