package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"esd/internal/oci"
	"esd/internal/providers"
)

// Apply runs one step of an image.
func (p *Provider) Apply(ctx context.Context, run providers.Run) (providers.Result, error) {
	op, _, _ := strings.Cut(run.Op, " ")
	if op == opDestroy {
		var spec destroySpec
		if err := json.Unmarshal(run.Spec, &spec); err != nil {
			return providers.Result{}, fmt.Errorf("the plan is damaged: %w", err)
		}
		return providers.Result{}, p.unpublish(ctx, run, spec)
	}
	var spec stepSpec
	if err := json.Unmarshal(run.Spec, &spec); err != nil {
		return providers.Result{}, fmt.Errorf("the plan is damaged: %w", err)
	}
	a := &assembly{provider: p, run: run, image: spec.Image}
	switch {
	case op == opAssemble:
		return a.assemble(ctx)
	case op == opCheck && spec.Check != nil:
		return a.check(ctx, *spec.Check)
	case op == opPublish && spec.Destination != nil:
		return a.publish(ctx, spec)
	}
	return providers.Result{}, fmt.Errorf("images have no operation %q; the plan was made by another version of esd", run.Op)
}

// publish sends the image to one destination.
func (a *assembly) publish(ctx context.Context, spec stepSpec) (providers.Result, error) {
	img, err := a.load(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	d := *spec.Destination
	store, ref, err := a.provider.open(ctx, d.Reference, d.Transport)
	if err != nil {
		return providers.Result{}, err
	}
	progress := &publishing{total: totalSize(img), sent: map[string]int64{}, tell: a.run.Progress}
	stats, err := oci.Publish(ctx, img, store, oci.PublishOptions{Tag: ref.Tag, Progress: progress.event})
	if err != nil {
		return providers.Result{}, err
	}
	fmt.Fprintf(a.run.Log, "esd: published %s as %s: %d blobs sent (%d bytes), %d mounted, %d already there\n",
		img.ManifestDescriptor.Digest, d.Written, stats.BlobsSent, stats.BytesSent, stats.BlobsMounted, stats.BlobsPresent)
	result := providers.Result{
		Attributes: map[string]any{"published": anySlice(spec.Destinations)},
		Reused:     stats.BlobsSent == 0 && stats.BytesSent == 0,
		Size:       totalSize(img),
	}
	if d.Transport.PlainHTTP {
		result.Attributes["plain_http"] = true
	}
	if d.Transport.CAFile != "" {
		result.Attributes["ca_file"] = d.Transport.CAFile
	}
	if ref.Layout == "" {
		result.Uploaded = stats.BytesSent
	}
	return result, nil
}

// publishing adds up the progress of the single blobs.
type publishing struct {
	total int64
	sent  map[string]int64
	tell  func(done, total int64)
}

func (p *publishing) event(e oci.Event) {
	switch e.Kind {
	case oci.EventSending:
		p.sent[string(e.Digest)] = e.Sent
	default:
		p.sent[string(e.Digest)] = e.Size
	}
	var done int64
	for _, n := range p.sent {
		done += n
	}
	p.tell(min(done, p.total), p.total)
}

func totalSize(img *oci.Assembled) int64 {
	size := img.ManifestDescriptor.Size + img.ConfigDescriptor.Size
	for _, l := range img.Layers {
		size += l.Descriptor.Size
	}
	return size
}

func anySlice(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// unpublish removes the tags of an image that still name it. A registry that
// cannot remove a tag is asked to remove the manifest, if no other tag names
// it.
func (p *Provider) unpublish(ctx context.Context, run providers.Run, spec destroySpec) error {
	var errs []error
	for _, written := range spec.Published {
		if err := p.unpublishOne(ctx, run, spec, written); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", written, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Provider) unpublishOne(ctx context.Context, run providers.Run, spec destroySpec, written string) error {
	located, err := p.locate(written)
	if err != nil {
		return err
	}
	store, ref, err := p.open(ctx, located.String(), transport{PlainHTTP: spec.PlainHTTP, CAFile: spec.CAFile})
	if err != nil {
		return err
	}
	desc, err := store.Resolve(ctx, ref.Tag)
	switch {
	case errors.Is(err, oci.ErrNotFound):
		fmt.Fprintf(run.Log, "esd: %s is gone already\n", written)
		return nil
	case err != nil:
		return err
	case string(desc.Digest) != spec.Digest:
		fmt.Fprintf(run.Log, "esd: %s names %s now, which is not what was published (%s): left alone\n", written, desc.Digest, spec.Digest)
		return nil
	}
	err = store.Untag(ctx, ref.Tag)
	if !errors.Is(err, oci.ErrUnsupported) {
		return err
	}
	if err := onlyOurs(ctx, store, desc.Digest, p.ours(spec.Published, ref)); err != nil {
		return err
	}
	return store.Delete(ctx, desc)
}

// onlyOurs makes sure that no tag but ours names a manifest: it goes for all of
// them at once. A tag that cannot be asked might name it.
func onlyOurs(ctx context.Context, store oci.Store, manifest digest.Digest, ours map[string]bool) error {
	tags, err := store.Tags(ctx)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if ours[tag] {
			continue
		}
		other, err := store.Resolve(ctx, tag)
		switch {
		case errors.Is(err, oci.ErrNotFound):
		case err != nil:
			return fmt.Errorf("cannot tell whether tag %q names the same image: %w", tag, err)
		case other.Digest == manifest:
			return fmt.Errorf("the registry cannot remove a single tag, and tag %q names the same image: remove one of them by hand", tag)
		}
	}
	return nil
}

func (p *Provider) cacheDir() string { return filepath.Join(p.opts.WorkDir, "cache") }

func (p *Provider) tmpDir() string { return filepath.Join(p.opts.WorkDir, "tmp") }
