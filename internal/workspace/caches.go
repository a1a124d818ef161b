package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/config"
	"esd/internal/oci"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/signature"
)

// Buildcache is a build cache that commands work on.
type Buildcache struct {
	// Name is how it was named: its block's name, or the location.
	Name     string
	settings cache.Buildcache
	cache    *buildcache.Cache
}

// CacheOptions say how a build cache is opened.
type CacheOptions struct {
	// Write tells that it will be written: a directory need not be there yet, and
	// what can only be read is an error.
	Write bool
	// Layout is that of a cache that is still empty: v2 or v3.
	Layout string
	// SigningKey is a file with a secret key; PassphraseVariable names the
	// environment variable with its passphrase. They go before those of a block.
	SigningKey, PassphraseVariable string
	// Unsigned tells not to sign, whatever a block says.
	Unsigned bool
	// TrustedKeys are files with public keys. With any, what none of them signed
	// is as good as absent.
	TrustedKeys []string
	// Version is esd's, for servers.
	Version string
}

// defaultCache is the name of the build cache that environments have which name
// none.
const defaultCache = "default"

// IsCacheLocation tells a URL or a directory from the name of a block: a URL has
// a scheme, a directory a slash, unless it is . or ..
func IsCacheLocation(s string) bool {
	return strings.ContainsRune(s, '/') || s == "." || s == ".."
}

// OpenCacheAt opens the build cache at a URL or in a directory, without any
// configuration. Nothing is connected to before it is needed.
func OpenCacheAt(ctx context.Context, location string, opts CacheOptions) (*Buildcache, error) {
	s := cache.Buildcache{Name: location, URL: location, Push: !strings.HasPrefix(location, "http"), Index: true}
	if !strings.Contains(location, "://") {
		abs, err := filepath.Abs(location)
		if err != nil {
			return nil, err
		}
		s.URL = "file://" + abs
	}
	s = opts.over(s)
	if err := opts.check(s); err != nil {
		return nil, err
	}
	options := buildcache.Options{ReadOnly: !opts.Write, OCI: oci.Options{UserAgent: "esd/" + opts.Version}}
	if err := opts.signatures(s, &options); err != nil {
		return nil, err
	}
	c, err := buildcache.Open(ctx, s.URL, options)
	if err != nil {
		return nil, err
	}
	return &Buildcache{Name: location, settings: s, cache: c}, nil
}

// over puts options in the place of what a block says.
func (o CacheOptions) over(s cache.Buildcache) cache.Buildcache {
	if o.Layout != "" {
		s.Layout = o.Layout
	}
	if o.SigningKey != "" {
		s.SigningKey, s.PassphraseVariable = o.SigningKey, o.PassphraseVariable
	}
	if o.Unsigned {
		s.SigningKey = ""
	}
	if len(o.TrustedKeys) > 0 {
		s.Signed, s.TrustedKeys = true, o.TrustedKeys
	}
	return s
}

// check refuses a directory that is not there, which nearly always is a slip,
// and writing to what is not to be written.
func (o CacheOptions) check(s cache.Buildcache) error {
	if o.Write && !s.Push {
		if strings.HasPrefix(s.URL, "http") {
			return fmt.Errorf("%s can only be read: build caches are not written over HTTP; name the place behind it, such as a directory, s3:// or oci://", s.URL)
		}
		return fmt.Errorf("cache %q is not written to: its block says push = false. Where that is meant for others, name the place itself: %s", s.Name, s.URL)
	}
	dir, local := strings.CutPrefix(s.URL, "file://")
	if !local || o.Write {
		return nil
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no build cache at %s: the directory does not exist", dir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("there is no build cache at %s: it is no directory", dir)
	}
	return nil
}

// signatures loads the keys that settings name.
func (o CacheOptions) signatures(s cache.Buildcache, to *buildcache.Options) (err error) {
	if s.Layout != "" {
		if to.Layout, err = buildcache.ParseLayout(s.Layout); err != nil {
			return err
		}
	}
	if s.Signed {
		keys, err := signature.ReadKeyring(s.TrustedKeys...)
		if err != nil {
			return err
		}
		to.Trust = signature.Policy{Mode: signature.Require, Keys: keys}
	}
	if s.SigningKey != "" && o.Write {
		to.Signer, err = signature.LoadSigner(signature.KeySource{File: s.SigningKey, PassphraseEnv: s.PassphraseVariable}, time.Now)
	}
	return err
}

// OpenCache opens the build cache of a block, which is named by its address or
// by its name alone.
func (w *Workspace) OpenCache(ctx context.Context, name string, opts CacheOptions) (*Buildcache, error) {
	s, err := w.cacheSettings(ctx, name)
	if err != nil {
		return nil, err
	}
	s = opts.over(s)
	if err := opts.check(s); err != nil {
		return nil, err
	}
	c, err := w.buildcaches().Open(ctx, s)
	if err != nil {
		return nil, err
	}
	return &Buildcache{Name: s.Name, settings: s, cache: c}, nil
}

// buildcaches opens build caches as environments do.
func (w *Workspace) buildcaches() *cache.BuildcacheOpener {
	return &cache.BuildcacheOpener{OCI: oci.Options{UserAgent: "esd/" + w.opts.Version, Meter: w.opts.Meter}, WorkDir: w.WorkDir}
}

// cacheSettings finds what a block says of a build cache. Mistakes elsewhere in
// the configuration do not matter.
func (w *Workspace) cacheSettings(ctx context.Context, name string) (cache.Buildcache, error) {
	blocks := map[string]cache.Buildcache{}
	_, diags := w.Config.Evaluate(ctx, func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		if o.Schema.Kind != cache.BuildcacheKind {
			return cty.DynamicVal, nil
		}
		object, diags := w.Kinds[o.Schema.Kind].Resolve(ctx, providers.ResolveRequest{
			Address: o.Address, Config: o.Config, Dependencies: o.Dependencies, ModuleDir: o.ModuleDir, Range: o.Range,
			AttributeRange: o.AttributeRange, Object: func(addr.Address) *providers.Object { return nil },
		})
		if diags.HasErrors() {
			return cty.DynamicVal, diags
		}
		blocks[o.Address.String()] = object.Spec.(cache.Buildcache)
		return object.Attributes, diags
	})
	for _, written := range []string{name, cache.BuildcacheKind + "." + name} {
		if s, ok := blocks[written]; ok {
			return s, nil
		}
	}
	switch {
	case diags.HasErrors():
		return cache.Buildcache{}, diags
	case name == defaultCache:
		return cache.Buildcache{Name: name, URL: "file://" + filepath.Join(w.WorkDir, "buildcache"), Push: true, Index: true}, nil
	}
	return cache.Buildcache{}, unknownCache(name, blocks)
}

func unknownCache(name string, blocks map[string]cache.Buildcache) error {
	var known []string
	for address := range blocks {
		known = append(known, strings.TrimPrefix(address, cache.BuildcacheKind+"."))
	}
	slices.Sort(known)
	text := fmt.Sprintf("there is no cache \"buildcache\" %q in the configuration", strings.TrimPrefix(name, cache.BuildcacheKind+"."))
	if near := plan.Suggest(name, known); near != "" {
		return fmt.Errorf("%s; did you mean %s?", text, near)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s; for the directory, write ./%s", text, name)
	}
	if len(known) == 0 {
		return fmt.Errorf("%s, nor any other; a URL or a directory with a slash in it, such as ./%s, needs none", text, name)
	}
	return fmt.Errorf("%s; it has %s", text, strings.Join(known, ", "))
}

// Location says where the cache is.
func (b *Buildcache) Location() string { return b.cache.Location() }

// Layout says how it is arranged: v2, v3 or oci.
func (b *Buildcache) Layout(ctx context.Context) (string, error) {
	l, err := b.cache.Layout(ctx)
	return l.String(), err
}

// checksSignatures tells whether a signature by a trusted key is demanded.
func (b *Buildcache) checksSignatures() bool { return b.settings.Signed }

// sameAs tells whether both are the same place.
func (b *Buildcache) sameAs(other *Buildcache) bool { return b.Location() == other.Location() }
