package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"esd/internal/oci"
)

// Options say how stores are reached. The zero value has the credentials of the
// environment.
type Options struct {
	HTTP  HTTPOptions
	S3    S3Options
	Retry oci.RetryPolicy // zero: [oci.DefaultRetry]
	Clock oci.Clock       // nil: the system's
}

func (o Options) withDefaults() Options {
	if o.Retry.Attempts == 0 {
		o.Retry = oci.DefaultRetry()
	}
	if o.Clock == nil {
		o.Clock = oci.SystemClock{}
	}
	return o
}

// GetOptions say which part of an object is wanted, and when.
type GetOptions struct {
	Offset      int64  // first byte
	Length      int64  // bytes from there at most; 0 is all
	IfNoneMatch string // etag of what is already here
}

// Info is what is known of an object without its content.
type Info struct {
	Size int64  // of the whole object; negative when not told
	ETag string // changes with the content; "" when not told
}

// Object is an open object; the part of it that was asked for.
type Object struct {
	io.ReadCloser
	Info
}

// Source is what is put. Open may be called again and must give the same Size bytes.
// Where reading it fails nothing is stored, and the error is given as it is: a source
// that verifies itself keeps wrong content out.
type Source struct {
	Open func() (io.ReadCloser, error)
	Size int64
}

// Bytes is a source of what is in memory.
func Bytes(text []byte) Source {
	return Source{
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		Size: int64(len(text)),
	}
}

// backend is one kind of store. What may pass it marks, or leaves to [IsTransient];
// repeating is done above.
type backend interface {
	location() string
	get(ctx context.Context, name string, opts GetOptions) (*Object, error)
	stat(ctx context.Context, name string) (Info, error)
	put(ctx context.Context, name string, src Source) error
	remove(ctx context.Context, name string) error
	list(ctx context.Context, prefix string, yield func(name string, info Info) error) error
}

// Open gives the store at a location: a path, file://, http(s):// or s3://bucket/prefix.
// Nothing is connected to before it is needed. Errors do not repeat the location, which
// may have a password in it.
func Open(location string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	b, err := open(location, opts)
	if err != nil {
		return nil, err
	}
	return &Store{backend: b, policy: opts.Retry, clock: opts.Clock}, nil
}

func open(location string, opts Options) (backend, error) {
	scheme, _, found := strings.Cut(location, "://")
	if location == "" {
		return nil, errors.New("it is empty; write a directory or a URL")
	}
	if !found {
		return newFile(location, opts.Clock)
	}
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("it is not a URL")
	}
	switch scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			return nil, errors.New("write file:///directory")
		}
		return newFile(u.Path, opts.Clock)
	case "http", "https":
		if u.Host == "" {
			return nil, errors.New("the host is missing")
		}
		return newHTTP(u, opts.HTTP, opts.Clock)
	case "s3":
		return newS3(u, opts)
	}
	return nil, fmt.Errorf("scheme %q is not understood; write a directory, file://, http(s):// or s3://", scheme)
}

// OpenObject gives a store with one object, that at a URL, and its name in there.
// http(s) URLs are asked for as they are, with their query.
func OpenObject(location string, opts Options) (s *Store, name string, err error) {
	opts = opts.withDefaults()
	u, err := url.Parse(location)
	if err != nil {
		return nil, "", errors.New("it is not a URL")
	}
	var b backend
	switch u.Scheme {
	case "http", "https":
		b, err = newPage(u, opts.HTTP, opts.Clock)
	case "file", "s3":
		name = path.Base(u.Path)
		b, err = open(u.Scheme+"://"+u.Host+path.Dir("/"+u.Path), opts)
	default:
		err = fmt.Errorf("scheme %q is not understood: file, http, https and s3 are", u.Scheme)
	}
	if err != nil {
		return nil, "", err
	}
	return &Store{backend: b, policy: opts.Retry, clock: opts.Clock}, name, nil
}

// CheckName refuses names that lead outside a store: names are relative paths with
// slashes, without empty parts and dots. It is made by each call of a [Store].
func CheckName(name string) error {
	for part := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		if part == "" || part == "." || part == ".." || strings.ContainsAny(part, "\\\x00") {
			return fmt.Errorf("%w: %.200q is not a name in a store", ErrInvalid, name)
		}
	}
	return nil
}

// ReadLimited reads all of what may have limit bytes at most; where is for errors.
func ReadLimited(r io.Reader, where string, limit int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: %w: larger than %d bytes", where, ErrInvalid, limit)
	}
	return text, nil
}

// WithContext gives a reader that ends with a context, which files do not by
// themselves.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// sourceReader reads a source, and remembers why it cannot be stored: the failure of
// what reads it would tell less.
type sourceReader struct {
	io.ReadCloser
	size int64
	n    int64
	mu   sync.Mutex // HTTP may go on reading when its request has failed
	err  error
}

func openSource(src Source) (*sourceReader, error) {
	in, err := src.Open()
	if err != nil {
		return nil, err
	}
	return &sourceReader{ReadCloser: in, size: src.Size}, nil
}

// Read implements io.Reader. The last bytes are given when the source has ended well
// after them: who gets all that was announced stores it.
func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += int64(n)
	if err == nil && n > 0 && s.n == s.size {
		var more int
		more, err = io.ReadFull(s.ReadCloser, make([]byte, 1))
		s.n += int64(more)
	}
	switch ended := errors.Is(err, io.EOF); {
	case err != nil && !ended:
		s.err = err
	case ended && s.n < s.size, s.n > s.size:
		s.err = fmt.Errorf("%w: what is to be stored has not %d bytes", ErrInvalid, s.size)
	}
	if s.err != nil {
		return 0, s.err
	}
	return n, err
}

// failure is why reading ended before its time, nil when it did not.
func (s *sourceReader) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// at names an object of a store for people.
func at(location, name string) string {
	if name == "" {
		return location
	}
	return location + "/" + name
}

func newFile(dir string, clock oci.Clock) (backend, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &fileBackend{dir: abs, clock: clock}, nil
}
