package buildcache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Bounds on what others wrote.
const (
	maxManifest = 1 << 20  // Spack's have 443 bytes, and a signature
	maxSpecDoc  = 64 << 20 // uncompressed; of 500 packages it has one megabyte
	maxBlobs    = 1000     // of one manifest
)

// Media types of version 3 (URLBuildcacheEntry in url_buildcache.py). The number of
// the spec's is that of the specfile format and goes up; Spack 1.x looks for exactly 5,
// whatever version the spec in it says. So does that of the database.
const (
	mediaArchive    = "application/vnd.spack.install.v2.tar+gzip"
	mediaSpec       = "application/vnd.spack.spec.v5+json"
	mediaIndex      = "application/vnd.spack.db.v8+json"
	mediaKey        = "application/pgp-keys"
	mediaKeyIndex   = "application/vnd.spack.keyindex.v1+json"
	mediaSpecFamily = "application/vnd.spack.spec.v"
	mediaIndexOf    = "application/vnd.spack.db.v"
	mediaTarFamily  = "application/vnd.spack.install.v"
)

// manifest is a manifest of version 3 (schema/url_buildcache_manifest.py).
type manifest struct {
	Version     int               `json:"version"`
	Data        []blobRecord      `json:"data"`
	Annotations map[string]string `json:"annotations,omitempty"` // ours
}

type blobRecord struct {
	ContentLength     int64  `json:"contentLength"`
	MediaType         string `json:"mediaType"`
	Compression       string `json:"compression"`
	ChecksumAlgorithm string `json:"checksumAlgorithm"`
	Checksum          string `json:"checksum"`
}

func newRecord(b Blob, compression string) blobRecord {
	return blobRecord{b.Size, b.MediaType, compression, "sha256", b.SHA256}
}

// parseManifest reads a manifest that was taken out of its signature.
func parseManifest(where string, text []byte) (manifest, error) {
	var m manifest
	if len(text) > maxManifest {
		return m, invalid(where, nil, "the manifest is larger than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, invalid(where, text, "not a manifest: %v", err)
	}
	if m.Version != 3 {
		return m, invalid(where, nil, "manifest of version %d, 3 is understood", m.Version)
	}
	if len(m.Data) > maxBlobs {
		return m, invalid(where, nil, "%d blobs, at most %d are accepted", len(m.Data), maxBlobs)
	}
	return m, nil
}

// blob gives the first blob whose media type belongs to a family, as Spack does.
func (m manifest) blob(where, family string) (Blob, error) {
	for _, r := range m.Data {
		if !strings.HasPrefix(r.MediaType, family) {
			continue
		}
		switch {
		case r.ChecksumAlgorithm != "sha256":
			return Blob{}, invalid(where, nil, "checksum algorithm %q, only sha256 is used by Spack", abbreviate(r.ChecksumAlgorithm))
		case !isSHA256(r.Checksum):
			return Blob{}, invalid(where, nil, "%q is no sha256 digest", abbreviate(r.Checksum))
		case r.ContentLength < 0:
			return Blob{}, invalid(where, nil, "a blob of %d bytes", r.ContentLength)
		}
		return Blob{SHA256: r.Checksum, Size: r.ContentLength, MediaType: r.MediaType}, nil
	}
	return Blob{}, invalid(where, nil, "the manifest names no blob of type %s…", family)
}

// encode writes a manifest as Spack does: a line for every element, because gpg cuts
// clear signed lines after 19,995 characters.
func (m manifest) encode() []byte { return onLines(m) }

// onLines is Python's json.dump(…, indent=0, separators=(",", ":")).
func onLines(v any) []byte {
	text, err := marshal(v)
	if err != nil {
		panic(fmt.Sprintf("buildcache: %T cannot be written as JSON: %v", v, err)) // our own plain structures
	}
	var out bytes.Buffer
	reflow(&out, text)
	return out.Bytes()
}

// reflow breaks compact JSON into lines; empty lists and objects stay on theirs.
func reflow(out *bytes.Buffer, compact []byte) {
	inString := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		switch {
		case inString:
			out.WriteByte(c)
			if c == '\\' {
				i++
				out.WriteByte(compact[i])
			}
			inString = c != '"'
			continue
		case c == '"':
			inString = true
		case (c == '{' || c == '[') && compact[i+1] == c+2: // } and ] follow by two in ASCII
			out.WriteByte(c)
			i++
			out.WriteByte(compact[i])
			continue
		case c == '}' || c == ']':
			out.WriteByte('\n')
		}
		out.WriteByte(c)
		if !inString && (c == '{' || c == '[' || c == ',') {
			out.WriteByte('\n')
		}
	}
}
