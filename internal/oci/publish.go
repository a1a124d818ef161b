package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

const (
	defaultJobs      = 4
	maxMountAttempts = 3 // a registry that would not mount twice will not the tenth time
)

// PublishOptions say how an image is published.
type PublishOptions struct {
	Tag      string          // name to give the image; "" stores it by digest alone
	Jobs     int             // transfers side by side; default 4
	Progress func(Event)     // called from one goroutine at a time; may be nil
	Known    []digest.Digest // blobs that are known to be in the repository, besides those of the image under Tag
	Verify   bool            // look at every blob, even when the tag says that all is done
}

// EventKind says what happened to a blob.
type EventKind string

// What happens to a blob while it is published.
const (
	EventPresent EventKind = "present" // it was there
	EventMounted EventKind = "mounted" // the registry took it from another repository
	EventSending EventKind = "sending" // Sent bytes of it were sent so far
	EventSent    EventKind = "sent"    // all of it was sent
	EventTagged  EventKind = "tagged"  // the manifest is stored, and the tag moved
)

// Event tells the progress of one blob.
type Event struct {
	Kind   EventKind
	Title  string        // of the layer; "config" and "manifest" for those
	Digest digest.Digest // of the blob
	Size   int64         // in bytes
	Sent   int64         // in bytes; begins anew when a transfer is tried again
}

// Stats sums up what publishing did. Blobs are layers and the configuration.
type Stats struct {
	BlobsSent    int
	BlobsMounted int
	BlobsPresent int   // found, or known without asking
	BytesSent    int64 // of blobs and the manifest, without tries that failed
}

// Publish stores an image, layers first, the manifest and with it the tag last: at
// every moment the tag names a whole image, the old one or the new one.
//
// The cheapest question comes first. If the tag names this image already, that was the
// only request. Otherwise nothing is asked about blobs of the image under the tag, nor
// about known ones. When the registry then says that a blob is missing, because it was
// cleaned up meanwhile, all are looked at once and sent where needed.
func Publish(ctx context.Context, img *Assembled, s Store, opts PublishOptions) (Stats, error) {
	p := &publication{ctx: ctx, img: img, store: s, opts: opts, known: map[digest.Digest]bool{}}
	if p.opts.Jobs <= 0 {
		p.opts.Jobs = defaultJobs
	}
	if !opts.Verify {
		done, err := p.look()
		if err != nil || done {
			return p.stats, err
		}
	}
	err := p.blobs()
	if err == nil {
		err = p.manifest()
	}
	if errors.Is(err, ErrMissingBlob) {
		clear(p.known)
		p.stats = Stats{BlobsSent: p.stats.BlobsSent, BlobsMounted: p.stats.BlobsMounted, BytesSent: p.stats.BytesSent}
		if err = p.blobs(); err == nil {
			err = p.manifest()
		}
	}
	if err != nil {
		return p.stats, fmt.Errorf("publishing: %w", err)
	}
	return p.stats, nil
}

// publication is one run of Publish.
type publication struct {
	ctx   context.Context
	img   *Assembled
	store Store
	opts  PublishOptions
	known map[digest.Digest]bool

	mu    sync.Mutex // guards stats and calls of opts.Progress
	stats Stats
}

// look finds out what is there without asking about single blobs.
func (p *publication) look() (done bool, err error) {
	for _, d := range p.opts.Known {
		p.known[d] = true
	}
	reference := p.opts.Tag
	if _, inLayout := p.store.(*layout); reference == "" && !inLayout {
		reference = p.img.ManifestDescriptor.Digest.String()
	}
	desc, err := p.store.Resolve(p.ctx, reference)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("publishing: %w", err)
	}
	if desc.Digest == p.img.ManifestDescriptor.Digest {
		for _, b := range p.all() {
			p.count(EventPresent, b)
		}
		return true, nil
	}
	if !isIndex(desc.MediaType) {
		p.learn(desc)
	}
	return false, nil
}

// learn notes the blobs of the image that is to be replaced. It may be of any kind, or
// damaged; then there is nothing to learn from it.
func (p *publication) learn(desc ocispec.Descriptor) {
	content, err := FetchBytes(p.ctx, p.store, desc, MaxManifest)
	if err != nil {
		return
	}
	previous, err := parseManifest(content)
	if err != nil {
		return
	}
	p.known[previous.Config.Digest] = true
	for _, l := range previous.Layers {
		p.known[l.Digest] = true
	}
}

// blob is a layer or the configuration.
type blob struct {
	desc   ocispec.Descriptor
	title  string
	open   func(ctx context.Context) (io.ReadCloser, error)
	mounts []MountSource
}

// all lists the layers, each content once, and the configuration last.
func (p *publication) all() []blob {
	var blobs []blob
	seen := map[digest.Digest]bool{}
	for _, l := range p.img.Layers {
		if seen[l.Descriptor.Digest] || isForeign(l.Descriptor) {
			continue
		}
		seen[l.Descriptor.Digest] = true
		blobs = append(blobs, blob{desc: l.Descriptor, title: l.Title, open: l.Open, mounts: l.Mounts})
	}
	return append(blobs, blob{
		desc: p.img.ConfigDescriptor, title: "config",
		open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(p.img.Config)), nil
		},
	})
}

// blobs brings all blobs into the store, the configuration after the layers.
func (p *publication) blobs() error {
	blobs := p.all()
	last := len(blobs) - 1
	group, ctx := errgroup.WithContext(p.ctx)
	group.SetLimit(p.opts.Jobs)
	for _, b := range blobs[:last] {
		if p.known[b.desc.Digest] {
			p.count(EventPresent, b)
			continue
		}
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return p.bring(ctx, b)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if p.known[blobs[last].desc.Digest] {
		p.count(EventPresent, blobs[last])
		return nil
	}
	return p.bring(p.ctx, blobs[last])
}

// bring gets one blob into the store: it is there, or mounted, or sent.
func (p *publication) bring(ctx context.Context, b blob) error {
	found, err := p.store.Exists(ctx, b.desc)
	if err != nil {
		return err
	}
	if found {
		p.count(EventPresent, b)
		return nil
	}
	mounted, err := p.mount(ctx, b)
	if err != nil {
		return err
	}
	if mounted {
		p.count(EventMounted, b)
		return nil
	}
	if b.open == nil {
		return fmt.Errorf("%s: layer %s (%s) is not there, and there is nowhere to read it from: %w", p.store.Location(), b.desc.Digest, b.title, ErrNotFound)
	}
	if err := p.send(ctx, b); err != nil {
		return err
	}
	p.count(EventSent, b)
	return nil
}

func (p *publication) mount(ctx context.Context, b blob) (bool, error) {
	target, ok := p.store.(*remote)
	if !ok {
		return false, nil
	}
	tried := 0
	for _, m := range b.mounts {
		if m.Registry != target.ref.Registry || m.Repository == target.ref.Repository || tried == maxMountAttempts {
			continue
		}
		tried++
		if mounted, err := target.Mount(ctx, b.desc, m.Repository); mounted || err != nil {
			return mounted, err
		}
	}
	return false, nil
}

// uploader is implemented by stores that need not look whether a blob is there.
type uploader interface {
	upload(ctx context.Context, desc ocispec.Descriptor, open Opener) error
}

func (p *publication) send(ctx context.Context, b blob) error {
	open := func() (io.ReadCloser, error) {
		rc, err := b.open(ctx)
		if err != nil {
			return nil, err
		}
		return &watched{ReadCloser: rc, p: p, b: b}, nil
	}
	if u, ok := p.store.(uploader); ok {
		return u.upload(ctx, b.desc, open)
	}
	return p.store.Push(ctx, b.desc, open)
}

// manifest stores the manifest and moves the tag.
func (p *publication) manifest() error {
	if err := p.ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", p.store.Location(), context.Cause(p.ctx))
	}
	m := blob{desc: p.img.ManifestDescriptor, title: "manifest"}
	if err := PushManifest(p.ctx, p.store, m.desc, p.img.Manifest, p.opts.Tag); err != nil {
		return err
	}
	p.mu.Lock()
	p.stats.BytesSent += m.desc.Size
	p.mu.Unlock()
	p.event(Event{Kind: EventTagged, Title: m.title, Digest: m.desc.Digest, Size: m.desc.Size, Sent: m.desc.Size})
	return nil
}

func (p *publication) count(kind EventKind, b blob) {
	e := Event{Kind: kind, Title: b.title, Digest: b.desc.Digest, Size: b.desc.Size}
	p.mu.Lock()
	switch kind {
	case EventPresent:
		p.stats.BlobsPresent++
	case EventMounted:
		p.stats.BlobsMounted++
	case EventSent:
		p.stats.BlobsSent++
		p.stats.BytesSent += b.desc.Size
		e.Sent = b.desc.Size
	}
	p.mu.Unlock()
	p.event(e)
}

func (p *publication) event(e Event) {
	if p.opts.Progress == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opts.Progress(e)
}

// watched reports the bytes of a blob as they are read for sending.
type watched struct {
	io.ReadCloser
	p    *publication
	b    blob
	sent int64
}

// Read implements io.Reader.
func (w *watched) Read(buf []byte) (int, error) {
	n, err := w.ReadCloser.Read(buf)
	w.sent += int64(n)
	if n > 0 {
		w.p.event(Event{Kind: EventSending, Title: w.b.title, Digest: w.b.desc.Digest, Size: w.b.desc.Size, Sent: w.sent})
	}
	return n, err
}
