package transport

import "errors"

// Sentinels for errors.Is. Errors of this package say in their text which store and
// which object they are about.
var (
	// ErrNotFound says that a store does not have an object.
	ErrNotFound = errors.New("does not exist")
	// ErrNotModified answers [GetOptions].IfNoneMatch: the object is still the same.
	ErrNotModified = errors.New("not modified")
	// ErrRange says that an object is shorter than where reading was to begin.
	ErrRange = errors.New("shorter than that")
	// ErrReadOnly says that a store can only be read: http(s), or a file system that
	// is mounted so.
	ErrReadOnly = errors.New("cannot be written")
	// ErrUnlistable says that a store cannot tell what is in it.
	ErrUnlistable = errors.New("cannot be listed")
	// ErrDenied says that a server wants other credentials than it was given.
	ErrDenied = errors.New("access denied")
	// ErrUnavailable says that a server could not be reached, or kept failing, for as
	// long as the retry policy lasts.
	ErrUnavailable = errors.New("unavailable")
	// ErrInvalid says that content is malformed, too large, or not about what its name
	// says; or that a name would lead outside a store.
	ErrInvalid = errors.New("invalid content")
)
