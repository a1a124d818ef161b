package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Place is a source mirror, or any other place with files, that can be read.
type Place interface {
	// Location names the place for people, without secrets.
	Location() string
	// Open opens the file with a name (relative, with slashes), from the given byte
	// on. The error is fs.ErrNotExist for what is not there, and a [*TransientError]
	// for what may pass. A place that cannot start in the middle says so by from:
	// the first byte that the reader gives.
	Open(ctx context.Context, name string, offset int64) (r io.ReadCloser, from int64, err error)
}

// Dir is a mirror in a directory.
type Dir string

// Location implements [Place].
func (d Dir) Location() string { return "file://" + string(d) }

// Open implements [Place].
func (d Dir) Open(_ context.Context, name string, offset int64) (io.ReadCloser, int64, error) {
	if !filepath.IsLocal(name) {
		return nil, 0, fmt.Errorf("%q is not a path in a mirror", name)
	}
	return openAt(filepath.Join(string(d), filepath.FromSlash(name)), offset)
}

// openAt opens a file at an offset; one that is shorter is opened at its beginning.
func openAt(name string, offset int64) (io.ReadCloser, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular(): // a FIFO would wait for ever
		err = fmt.Errorf("%s is not a regular file", name)
	case info.Size() >= offset:
		_, err = f.Seek(offset, io.SeekStart)
	default:
		offset = 0
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, offset, nil
}

// Web is a mirror behind a web server.
type Web struct {
	// Base is the URL of the mirror's top directory.
	Base string
	// Client makes the requests; nil means one that gives up on servers that do not
	// answer.
	Client *http.Client
	// Header is sent with each request, for tokens.
	Header http.Header
}

// Location implements [Place].
func (w *Web) Location() string { return redacted(w.Base) }

// Open implements [Place].
func (w *Web) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, int64, error) {
	u, err := url.Parse(strings.TrimSuffix(w.Base, "/"))
	if err != nil {
		return nil, 0, err
	}
	return w.get(ctx, u.JoinPath(name).String(), offset)
}

// OpenPlace opens a mirror by its URL: file://, http:// or https://, or a path.
func OpenPlace(address string, client *http.Client) (Place, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("the address of a mirror is no URL")
	case u.Scheme == "file" && (u.Host == "" || u.Host == "localhost"):
		return Dir(u.Path), nil
	case u.Scheme == "http", u.Scheme == "https":
		return &Web{Base: address, Client: client}, nil
	case u.Scheme == "" && filepath.IsAbs(address):
		return Dir(address), nil
	}
	return nil, fmt.Errorf("a source mirror at %s cannot be read: file://, http:// and https:// can", redacted(address))
}

func redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a URL that cannot be parsed"
	}
	u.User = nil
	u.RawQuery = "" // signed URLs have their secrets there
	return u.String()
}
