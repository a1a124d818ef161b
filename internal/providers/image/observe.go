package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/addr"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/state"
)

// parallelLookups is how many registries' answers are awaited at once.
const parallelLookups = 16

// seen is what stands at one destination.
type seen struct {
	digest string // of what the tag names; empty for nothing
	key    string // the content key that it carries
	layers map[string]bool
	size   int64
}

// Observe asks what the tags name. Where a tag still names what was recorded
// for the desired key, that one request is all.
func (p *Provider) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	var mu sync.Mutex
	all := map[addr.Address][]seen{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelLookups)
	for _, o := range req.Objects {
		s := o.Spec.(*spec)
		all[o.Address] = make([]seen, len(s.destinations))
		for i, d := range s.destinations {
			recorded, places := req.Recorded(o.Address), all[o.Address]
			group.Go(func() error {
				found, err := p.look(ctx, d, o.Key, recorded)
				if err != nil {
					return fmt.Errorf("%s: %w", o.Address, err)
				}
				mu.Lock()
				defer mu.Unlock()
				places[i] = found
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	for _, o := range req.Objects {
		out[o.Address] = observation(o, req.Recorded(o.Address), all[o.Address])
	}
	return out, nil
}

// look asks what stands at one destination.
func (p *Provider) look(ctx context.Context, d destination, key string, recorded *state.Object) (seen, error) {
	store, ref, err := p.open(ctx, d.Reference, d.Transport)
	if err != nil {
		return seen{}, err
	}
	desc, err := store.Resolve(ctx, ref.Tag)
	if errors.Is(err, oci.ErrNotFound) {
		return seen{}, nil
	}
	if err != nil {
		return seen{}, err
	}
	found := seen{digest: string(desc.Digest)}
	if recorded != nil && recorded.Key == key && recorded.Attributes.String("digest") == found.digest {
		found.key = key
		found.size, _ = recorded.Attributes.Int("size")
		return found, nil
	}
	published, err := oci.Inspect(ctx, store, found.digest)
	switch {
	case errors.Is(err, oci.ErrInvalidContent), errors.Is(err, oci.ErrNotFound):
		return found, nil // something else: it has no key
	case err != nil:
		return seen{}, err
	}
	found.key, found.layers = published.Key, map[string]bool{}
	found.size = published.Descriptor.Size + published.Manifest.Config.Size
	for _, l := range published.Layers {
		found.layers[string(l.Descriptor.Digest)] = true
		found.size += l.Descriptor.Size
	}
	return found, nil
}

// observation sums up all destinations of one image: it exists as wanted when
// it does everywhere.
func observation(o *providers.Object, recorded *state.Object, places []seen) providers.Observation {
	s := o.Spec.(*spec)
	obs := providers.Observation{Key: o.Key, Data: places}
	for i, place := range places {
		obs.Exists = obs.Exists || place.digest != ""
		if place.key == o.Key {
			continue
		}
		obs.Key = place.key
		// What somebody else did is more worth telling than what is new.
		if obs.Problem == "" || obs.NotDrift {
			if problem, news := explain(s.destinations[i], place, recorded); obs.Problem == "" || !news {
				obs.Problem, obs.NotDrift = problem, news
			}
		}
	}
	if slices.ContainsFunc(places, func(p seen) bool { return p.key == "" }) {
		obs.Key = ""
	}
	if obs.Exists && obs.Key == o.Key {
		obs.Attributes = attributes(s, places[0].digest, places[0].size)
	}
	return obs
}

// explain says what is wrong with a destination, and whether that is no drift
// but news: esd has not published there before.
func explain(d destination, place seen, recorded *state.Object) (problem string, news bool) {
	known := recorded != nil && slices.Contains(publishedAt(recorded), d.Written)
	switch {
	case place.digest == "" && known:
		return d.Written + " is gone", false
	case place.digest == "":
		return "not published to " + d.Written + " yet", true
	case place.key == "":
		return fmt.Sprintf("%s is %s, which esd did not make", d.Written, shortDigest(place.digest)), !known
	}
	return fmt.Sprintf("%s is %s, which was made from something else", d.Written, shortDigest(place.digest)), !known
}

// attributes is what is recorded of an image.
func attributes(s *spec, digest string, size int64) map[string]any {
	published := make([]any, len(s.destinations))
	for i, d := range s.destinations {
		published[i] = d.Written
	}
	return map[string]any{"digest": digest, "size": size, "published": published}
}

// publishedAt reads where an image was published from its record.
func publishedAt(recorded *state.Object) []string {
	list, _ := recorded.Attributes["published"].([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// open opens the repository or layout of a reference.
func (p *Provider) open(ctx context.Context, reference string, how transport) (oci.Store, oci.Ref, error) {
	ref, err := oci.ParseRef(reference)
	if err != nil {
		return nil, ref, err
	}
	opts := p.opts.OCI
	opts.PlainHTTP = opts.PlainHTTP || how.PlainHTTP
	if how.CAFile != "" {
		opts.CAFile = how.CAFile
	}
	store, err := oci.Open(ctx, ref, opts)
	return store, ref, err
}
