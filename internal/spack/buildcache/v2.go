package buildcache

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"esd/internal/spack"
	"esd/internal/spack/signature"
	"esd/internal/spack/transport"
)

// v2 is a cache as Spack wrote them up to 0.23. Names of archives are not digests, so
// replacing one is not atomic with replacing its spec: a reader in between meets a
// wrong checksum, never a wrong package.
type v2 struct {
	t    *transport.Store
	opts *Options

	unsigned atomic.Bool // the last entry that was found had no signature
	mu       sync.Mutex
	keyDone  bool
}

func (b *v2) layout() Layout   { return V2 }
func (b *v2) location() string { return b.t.Location() }

// suffixes are the endings of spec files in the order of trying. Like Spack, signed
// ones win; where signatures do not matter, what was there last time goes first.
func (b *v2) suffixes() [2]string {
	if b.opts.Trust.Mode == signature.Ignore && b.unsigned.Load() {
		return [2]string{v2SpecSuffix, v2SignedSuffix}
	}
	return [2]string{v2SignedSuffix, v2SpecSuffix}
}

// find implements backend.
func (b *v2) find(ctx context.Context, k key) (Entry, error) {
	var err error
	for _, suffix := range b.suffixes() {
		var e Entry
		if e, _, err = b.read(ctx, v2Root+k.v2Base()+suffix, k); !errors.Is(err, ErrNotFound) {
			b.unsigned.Store(suffix == v2SpecSuffix)
			return e, err
		}
	}
	return Entry{}, err
}

// read reads the spec file of an entry and asks for the size of its archive. Where k
// has nothing but a hash, the rest is taken from the spec.
func (b *v2) read(ctx context.Context, name string, k key) (Entry, specDocument, error) {
	where := b.t.Location() + "/" + name
	text, _, err := b.t.ReadAll(ctx, name, maxSpecDoc, transport.GetOptions{})
	if err != nil {
		return Entry{}, specDocument{}, err
	}
	msg, err := b.open(name, text)
	if err != nil {
		return Entry{}, specDocument{}, fmt.Errorf("%s: %w", where, err)
	}
	doc, _, err := parseSpecDocument(where, msg.Content, k.hash)
	if err != nil {
		return Entry{}, doc, err
	}
	if k.name == "" {
		if k, err = keyOfDocument(where, doc); err != nil {
			return Entry{}, doc, err
		}
		if base := k.v2Base(); !strings.HasPrefix(path.Base(name), base+".") {
			return Entry{}, doc, invalid(where, nil, "it is about %s", base)
		}
	}
	e := Entry{Hash: k.hash, Name: k.name, Version: k.version, Layout: V2, Signed: msg.Signed, Signer: msg.Signer, key: k, ref: name}
	if doc.Checksum == nil || doc.Checksum.Algorithm != "sha256" || !isSHA256(doc.Checksum.Hash) {
		return e, doc, invalid(where, nil, "it has no sha256 of its archive (binary_cache_checksum)")
	}
	e.Archive = Blob{SHA256: doc.Checksum.Hash, Size: -1, MediaType: mediaArchive}
	e.annotate(doc.Annotations)
	switch info, err := b.has(ctx, e); {
	case err == nil:
		e.Archive.Size = info.Size
	case !errors.Is(err, ErrNotFound): // then reading it says so
		return e, doc, err
	}
	return e, doc, nil
}

// open checks the signature of a spec file; the name promises whether there is one.
func (b *v2) open(name string, text []byte) (signature.Message, error) {
	if strings.HasSuffix(name, v2SignedSuffix) && !signature.IsSigned(text) && b.opts.Trust.Mode != signature.Ignore {
		return signature.Message{}, fmt.Errorf("%w: there is none in the file", signature.ErrBad)
	}
	return b.opts.Trust.Open(text)
}

// keyOfDocument names an entry by its spec.
func keyOfDocument(where string, doc specDocument) (key, error) {
	d, err := doc.decode(where)
	if err != nil {
		return key{}, err
	}
	return newKey(d.Root, d.Specs)
}

// spec implements backend.
func (b *v2) spec(ctx context.Context, e Entry) ([]byte, error) {
	text, _, err := b.t.ReadAll(ctx, e.ref, maxSpecDoc, transport.GetOptions{})
	if err != nil {
		return nil, err
	}
	msg, err := b.open(e.ref, text)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", b.t.Location(), e.ref, err)
	}
	return msg.Content, nil
}

// archive implements backend.
func (b *v2) archive(ctx context.Context, e Entry, opts transport.GetOptions) (*transport.Object, error) {
	return b.t.Get(ctx, e.key.v2Archive(), opts)
}

// has implements backend.
func (b *v2) has(ctx context.Context, e Entry) (transport.Info, error) {
	return b.t.Stat(ctx, e.key.v2Archive())
}

// raw implements backend.
func (b *v2) raw(ctx context.Context, e Entry) ([]byte, error) {
	text, _, err := b.t.ReadAll(ctx, e.ref, maxSpecDoc, transport.GetOptions{})
	return text, err
}

// push implements backend.
func (b *v2) push(ctx context.Context, k key, req pushRequest) (Entry, error) {
	req.doc.Checksum = &specChecksum{Algorithm: "sha256", Hash: req.blob.SHA256}
	req.doc.Annotations = req.annotations()
	text, keep, gone := onLines(req.doc), v2SpecSuffix, v2SignedSuffix
	var err error
	switch {
	case req.raw != nil:
		text, keep, gone = req.raw, v2SignedSuffix, v2SpecSuffix
	case b.opts.Signer != nil:
		if text, err = b.opts.Signer.Clearsign(text); err != nil {
			return Entry{}, err
		}
		keep, gone = v2SignedSuffix, v2SpecSuffix
	}
	if err := b.t.Put(ctx, k.v2Archive(), req.verified()); err != nil {
		return Entry{}, err
	}
	base := v2Root + k.v2Base()
	if err := b.t.Put(ctx, base+keep, transport.Bytes(text)); err != nil {
		return Entry{}, err
	}
	// Readers try the signed file first: an old one would hide the new entry.
	if err := b.t.Delete(ctx, base+gone); err != nil {
		return Entry{}, err
	}
	if err := b.publishKey(ctx); err != nil {
		return Entry{}, err
	}
	e := Entry{Hash: k.hash, Name: k.name, Version: k.version, Layout: V2, Archive: req.blob, key: k, ref: base + keep}
	e.annotate(req.doc.Annotations)
	if e.Signed = keep == v2SignedSuffix; e.Signed && req.raw == nil {
		e.Signer = b.opts.Signer.Fingerprint()
	}
	return e, nil
}

// publishKey puts the public key where "spack buildcache keys" looks for it.
func (b *v2) publishKey(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keyDone || b.opts.Signer == nil {
		return nil
	}
	public, err := b.opts.Signer.PublicKey()
	if err != nil {
		return err
	}
	if err := b.t.Put(ctx, v2Keys+b.opts.Signer.Fingerprint()+v2KeySuffix, transport.Bytes(public)); err != nil {
		return err
	}
	keys, err := listKeys(ctx, b.t, v2Keys, v2KeySuffix)
	if err != nil {
		return err
	}
	if err := b.t.Put(ctx, v2KeyIndex, transport.Bytes(keys)); err != nil {
		return err
	}
	b.keyDone = true
	return nil
}

// readable implements backend.
func (b *v2) readable(ctx context.Context) bool {
	_, err := b.t.Stat(ctx, v2Index)
	return err == nil
}

// enumerate implements backend.
func (b *v2) enumerate(ctx context.Context) ([]located, error) {
	seen := map[spack.Hash]located{}
	err := b.t.List(ctx, v2Root, func(name string, _ transport.Info) error {
		base := strings.TrimSuffix(strings.TrimSuffix(name, ".sig"), v2SpecSuffix)
		if path.Dir(name)+"/" != v2Root || base == strings.TrimSuffix(name, ".sig") {
			return nil
		}
		h, ok := hashOfName(base)
		if !ok {
			return nil
		}
		if old, twice := seen[h]; !twice || strings.HasSuffix(name, v2SignedSuffix) && !strings.HasSuffix(old.ref, v2SignedSuffix) {
			seen[h] = located{hash: h, ref: name}
		}
		return nil
	})
	return sortedLocated(seen), err
}

// identify implements backend.
func (b *v2) identify(ctx context.Context, l located) (Entry, error) {
	e, _, err := b.read(ctx, l.ref, key{hash: l.hash})
	return e, err
}

// remove implements backend. Nothing is shared in version 2.
func (b *v2) remove(ctx context.Context, entries []Entry) error {
	for _, e := range entries {
		base := v2Root + e.key.v2Base()
		for _, name := range []string{base + v2SignedSuffix, base + v2SpecSuffix, e.key.v2Archive()} {
			if err := b.t.Delete(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}
