package buildcache

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"

	"esd/internal/spack"
)

// reduced is an index without what only installing needs: which packages there are,
// how they are named, what they depend on. It is one piece of memory, and the same
// piece is what is kept on disk:
//
//	magic, version           8 bytes
//	length of the header     4 bytes, little endian like all numbers
//	number of packages n     4
//	header                   JSON, see reducedHeader
//	hashes                   20 n, sorted
//	offsets of the records   4 n, from the beginning of the records
//	records                  flags, strings and dependencies, see appendRecord
//	checksum                 4, CRC-32C of all before
type reduced struct {
	reducedHeader
	n                        int
	hashes, offsets, records []byte
	all                      []byte
}

// reducedHeader says which index it was.
type reducedHeader struct {
	Location string  `json:"location"`
	Layout   string  `json:"layout"`
	Source   indexID `json:"source"`
	Size     int64   `json:"size"` // bytes of the index
}

const (
	reducedMagic   = "spkidx\x00\x01" // the last byte is the version of this format
	maxReduced     = 1 << 29
	maxPackages    = 4_000_000
	flagInCache    = 1
	flagExternal   = 2
	recordDepBytes = len(rawHash{}) + 1
)

// reducer collects records.
type reducer struct {
	entries []reducedEntry
	records []byte
}

type reducedEntry struct {
	hash rawHash
	at   uint32
}

// add keeps a record. Packages that are not in the cache are kept for what depends on
// them.
func (r *reducer) add(rec *indexRecord) error {
	if len(r.entries) >= maxPackages || len(r.records) > maxReduced {
		return fmt.Errorf("%w: the index has too many packages", ErrInvalid)
	}
	r.entries = append(r.entries, reducedEntry{rec.hash, uint32(len(r.records))})
	r.records = appendRecord(r.records, rec)
	return nil
}

func appendRecord(b []byte, rec *indexRecord) []byte {
	var flags byte
	if rec.inCache {
		flags |= flagInCache
	}
	if rec.external {
		flags |= flagExternal
	}
	b = append(b, flags)
	b = appendText(b, rec.name)
	b = appendText(b, rec.version)
	b = appendText(b, rec.platform, rec.os, rec.target)
	if rec.hasCompiler {
		b = appendText(b, rec.compiler, rec.compilerVersion)
	} else {
		b = append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(rec.deps)))
	for _, d := range rec.deps {
		b = append(b, d.hash[:]...)
		b = append(b, byte(d.types)|d.languages<<4)
	}
	return b
}

// appendText writes parts that are joined by dashes.
func appendText(b []byte, parts ...[]byte) []byte {
	n := len(parts) - 1
	for _, p := range parts {
		n += len(p)
	}
	b = binary.AppendUvarint(b, uint64(n))
	for i, p := range parts {
		if i > 0 {
			b = append(b, '-')
		}
		b = append(b, p...)
	}
	return b
}

// finish sorts what was collected. Of two records of one hash the first counts.
func (r *reducer) finish(header reducedHeader) (*reduced, error) {
	slices.SortStableFunc(r.entries, func(a, b reducedEntry) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	r.entries = slices.CompactFunc(r.entries, func(a, b reducedEntry) bool { return a.hash == b.hash })
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	all := make([]byte, 0, 16+len(text)+24*len(r.entries)+len(r.records)+4)
	all = append(all, reducedMagic...)
	all = binary.LittleEndian.AppendUint32(all, uint32(len(text)))
	all = binary.LittleEndian.AppendUint32(all, uint32(len(r.entries)))
	all = append(all, text...)
	for _, e := range r.entries {
		all = append(all, e.hash[:]...)
	}
	for _, e := range r.entries {
		all = binary.LittleEndian.AppendUint32(all, e.at)
	}
	all = append(all, r.records...)
	all = binary.LittleEndian.AppendUint32(all, crc32.Checksum(all, castagnoli()))
	return parseReduced(all)
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

var errReduced = errors.New("not a copy of an index, of another version, or damaged")

// parseReduced reads what finish wrote.
func parseReduced(all []byte) (*reduced, error) {
	if len(all) < 20 || len(all) > 2*maxReduced {
		return nil, errReduced
	}
	body, sum := all[:len(all)-4], binary.LittleEndian.Uint32(all[len(all)-4:])
	if crc32.Checksum(body, castagnoli()) != sum {
		return nil, errReduced
	}
	return parseReducedBody(all)
}

func parseReducedBody(all []byte) (*reduced, error) {
	if len(all) < 20 || string(all[:8]) != reducedMagic {
		return nil, errReduced
	}
	header, n := int(binary.LittleEndian.Uint32(all[8:])), int(binary.LittleEndian.Uint32(all[12:]))
	rest := all[16 : len(all)-4]
	if n < 0 || n > maxPackages || header < 0 || header > len(rest) || len(rest)-header < 24*n {
		return nil, errReduced
	}
	r := &reduced{n: n, all: all}
	if err := json.Unmarshal(rest[:header], &r.reducedHeader); err != nil {
		return nil, errReduced
	}
	rest = rest[header:]
	r.hashes, r.offsets, r.records = rest[:20*n], rest[20*n:24*n], rest[24*n:]
	return r, nil
}

// indexed is a package of a reduced index.
type indexed struct {
	hash              spack.Hash
	inCache, external bool
	name, version     string
	arch, compiler    string
	deps              []indexDep
}

// find looks a package up.
func (r *reduced) find(h spack.Hash) (indexed, bool) {
	raw, ok := packHash([]byte(h))
	if !ok || r == nil {
		return indexed{}, false
	}
	i := sort.Search(r.n, func(i int) bool { return bytes.Compare(r.hashes[20*i:20*i+20], raw[:]) >= 0 })
	if i == r.n || !bytes.Equal(r.hashes[20*i:20*i+20], raw[:]) {
		return indexed{}, false
	}
	return r.at(i)
}

// at decodes the i-th package. A damaged record is as good as none.
func (r *reduced) at(i int) (e indexed, ok bool) {
	e.hash = rawHash(r.hashes[20*i : 20*i+20]).unpack()
	at := int(binary.LittleEndian.Uint32(r.offsets[4*i:]))
	if at >= len(r.records) {
		return e, false
	}
	b := r.records[at:]
	e.inCache, e.external = b[0]&flagInCache != 0, b[0]&flagExternal != 0
	b = b[1:]
	for _, into := range []*string{&e.name, &e.version, &e.arch, &e.compiler} {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return e, false
		}
		*into = string(b[used : used+int(n)])
		b = b[used+int(n):]
	}
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used)/uint64(recordDepBytes) {
		return e, false
	}
	b = b[used:]
	for range n {
		types := b[20]
		e.deps = append(e.deps, indexDep{rawHash(b[:20]), spack.DepTypes(types & 15), types >> 4})
		b = b[recordDepBytes:]
	}
	return e, true
}

// key names the package. In version 2 the compiler of a spec of specfile 5 is one of
// its dependencies.
func (r *reduced) key(e indexed) key {
	k := key{hash: e.hash, name: polite(e.name), version: polite(e.version), arch: polite(e.arch), compiler: polite(e.compiler)}
	if k.compiler == "" {
		k.compiler = polite(r.compilerOf(e))
	}
	return k
}

func (r *reduced) compilerOf(e indexed) string {
	for language := uint8(1); language <= 4; language <<= 1 {
		for _, d := range e.deps {
			if d.languages&language == 0 {
				continue
			}
			if c, ok := r.find(d.hash.unpack()); ok {
				return c.name + "-" + c.version
			}
		}
	}
	return noCompiler
}

// maxIndex bounds indexes; that of 100,000 packages has 150 to 300 MB.
const maxIndex = 8 << 30

// reduce reads an index.
func reduce(ctx context.Context, in *indexStream, where string, header reducedHeader) (*reduced, error) {
	var r reducer
	counted := &countingReader{r: io.LimitReader(in, maxIndex)}
	ahead := readAhead(counted)
	defer ahead.Close()
	if err := parseIndex(ctx, ahead, where, r.add); err != nil {
		return nil, err
	}
	header.Source, header.Size = in.id, counted.n
	return r.finish(header)
}

type countingReader struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
