package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"esd/internal/spack"
)

// RemoveOptions say how packages are removed.
type RemoveOptions struct {
	// Force removes also what installed packages need; they are broken then.
	Force bool
}

// Remove uninstalls packages: first the records, in one change, then the
// prefixes. Packages that others need are refused with [*InUseError], ones that
// are not recorded as installed with [ErrNotInstalled]; nothing is removed then.
func (s *Store) Remove(ctx context.Context, hashes []spack.Hash, opts RemoveOptions) error {
	hashes = slices.Compact(slices.Sorted(slices.Values(hashes))) // sorted, so that two of us do not wait for each other
	if len(hashes) == 0 {
		return nil
	}
	records, err := s.Records(ctx)
	if err != nil {
		return err
	}
	if _, err := s.removable(records, hashes, opts); err != nil {
		return fmt.Errorf("remove from the install tree %s: %w", s.unpadded, err)
	}
	if err := s.makeTree(); err != nil {
		return err
	}
	defer s.unlockPrefixes(&hashes)()
	for i, h := range hashes {
		if err := s.lockForRemoval(ctx, records.Get(h)); err != nil {
			hashes = hashes[:i]
			return err
		}
	}
	var prefixes []string
	err = s.update(ctx, func(r *Records) (_ bool, err error) {
		if prefixes, err = s.removable(r, hashes, opts); err != nil {
			return false, err
		}
		for _, h := range hashes {
			r.remove(h)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	return s.removeAll(prefixes)
}

// removable gives the prefixes that would go, or says why not.
func (s *Store) removable(r *Records, hashes []spack.Hash, opts RemoveOptions) ([]string, error) {
	var prefixes []string
	var errs []error
	for _, h := range hashes {
		rec := r.Get(h)
		if rec == nil || !rec.Installed {
			errs = append(errs, fmt.Errorf("/%s: %w", h, ErrNotInstalled))
			continue
		}
		if rec.Spec.External != nil || rec.Path == "" {
			continue
		}
		if _, err := s.inside(rec.Path); err != nil {
			errs = append(errs, fmt.Errorf("the prefix of %s: %w", label(rec.Spec), err))
			continue
		}
		prefixes = append(prefixes, rec.Path)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if opts.Force || len(r.Dependents(hashes...)) == 0 {
		return prefixes, nil
	}
	for _, h := range hashes {
		dependents := slices.DeleteFunc(r.Dependents(h), func(d *Record) bool { return slices.Contains(hashes, d.Spec.Hash) })
		if len(dependents) == 0 {
			continue
		}
		e := &InUseError{Spec: r.Get(h).Spec}
		for _, d := range dependents {
			e.Dependents = append(e.Dependents, d.Spec)
		}
		errs = append(errs, e)
	}
	return nil, errors.Join(errs...)
}

func (s *Store) lockForRemoval(ctx context.Context, rec *Record) error {
	r, err := prefixRange(rec.Spec.Hash)
	if err != nil {
		return err
	}
	return s.prefixes.lock(ctx, r, exclusive, label(rec.Spec), s.opts.PrefixTimeout)
}

// unlockPrefixes gives a function that releases the locks of those hashes that
// are in the list at its end.
func (s *Store) unlockPrefixes(hashes *[]spack.Hash) func() {
	return func() {
		for _, h := range *hashes {
			if r, err := prefixRange(h); err == nil {
				_ = s.prefixes.release(r)
			}
		}
	}
}

// removeAll removes prefixes and the directories above them that are empty
// then, as remove_install_directory in Spack's directory_layout.py does.
func (s *Store) removeAll(prefixes []string) error {
	var errs []error
	for _, prefix := range prefixes {
		if err := s.removePrefix(prefix); err != nil {
			errs = append(errs, err)
			continue
		}
		for dir := filepath.Dir(prefix); dir != s.root && len(dir) > len(s.root); dir = filepath.Dir(dir) {
			if os.Remove(dir) != nil { // it is not empty
				break
			}
		}
	}
	return errors.Join(errs...)
}
