package buildcache

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"esd/internal/spack"
)

// remembered is what was learnt of an entry by reading it. It stays right as long as
// nobody replaces the entry, and does no harm then: archives are found by the digests
// in it, so an old one is the old archive, or none.
//
// Version 2 has no digests in its names, so there nothing is remembered.
type remembered struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	Archive   Blob   `json:"archive"`
	Spec      Blob   `json:"spec"`
	Signed    bool   `json:"signed,omitempty"`
	Signer    string `json:"signer,omitempty"`
	Prefix    string `json:"prefix,omitempty"`
	DiffID    string `json:"diff_id,omitempty"`
	TarSize   int64  `json:"tar_size,omitempty"`
	Confirmed string `json:"confirmed,omitempty"` // under which policy it was accepted
}

// memory is what is remembered of one cache.
type memory struct {
	Location string                    `json:"location"`
	Layout   string                    `json:"layout"`
	Entries  map[spack.Hash]remembered `json:"entries"`
}

const (
	maxRemembered = 20_000
	maxMemory     = 64 << 20
	memorySuffix  = ".entries"
)

// policy names what entries were checked against, so that others are not taken for
// checked.
func (c *Cache) policy() string {
	t := c.opts.Trust
	return t.Mode.String() + " " + strings.Join(t.Keys.Fingerprints(), " ")
}

func (c *Cache) memoryFile(b backend) string {
	name := c.localFile(b)
	if name == "" || b.layout() == V2 {
		return ""
	}
	return strings.TrimSuffix(name, localSuffix) + memorySuffix
}

// recall splits listed entries into those that are remembered and those that are to be
// read.
func (c *Cache) recall(b backend, listed map[spack.Hash]Entry) (known map[spack.Hash]Entry, unknown []key) {
	known = map[spack.Hash]Entry{}
	m := c.readMemory(b)
	for h, e := range listed {
		r, ok := m.Entries[h]
		if !ok || r.Confirmed != c.policy() || r.Name != e.Name || r.Version != e.Version || !isSHA256(r.Archive.SHA256) || !isSHA256(r.Spec.SHA256) {
			unknown = append(unknown, e.key)
			continue
		}
		e.Archive, e.SpecBlob, e.Signed, e.Signer = r.Archive, r.Spec, r.Signed, r.Signer
		e.Prefix, e.DiffID, e.TarSize = r.Prefix, r.DiffID, r.TarSize
		known[h] = e
	}
	return known, unknown
}

func (c *Cache) readMemory(b backend) memory {
	none := memory{Location: c.where, Layout: b.layout().String(), Entries: map[spack.Hash]remembered{}}
	name := c.memoryFile(b)
	if name == "" {
		return none
	}
	text, err := readFile(name, maxMemory)
	m := none
	if err != nil || json.Unmarshal(text, &m) != nil || m.Location != none.Location || m.Layout != none.Layout || m.Entries == nil {
		return none // damaged, or of another cache
	}
	return m
}

// remember keeps what was read. That it cannot is no failure.
func (c *Cache) remember(b backend, found map[spack.Hash]Entry) {
	name := c.memoryFile(b)
	if name == "" || len(found) == 0 {
		return
	}
	m := c.readMemory(b)
	before := maps.Clone(m.Entries)
	if len(m.Entries)+len(found) > maxRemembered {
		m.Entries = map[spack.Hash]remembered{}
	}
	for h, e := range found {
		if e.Problem == nil && e.Resolved() {
			m.Entries[h] = remembered{
				Name: e.Name, Version: e.Version, Archive: e.Archive, Spec: e.SpecBlob, Signed: e.Signed, Signer: e.Signer,
				Prefix: e.Prefix, DiffID: e.DiffID, TarSize: e.TarSize, Confirmed: c.policy(),
			}
		}
	}
	text, err := json.Marshal(m)
	if err != nil || maps.Equal(before, m.Entries) || os.MkdirAll(filepath.Dir(name), 0o777) != nil {
		return
	}
	temp := name + "." + rand.Text() + ".tmp"
	if os.WriteFile(temp, text, 0o666) != nil || os.Rename(temp, name) != nil {
		_ = os.Remove(temp)
	}
}
