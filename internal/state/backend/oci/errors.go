package oci

import (
	"context"
	"errors"
	"fmt"
	"strings"

	registry "esd/internal/oci"
	"esd/internal/state/backend"
)

// forkError says that two versions have the same claim to be the present one. It
// is a *backend.UntrustedError for all who ask.
type forkError struct {
	location string
	versions []version
}

// Error names the versions and what to do.
func (e *forkError) Error() string { return e.untrusted().Error() }

// As makes it a *backend.UntrustedError for errors.As.
func (e *forkError) As(target any) bool {
	t, ok := target.(**backend.UntrustedError)
	if ok {
		*t = e.untrusted()
	}
	return ok
}

func (e *forkError) untrusted() *backend.UntrustedError {
	remove := make([]string, len(e.versions))
	for i, v := range e.versions {
		remove[i] = v.tag
	}
	return &backend.UntrustedError{Location: e.location,
		Problem: "it has forked: two runs have each written a successor of the same version, and nothing tells which of them had the lock: " + describeAll(e.versions),
		Fix: "remove the tags that are not to count (" + strings.Join(remove, " or ") + "), " +
			"or decide with `esd state push --force FILE`, and rebuild what is then missing with `esd state rebuild`"}
}

// lostError is a lock that turned out to be lost while a version was on its way.
type lostError struct{ text string }

// Error says what became of the version.
func (e *lostError) Error() string { return e.text }

// Is makes it backend.ErrLockLost.
func (e *lostError) Is(target error) bool { return target == backend.ErrLockLost }

// failed explains an error of the repository in the terms of backends.
func (b *Backend) failed(doing string, err error) error {
	var (
		unreachable *backend.UnreachableError
		untrusted   *backend.UntrustedError
		mismatch    *registry.DigestMismatchError
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &unreachable), errors.As(err, &untrusted):
		return err
	case errors.As(err, &mismatch), errors.Is(err, registry.ErrInvalidContent):
		return &backend.UntrustedError{Location: b.location(), Problem: err.Error(),
			Fix: "check `repository` of the state block, and what stands between here and the registry"}
	case errors.Is(err, registry.ErrNotFound):
		return b.untrusted(fmt.Sprintf("a tag is listed, but what it names is not there: %v", err))
	case errors.Is(err, registry.ErrUnauthorized):
		return b.unreachable(doing, err, "the account needs the rights to pull from and push to the repository, and to delete in it")
	case errors.Is(err, registry.ErrUnavailable):
		return b.unreachable(doing, err, "check that the registry runs and try again")
	case errors.Is(err, registry.ErrUnsupported):
		return b.unreachable(doing, err, "")
	}
	return b.passed(doing, err)
}

// passed leaves errors about the document as they are.
func (b *Backend) passed(doing string, err error) error {
	var answer *registry.ResponseError
	if errors.As(err, &answer) || errors.Is(err, registry.ErrPlainHTTP) || strings.HasPrefix(err.Error(), b.place.Location()) {
		return b.unreachable(doing, err, "")
	}
	return err
}

func (b *Backend) unreachable(doing string, err error, fix string) error {
	return &backend.UnreachableError{Location: b.location(), Doing: doing, Err: err, Fix: fix}
}

// noRemoving says that the lock needs what the registry does not do.
func (b *Backend) noRemoving(cause error) error {
	return b.unreachable("locking", fmt.Errorf("the lock needs a registry that removes tags, and this one does not: %w", cause),
		"enable it there (`storage.delete.enabled` of a docker-registry; the right to delete elsewhere), or say `lock = false` in the state block: "+
			"then runs at the same time are found out afterwards instead of being kept apart")
}
