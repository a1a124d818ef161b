package mirror

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"esd/internal/spack/transport"
)

// others brings what has no digest, or no URL that could be asked, from other mirrors,
// and hands on what they do not have.
func (f *fetcher) others(ctx context.Context, sources []Source) {
	var mu sync.Mutex
	var missing []Source
	each(f, sources, func(s Source) error {
		known := newKnowledge()
		from, count, there := "", int64(0), f.has(s.Path)
		if !there {
			from, count, there = f.copyCheckout(ctx, s, known)
		}
		if there {
			return f.share(ctx, s, from, count, known)
		}
		mu.Lock()
		defer mu.Unlock()
		missing = append(missing, s)
		return nil
	})
	if len(missing) == 0 || ctx.Err() != nil {
		return
	}
	if f.Others == nil {
		for _, s := range missing {
			f.note(&SourceError{s, []error{errors.New("it is no file with a digest, and nobody was named who fetches such")}})
		}
		return
	}
	err := f.Others(ctx, f.dir, missing)
	f.note(err)
	each(f, missing, func(s Source) error {
		switch {
		case f.has(s.Path):
			return f.share(ctx, s, strings.Join(s.URLs, " "), 0, newKnowledge())
		case err != nil: // it says what failed
			return nil
		}
		return &SourceError{s, []error{transport.ErrNotFound}}
	})
}

// copyCheckout takes what has no digest from a mirror, as Spack would: it trusts
// its mirrors.
func (f *fetcher) copyCheckout(ctx context.Context, s Source, known *knowledge) (from string, count int64, ok bool) {
	if s.Digest != "" { // the mirrors were asked, and had it not
		return "", 0, false
	}
	for _, m := range f.Mirrors {
		if !m.available(f.Transport.Clock) {
			continue
		}
		o := origin{m.store, s.Path}
		count, err := f.copy(ctx, o)
		m.learn(err, f.Transport.Clock)
		known.learn(o, err)
		if err == nil {
			return o.String(), count, true
		}
	}
	return "", 0, false
}

// copy takes a file from another mirror without looking at it.
func (f *fetcher) copy(ctx context.Context, o origin) (int64, error) {
	r, err := o.store.Read(ctx, o.name, 0)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	out, err := createTemp(filepath.Join(f.dir, partsDir))
	if err != nil {
		return 0, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	count, err := io.Copy(out, &limited{transport.WithContext(ctx, r), f.MaxSize})
	if err != nil {
		return count, err
	}
	if err := out.Chmod(0o644); err != nil {
		return count, err
	}
	return count, (&part{File: out}).commit(f.local(o.name))
}

func createTemp(dir string) (*os.File, error) {
	for {
		out, err := os.CreateTemp(dir, "checkout-")
		if !errors.Is(err, fs.ErrNotExist) { // or another process tidied up
			return out, err
		}
		if err := makeDir(dir); err != nil {
			return nil, err
		}
	}
}
