package cache

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"esd/internal/oci"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/signature"
)

// BuildcacheOpener opens build caches, each once.
type BuildcacheOpener struct {
	// OCI says how registries are reached.
	OCI oci.Options
	// WorkDir is the directory of working data: parsed copies of indexes are
	// kept in it.
	WorkDir string

	mu   sync.Mutex
	open map[string]*buildcache.Cache // by the settings
}

// Open gives the build cache that the settings describe. Nothing is connected
// to before it is needed.
func (o *BuildcacheOpener) Open(ctx context.Context, s Buildcache) (*buildcache.Cache, error) {
	id := fmt.Sprintf("%+v", s)
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.open[id]; c != nil {
		return c, nil
	}
	opts, err := o.options(s)
	if err != nil {
		return nil, fmt.Errorf("build cache %q: %w", s.Name, err)
	}
	c, err := buildcache.Open(ctx, s.URL, opts)
	if err != nil {
		return nil, fmt.Errorf("build cache %q: %w", s.Name, err)
	}
	if o.open == nil {
		o.open = map[string]*buildcache.Cache{}
	}
	o.open[id] = c
	return c, nil
}

func (o *BuildcacheOpener) options(s Buildcache) (buildcache.Options, error) {
	reach := s.Access.transport()
	opts := buildcache.Options{
		Directory: filepath.Join(o.WorkDir, "indexes"), ReadOnly: !s.Push, OCI: o.OCI, HTTP: reach.HTTP, S3: reach.S3,
	}
	if s.CAFile != "" {
		opts.OCI.CAFile = s.CAFile
	}
	if s.Layout != "" {
		var err error
		if opts.Layout, err = buildcache.ParseLayout(s.Layout); err != nil {
			return opts, err
		}
	}
	if s.Signed {
		keys, err := signature.ReadKeyring(s.TrustedKeys...)
		if err != nil {
			return opts, err
		}
		opts.Trust = signature.Policy{Mode: signature.Require, Keys: keys}
	}
	if s.SigningKey != "" && s.Push {
		signer, err := signature.LoadSigner(signature.KeySource{File: s.SigningKey, PassphraseEnv: s.PassphraseVariable}, time.Now)
		if err != nil {
			return opts, err
		}
		opts.Signer = signer
	}
	return opts, nil
}
