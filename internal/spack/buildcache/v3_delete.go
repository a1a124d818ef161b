package buildcache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack/signature"
	"esd/internal/spack/transport"
)

// remove implements backend. To know which blobs nobody else has, all manifests are
// read once.
func (b *v3) remove(ctx context.Context, entries []Entry) error {
	orphans := map[string]bool{}
	for _, e := range entries {
		for _, blob := range []Blob{e.Archive, e.SpecBlob} {
			if blob.known() {
				orphans[blob.SHA256] = true
			}
		}
		if err := b.t.Delete(ctx, e.key.v3Manifest()); err != nil {
			return err
		}
	}
	used, err := b.used(ctx)
	if err != nil {
		return fmt.Errorf("the entries are deleted, their blobs are kept: which are shared cannot be told: %w", err)
	}
	for sum := range orphans {
		if used[sum] {
			continue
		}
		if err := b.t.Delete(ctx, blobPath(sum)); err != nil {
			return err
		}
	}
	return nil
}

// used are the digests that any manifest names, of whatever kind.
func (b *v3) used(ctx context.Context) (map[string]bool, error) {
	var names []string
	err := b.t.List(ctx, "v3/manifests/", func(name string, _ transport.Info) error {
		if strings.HasSuffix(name, ".manifest.json") {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	used := map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.opts.Concurrency)
	for _, name := range names {
		group.Go(func() error {
			text, _, err := b.t.ReadAll(ctx, name, maxManifest, transport.GetOptions{})
			if errors.Is(err, ErrNotFound) {
				return nil // deleted by somebody else since
			}
			if err != nil {
				return err
			}
			msg, err := signature.Policy{}.Open(text)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			m, err := parseManifest(name, msg.Content)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range m.Data {
				used[r.Checksum] = true
			}
			return nil
		})
	}
	return used, group.Wait()
}
