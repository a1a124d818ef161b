package cache

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"esd/internal/artifact"
	"esd/internal/oci"
)

// Opener opens caches, each once.
type Opener struct {
	// OCI says how registries are reached.
	OCI oci.Options

	mu   sync.Mutex
	open map[Settings]artifact.Cache
}

// Open gives the cache that the settings describe.
func (o *Opener) Open(ctx context.Context, s Settings) (artifact.Cache, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.open[s]; c != nil {
		return c, nil
	}
	opts := o.OCI
	opts.PlainHTTP = opts.PlainHTTP || s.PlainHTTP
	if s.CAFile != "" {
		opts.CAFile = s.CAFile
	}
	c, err := artifact.OpenCache(ctx, s.URL, artifact.Options{OCI: opts})
	if err != nil {
		return nil, fmt.Errorf("cache %q: %w", s.Name, err)
	}
	if o.open == nil {
		o.open = map[Settings]artifact.Cache{}
	}
	o.open[s] = c
	return c, nil
}

// FileOpener opens a file for a cache to read.
func FileOpener(path string) artifact.Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}
