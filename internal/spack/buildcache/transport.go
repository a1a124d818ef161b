package buildcache

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
)

// transport moves objects of a cache by their names: relative paths with slashes.
// Implementations retry what may pass, and answer with the sentinels of this package.
type transport interface {
	// location names the cache for people, without secrets.
	location() string
	// get opens an object. errNotModified when it still has the etag that is asked for.
	get(ctx context.Context, name string, opts getOptions) (*object, error)
	// stat gives size and etag without the content.
	stat(ctx context.Context, name string) (objectInfo, error)
	// put stores an object as a whole: readers see the old one or the new one.
	put(ctx context.Context, name string, src source) error
	// remove deletes an object; one that is not there is no error.
	remove(ctx context.Context, name string) error
	// list calls yield for all objects whose names begin with prefix, which ends with
	// a slash, in any order. ErrUnlistable where that is not possible.
	list(ctx context.Context, prefix string, yield func(name string, info objectInfo) error) error
}

// getOptions say which part of an object is wanted, and when.
type getOptions struct {
	offset      int64  // first byte
	length      int64  // bytes from there at most; 0 is all
	ifNoneMatch string // etag of what is already here
}

type objectInfo struct {
	size int64  // of the whole object; negative when not told
	etag string // changes with the content; "" when not told
}

// object is an open object; the part of it that was asked for.
type object struct {
	io.ReadCloser
	objectInfo
}

// source is what is put. open may be called again and must give the same bytes.
type source struct {
	open func() (io.ReadCloser, error)
	size int64
}

func bytesSource(text []byte) source {
	return source{
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		size: int64(len(text)),
	}
}

// checkName refuses names that lead outside the cache. All names are made here, of
// parts that were checked; this is the second lock on the same door.
func checkName(name string) error {
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00") {
			return fmt.Errorf("%w: %q is not a name in a build cache", ErrInvalid, abbreviate(name))
		}
	}
	return nil
}

func readLimited(r io.Reader, where string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: %w: larger than %d bytes", where, ErrInvalid, limit)
	}
	return text, nil
}
