package buildcache

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"esd/internal/oci"
	"esd/internal/spack"
	"esd/internal/spack/transport"
)

// indexFile is an index that was written, to be put into a cache.
type indexFile struct {
	name     string // of a local file
	sha256   string
	size     int64
	database string // version of the format
}

func (f indexFile) source() transport.Source {
	return transport.Source{Size: f.size, Open: func() (io.ReadCloser, error) { return os.Open(f.name) }}
}

// UpdateReport tells what became of an index.
type UpdateReport struct {
	Packages int // in the cache, and so in the index
	Read     int // whose specs had to be read, as they were not in the index before
	// Newer counts packages of Spack 1.x in a cache of version 2. Its index is for Spack
	// 0.23, which reads none that could have them: they are found by their hash only.
	Newer int
	// Left are entries that could not be read, and are not in the index.
	Left []Finding
}

// maxUpdates bounds how often an index is written anew because others pushed meanwhile.
const maxUpdates = 5

// UpdateIndex writes the index that Spack reads, from what is there: specs that the
// present index has are taken from it, the others are read. The bytes depend on
// nothing but what is in the cache.
//
// After writing, the cache is listed again, and the index is written again if entries
// are missing in it: so of several that push and update at once none loses entries,
// whatever the order in which their indexes arrive.
func (c *Cache) UpdateIndex(ctx context.Context) (UpdateReport, error) {
	b, err := c.writable(ctx)
	if err != nil {
		return UpdateReport{}, err
	}
	dir, err := os.MkdirTemp("", "buildcache-index-")
	if err != nil {
		return UpdateReport{}, fmt.Errorf("writing an index: %w", err)
	}
	defer os.RemoveAll(dir)
	u := &updater{c: c, b: b, dir: dir, newer: map[spack.Hash]bool{}}
	if u.nodes, err = newNodeFile(dir); err != nil {
		return UpdateReport{}, err
	}
	defer u.nodes.close()
	if err := u.takeOld(ctx); err != nil {
		return UpdateReport{}, err
	}
	there, err := b.enumerate(ctx)
	for range maxUpdates {
		if err != nil {
			return u.report, err
		}
		if err = u.write(ctx, there); err != nil {
			return u.report, err
		}
		now, listErr := b.enumerate(ctx)
		if listErr != nil || sameEntries(there, now) {
			return u.report, listErr
		}
		there = now
	}
	return u.report, nil
}

func sameEntries(a, b []located) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].hash != b[i].hash {
			return false
		}
	}
	return true
}

// updater writes one index.
type updater struct {
	c      *Cache
	b      backend
	dir    string
	nodes  *nodeFile
	newer  map[spack.Hash]bool // roots that are left out, see [UpdateReport]; guarded as nodes are
	report UpdateReport
}

// takeOld takes the specs out of the index that is there. One that cannot be read is
// as good as none.
func (u *updater) takeOld(ctx context.Context) error {
	in, err := u.b.openIndex(ctx, indexID{})
	switch {
	case isAbsent(err), errors.Is(err, ErrDenied):
		return nil
	case err != nil:
		return err
	}
	defer in.Close()
	ahead := readAhead(io.LimitReader(in, maxIndex))
	defer ahead.Close()
	where := u.c.where + ": index"
	err = indexNodes(ctx, ahead, where, func(raw []byte, version int) error {
		if u.tooNew(version) {
			return invalid(where, nil, "Spack 0.23 cannot read it")
		}
		return u.nodes.add(raw, version)
	})
	if isAbsent(err) {
		return u.nodes.reset()
	}
	return err
}

// tooNew tells versions of specs that the index cannot have.
func (u *updater) tooNew(version int) bool { return u.b.layout() == V2 && version >= firstOf1x }

func (u *updater) known(h spack.Hash) bool {
	u.nodes.mu.Lock()
	defer u.nodes.mu.Unlock()
	_, ok := u.nodes.nodes[h]
	return ok || u.newer[h]
}

// write makes and stores the index of what is there.
func (u *updater) write(ctx context.Context, there []located) error {
	u.report = UpdateReport{Read: u.report.Read}
	if err := u.read(ctx, there); err != nil {
		return err
	}
	var roots []spack.Hash
	for _, l := range there {
		switch {
		case u.newer[l.hash]:
			u.report.Newer++
		case u.nodes.has(l.hash):
			roots = append(roots, l.hash)
		}
	}
	u.report.Packages = len(roots)
	ix, err := u.encode(roots)
	if err != nil {
		return fmt.Errorf("writing an index: %w", err)
	}
	return u.b.putIndex(ctx, ix)
}

// read reads the specs that are not known yet.
func (u *updater) read(ctx context.Context, there []located) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(u.c.opts.Concurrency)
	for _, l := range there {
		if u.known(l.hash) {
			continue
		}
		group.Go(func() error {
			err := u.readOne(groupCtx, l)
			if !isAbsent(err) {
				return err
			}
			u.nodes.mu.Lock()
			defer u.nodes.mu.Unlock()
			if !errors.Is(err, ErrNotFound) { // else it was deleted since
				u.report.Left = append(u.report.Left, Finding{Kind: Unreadable, Hash: l.hash, Name: l.ref, Err: err})
			}
			return nil
		})
	}
	err := group.Wait()
	sortFindings(u.report.Left)
	return err
}

func (u *updater) readOne(ctx context.Context, l located) error {
	// Signatures are not looked at: an index promises nothing, and Spack does the same.
	e, err := u.b.identify(ctx, l)
	if err != nil {
		return err
	}
	text, err := u.b.spec(ctx, e)
	if err != nil {
		return err
	}
	where := u.c.where + ": " + e.ID()
	doc, _, err := parseSpecDocument(where, text, l.hash)
	if err != nil {
		return err
	}
	if u.tooNew(doc.Spec.Meta.Version) {
		u.nodes.mu.Lock()
		defer u.nodes.mu.Unlock()
		u.newer[l.hash] = true
		return nil
	}
	for _, raw := range doc.Spec.Nodes {
		if err := u.nodes.add(raw, doc.Spec.Meta.Version); err != nil {
			return err
		}
	}
	u.nodes.mu.Lock()
	u.report.Read++
	u.nodes.mu.Unlock()
	return nil
}

// encode writes the index into a file: the packages of the cache and all that they
// depend on, by hash.
func (u *updater) encode(roots []spack.Hash) (indexFile, error) {
	wanted := u.nodes.closure(roots)
	version := dbVersion
	if u.b.layout() == V2 || u.b.layout() == OCI && !u.nodes.anyOf(wanted, firstOf1x) {
		version = dbVersion023
	}
	refs := u.nodes.references(wanted)
	inCache := make(map[spack.Hash]bool, len(roots))
	for _, h := range roots {
		inCache[h] = true
	}
	out, err := os.Create(u.dir + "/index.json")
	if err != nil {
		return indexFile{}, err
	}
	defer out.Close()
	sum := sha256.New()
	counted := &countingWriter{w: io.MultiWriter(out, sum)}
	w := bufio.NewWriterSize(counted, 1<<20)
	fmt.Fprintf(w, `{"database":{"version":"%s","installs":{`, version)
	for i, h := range wanted {
		raw, err := u.nodes.text(h, version)
		if err != nil {
			return indexFile{}, err
		}
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `"%s":{"spec":`, h)
		w.Write(raw)
		fmt.Fprintf(w, `,"ref_count":%d,"in_buildcache":%t}`, refs[h], inCache[h])
	}
	w.WriteString("}}}")
	if err := w.Flush(); err != nil { // and of all writes before
		return indexFile{}, err
	}
	return indexFile{name: out.Name(), sha256: hex.EncodeToString(sum.Sum(nil)), size: counted.n, database: version}, out.Sync()
}

type countingWriter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// putIndex implements backend. The blob of the index before stays for those who are
// reading it.
func (b *v3) putIndex(ctx context.Context, ix indexFile) error {
	blob := Blob{SHA256: ix.sha256, Size: ix.size, MediaType: mediaIndex}
	if err := b.putBlob(ctx, blob, ix.source()); err != nil {
		return err
	}
	m := manifest{Version: 3, Data: []blobRecord{newRecord(blob, "none")}}
	if err := b.t.Put(ctx, v3Index, transport.Bytes(m.encode())); err != nil {
		return err
	}
	return b.describe(ctx)
}

// putIndex implements backend.
func (b *v2) putIndex(ctx context.Context, ix indexFile) error {
	if err := b.t.Put(ctx, v2Index, ix.source()); err != nil {
		return err
	}
	return b.t.Put(ctx, v2IndexHash, transport.Bytes([]byte(ix.sha256)))
}

// putIndex implements backend. The media type says that it is a layer, which it is
// not; it is what Spack writes (_oci_update_index), so that registries keep it.
func (b *registry) putIndex(ctx context.Context, ix indexFile) error {
	empty := []byte("{}")
	config := oci.Describe(ocispec.MediaTypeImageConfig, empty)
	layer := Blob{SHA256: ix.sha256, Size: ix.size, MediaType: ocispec.MediaTypeImageLayerGzip}.descriptor()
	if err := b.store.Push(ctx, layer, ix.source().Open); err != nil {
		return b.explain(err)
	}
	if err := b.store.PushBytes(ctx, config, empty); err != nil {
		return b.explain(err)
	}
	text, err := marshal(ociManifest{
		MediaType: ocispec.MediaTypeImageManifest, SchemaVersion: 2, Config: config, Layers: []ocispec.Descriptor{layer},
	})
	if err != nil {
		return err
	}
	return b.explain(oci.PushManifest(ctx, b.store, oci.Describe(ocispec.MediaTypeImageManifest, text), text, ociIndexTag))
}

// compilerText is a compiler of specfile 4 as specfile 5 remembers it.
func compilerText(c *spack.Compiler) string {
	return c.Name + "@=" + strings.TrimPrefix(c.Version, "=")
}
