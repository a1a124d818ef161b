package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"esd/internal/archive"
)

// FormatVersion is the format of records that this program writes. Fields may be added
// within a version; readers ignore those they do not know.
const FormatVersion = 1

// Record says what a step produced.
type Record struct {
	FormatVersion int        `json:"format_version"`
	Key           string     `json:"key"`  // content key of the step, 64 hexadecimal digits
	Kind          string     `json:"kind"` // of the block it belongs to, such as "recipe"
	Name          string     `json:"name"` // for people
	Version       string     `json:"version,omitempty"`
	Archive       Descriptor `json:"archive"`
	Files         int        `json:"files"`                 // in the archive, directories not counted
	Prefix        string     `json:"prefix"`                // absolute path the product is built for
	Platform      string     `json:"platform,omitempty"`    // such as "linux/amd64"
	Inputs        []Input    `json:"inputs,omitempty"`      // what the key was made of, for explanations
	Seconds       float64    `json:"seconds,omitempty"`     // how long it took to build
	PeakMemory    int64      `json:"peak_memory,omitempty"` // bytes
	Builder       string     `json:"builder,omitempty"`     // program and version that built it
}

// Descriptor identifies the archive of a product.
type Descriptor struct {
	Digest       digest.Digest `json:"digest"` // of the stored bytes
	Size         int64         `json:"size"`
	MediaType    string        `json:"media_type"`
	DiffID       digest.Digest `json:"diff_id"`      // of the tar inside
	Uncompressed int64         `json:"uncompressed"` // bytes of the tar inside
}

// Input is one thing a key was made of.
type Input struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// DescriptorOf gives the descriptor of an archive that was written.
func DescriptorOf(s archive.Summary) Descriptor {
	return Descriptor{Digest: s.Digest, Size: s.Size, MediaType: s.MediaType, DiffID: s.DiffID, Uncompressed: s.Uncompressed}
}

const (
	maxRecord  = 1 << 20        // bytes of a record; a thousand inputs need a tenth
	maxArchive = int64(1) << 42 // bytes of an archive, and of the tar in it
	maxText    = 1024           // bytes of a name
)

// isKind reports whether s can be a kind: at most 64 characters, a letter first.
func isKind(s string) bool {
	return s != "" && len(s) <= 64 && s[0] >= 'a' && s[0] <= 'z' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// ParseRecord reads a record as JSON and checks every field that anything relies on.
// What is larger than 1 MiB is refused. A newer format gives a [*VersionError].
func ParseRecord(data []byte) (Record, error) {
	if len(data) > maxRecord {
		return Record{}, fmt.Errorf("record has more than %d bytes", maxRecord)
	}
	var r Record
	err := json.Unmarshal(data, &r)
	if err != nil {
		// A newer format may have other types in the fields known here.
		var head struct {
			FormatVersion int `json:"format_version"`
		}
		_ = json.Unmarshal(data, &head)
		r.FormatVersion = head.FormatVersion
	}
	switch {
	case r.FormatVersion > FormatVersion:
		return Record{}, &VersionError{Found: r.FormatVersion, Known: FormatVersion}
	case err != nil:
		return Record{}, fmt.Errorf("record is not valid: %w", err)
	}
	return r, r.Validate()
}

// encode writes r as ParseRecord reads it, the same bytes every time.
func (r Record) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return nil, err
	}
	if b.Len() > maxRecord {
		return nil, fmt.Errorf("record of %s has more than %d bytes", abbreviate(r.Key), maxRecord)
	}
	return b.Bytes(), nil
}

// Validate tells what about a record cannot be right.
func (r Record) Validate() error {
	bad := func(field string, value any) error {
		text := fmt.Sprint(value)
		return fmt.Errorf("record: %s %q is not valid", field, text[:min(len(text), 128)])
	}
	switch {
	case r.FormatVersion != FormatVersion:
		return bad("format_version", r.FormatVersion)
	case !isHex64(r.Key):
		return bad("key", r.Key)
	case !isKind(r.Kind):
		return bad("kind", r.Kind)
	case r.Name == "" || !isText(r.Name):
		return bad("name", r.Name)
	case !isText(r.Version):
		return bad("version", r.Version)
	case !isText(r.Platform):
		return bad("platform", r.Platform)
	case !isText(r.Builder):
		return bad("builder", r.Builder)
	case !isPrefix(r.Prefix):
		return bad("prefix", r.Prefix)
	case r.Files < 0:
		return bad("files", r.Files)
	case r.Seconds < 0 || math.IsNaN(r.Seconds) || math.IsInf(r.Seconds, 0):
		return bad("seconds", r.Seconds)
	case r.PeakMemory < 0:
		return bad("peak_memory", r.PeakMemory)
	}
	for _, in := range r.Inputs {
		if !isText(in.Name) || !isText(in.Digest) {
			return bad("input", in.Name)
		}
	}
	return r.Archive.validate()
}

func (d Descriptor) validate() error {
	bad := func(field string, value any) error {
		text := fmt.Sprint(value)
		return fmt.Errorf("record: archive: %s %q is not valid", field, text[:min(len(text), 128)])
	}
	switch {
	case !isSHA256(d.Digest):
		return bad("digest", d.Digest)
	case !isSHA256(d.DiffID):
		return bad("diff_id", d.DiffID)
	case d.Size <= 0 || d.Size > maxArchive:
		return bad("size", d.Size)
	case d.Uncompressed <= 0 || d.Uncompressed > maxArchive:
		return bad("uncompressed", d.Uncompressed)
	}
	switch d.MediaType {
	case archive.MediaTypeZstd, archive.MediaTypeGzip, archive.MediaTypeNone:
		return nil
	}
	return bad("media_type", d.MediaType)
}

func isSHA256(d digest.Digest) bool {
	hex, ok := strings.CutPrefix(string(d), "sha256:")
	return ok && isHex64(hex)
}

// isHex64 tells whether s is a SHA-256 sum as this program writes it.
func isHex64(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isText tells whether s can be shown to people as it is.
func isText(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isPrefix accepts clean absolute paths other than the root.
func isPrefix(p string) bool {
	return p == "" || isText(p) && len(p) > 1 && path.IsAbs(p) && path.Clean(p) == p
}

// readRecord reads a record from a cache and checks that it is the one asked for.
func readRecord(r io.Reader, location, key string) (Record, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxRecord+1))
	if err != nil {
		return Record{}, fmt.Errorf("cache %s: reading the record of %s: %w", location, abbreviate(key), err)
	}
	return decodeRecord(data, location, key)
}

// decodeRecord is readRecord for bytes in memory.
func decodeRecord(data []byte, location, key string) (Record, error) {
	rec, err := ParseRecord(data)
	var v *VersionError
	if errors.As(err, &v) {
		v.Location = location
		return Record{}, v
	}
	if err == nil && rec.Key != key {
		err = fmt.Errorf("it is the record of another key, %s", abbreviate(rec.Key))
	}
	if err != nil {
		return Record{}, &CorruptError{Location: location, Key: key, Reason: "its record cannot be used", Err: err}
	}
	return rec, nil
}
