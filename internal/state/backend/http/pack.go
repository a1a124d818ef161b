package httpstate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"esd/internal/state"
	"esd/internal/state/backend/wire"
)

// plainSize is the size in bytes up to which a document is sent as it is.
//
// The protocol has no compression of requests, and servers bound what they
// take. So a larger document goes packed: JSON again, with the members by which
// servers know a version of a state, and with the state compressed inside.
const plainSize = 4 << 20

// packVersion is the version of the format of a packed document.
const packVersion = 1

// packed is a packed document. Its header stands first.
type packed struct {
	Version int    `json:"packed_version"`
	Lineage string `json:"lineage"`
	Serial  int64  `json:"serial"`
	// Size and SHA256 are those of the document inside.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	// Content is the document as package wire packs it; base64 in JSON.
	Content []byte `json:"content"`
}

// pack makes what is sent of a document.
func pack(data []byte, h state.Header) ([]byte, error) {
	if len(data) <= plainSize {
		return data, nil
	}
	frame, err := wire.Pack(data)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return json.Marshal(packed{
		Version: packVersion, Lineage: h.Lineage, Serial: h.Serial,
		Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:]), Content: frame,
	})
}

// isPacked tells whether a document is a packed one, by its first member.
func isPacked(body []byte) bool {
	start := bytes.TrimLeft(body[:min(len(body), 256)], " \t\r\n")
	if len(start) == 0 || start[0] != '{' {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(start[1:], " \t\r\n"), []byte(`"packed_version"`))
}

// unpack returns the document that was sent. What is not packed is returned as
// it is, for state.Decode to judge.
func unpack(body []byte, source string) ([]byte, error) {
	if !isPacked(body) {
		return body, nil
	}
	broken := func(kind error, detail string) error {
		return &state.FormatError{Source: source, Err: kind, Detail: detail, Fix: "put an earlier version in its place; the server may have kept some"}
	}
	var p packed
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, broken(state.ErrTruncated, fmt.Sprintf("the packed document cannot be read: %v", err))
	}
	if p.Version > packVersion {
		return nil, &state.NewerFormatError{Source: source, Format: p.Version}
	}
	data, err := wire.Unpack(p.Content, source)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); int64(len(data)) != p.Size || hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, broken(state.ErrInvalid, "the packed document is not the one that its digest describes")
	}
	return data, nil
}
