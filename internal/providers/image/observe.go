package image

import (
	"context"
	"errors"
	"fmt"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/state"
)

// parallelLookups is how many registries' answers are awaited at once.
const parallelLookups = 16

// seen is what stands at one destination.
type seen struct {
	digest string           // of what the tag names; empty for nothing
	key    string           // the content key that it carries
	layers map[string]int64 // sizes in bytes, by content key
	size   int64
}

// has tells whether a layer is there of an image with the given key.
func (s seen) has(imageKey, layerKey string) bool {
	_, has := s.layers[layerKey]
	return has || s.key == imageKey
}

func (s seen) hasAny(imageKey string, layers map[string]bool) bool {
	if s.digest != "" && s.key == imageKey {
		return true
	}
	for key := range s.layers {
		if layers[key] {
			return true
		}
	}
	return false
}

// observed is what Observe tells Plan.
type observed struct {
	places []seen // by destination
	// baseLayers is how many layers the base has, where that matters.
	baseLayers int
	// cached are sizes in bytes of layers that caches have, by content key.
	cached map[string]int64
}

// at is what stands at a destination.
func (o observed) at(i int) seen {
	if i < len(o.places) {
		return o.places[i]
	}
	return seen{}
}

// Observe asks what the tags name. Where a tag still names what was recorded
// for the desired key, that one request is all.
func (p *Provider) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	all := make([][]seen, len(req.Objects))
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallelLookups)
	for n, o := range req.Objects {
		s := o.Spec.(*spec)
		all[n] = make([]seen, len(s.destinations))
		for i, d := range s.destinations {
			group.Go(func() (err error) {
				if all[n][i], err = p.look(each, d, o, req.Recorded(o.Address)); err != nil {
					return fmt.Errorf("%s: %w", o.Address, err)
				}
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	observations := make([]providers.Observation, len(req.Objects))
	group, each = errgroup.WithContext(ctx)
	group.SetLimit(parallelLookups)
	for n, o := range req.Objects {
		obs := &observations[n]
		*obs = observation(o, req.Recorded(o.Address), all[n])
		if obs.Exists && obs.Key == o.Key {
			continue
		}
		group.Go(func() error {
			if err := p.lookFurther(each, o, req.Settings, obs); err != nil {
				return fmt.Errorf("%s: %w", o.Address, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	for n, o := range req.Objects {
		out[o.Address] = observations[n]
	}
	return out, nil
}

// sureLayers is up to how many packages fit upon any base that there is.
const sureLayers = 60

// lookFurther finds out what matters only for an image that has to be made: how
// much room the base leaves, and which layers caches have.
func (p *Provider) lookFurther(ctx context.Context, o *providers.Object, settings providers.Setting, obs *providers.Observation) error {
	s, found := o.Spec.(*spec), obs.Data.(observed)
	if s.base.Digest != "" && len(s.parts) > sureLayers {
		var err error
		if found.baseLayers, err = p.countBase(ctx, s); err != nil {
			return fmt.Errorf("base image: %w", err)
		}
	}
	layers, err := s.layers(found.baseLayers)
	if err != nil {
		return err
	}
	var ask []string
	for _, l := range found.lacking(o.Key, layers) {
		if l.isProduct() {
			continue
		}
		ask = append(ask, l.Key)
		for _, ref := range l.Packages {
			if ref.Hash != "" && ref.Key != l.Key {
				ask = append(ask, ref.Key)
			}
		}
	}
	found.cached = map[string]int64{}
	for _, c := range cache.Of(settings, p.cacheDir()) {
		if len(ask) == 0 {
			break
		}
		records, err := p.records(ctx, c, ask)
		if err != nil {
			return err
		}
		for key, record := range records {
			found.cached[key] = record.Archive.Size
		}
		ask = slices.DeleteFunc(ask, func(key string) bool { _, has := records[key]; return has })
	}
	obs.Data = found
	return nil
}

func (p *Provider) records(ctx context.Context, settings cache.Settings, keys []string) (map[string]artifact.Record, error) {
	c, err := p.opts.Caches.Open(ctx, settings)
	if err != nil {
		return nil, err
	}
	records, err := c.Has(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("cache %q (%s): %w", settings.Name, settings.URL, err)
	}
	return records, nil
}

// countBase asks for the number of layers of the base.
func (p *Provider) countBase(ctx context.Context, s *spec) (int, error) {
	platform, err := oci.ParsePlatform(s.platform)
	if err != nil {
		return 0, err
	}
	store, _, err := p.open(ctx, s.base.Reference, s.base.Transport)
	if err != nil {
		return 0, err
	}
	img, err := oci.LoadImage(ctx, store, s.base.Digest, platform)
	if err != nil {
		return 0, err
	}
	return len(img.Layers), nil
}

// look asks what stands at one destination.
func (p *Provider) look(ctx context.Context, d destination, o *providers.Object, recorded *state.Object) (seen, error) {
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
	if recorded != nil && recorded.Key == o.Key && recorded.Attributes.String("digest") == found.digest {
		found.key = o.Key
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
	found.key, found.layers = published.Key, map[string]int64{}
	found.size = published.Descriptor.Size + published.Manifest.Config.Size
	for _, l := range published.Layers {
		if isOurs(l.Key, l.Descriptor, o.Spec.(*spec).compression) {
			found.layers[l.Key] = l.Descriptor.Size
		}
		found.size += l.Descriptor.Size
	}
	return found, nil
}

// isOurs tells whether a published layer is one that esd made and nobody has
// compressed in another way since.
func isOurs(key string, d ocispec.Descriptor, compression string) bool {
	c, err := archive.ParseCompression(compression)
	return err == nil && key != "" && d.MediaType == c.MediaType()
}

// distrust forgets the layers of images that may not be what esd published: what
// they say of their layers would come into the next image at every destination.
// Trusted is the image that the state records; where nothing is recorded, one that
// is the same at all destinations, so that who can write to one of them alone
// cannot bring anything into the others.
func distrust(recorded *state.Object, places []seen) {
	ours := ""
	if recorded != nil {
		ours = recorded.Attributes.String("digest")
	}
	for _, p := range places {
		switch {
		case p.digest == "" || recorded != nil:
		case ours == "":
			ours = p.digest
		case ours != p.digest:
			ours = "different ones"
		}
	}
	for i := range places {
		if places[i].digest != ours {
			places[i].layers = nil
		}
	}
}

// observation sums up all destinations of one image: it exists as wanted when
// it does everywhere.
func observation(o *providers.Object, recorded *state.Object, places []seen) providers.Observation {
	s := o.Spec.(*spec)
	distrust(recorded, places)
	obs := providers.Observation{Key: o.Key, Data: observed{places: places}}
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
