package register

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/wire"
)

// formatVersion is that of the head. A field may be added without a new one
// only if it does no harm that an older esd drops it at its next swap.
const formatVersion = 1

// maxHead bounds the head, in bytes: what its place returns is not ours.
const maxHead = 1 << 20

// head is the one document that is swapped.
type head struct {
	FormatVersion int `json:"format_version"`
	// Revision grows with every swap, so that no two heads are alike.
	Revision int64 `json:"revision"`
	// Fence grows with every lock that is taken; it is the number of the lock
	// that is held, or of the last one.
	Fence int64 `json:"fence"`
	// Lock is who holds the lock, nil for nobody.
	Lock *lock `json:"lock,omitempty"`
	// State is the present version of the state, nil before the first.
	State *version `json:"state,omitempty"`
	// Previous are the versions before that are kept, the latest first.
	Previous []version `json:"previous,omitempty"`

	// backward says, of a head that was read, why its state cannot be the one
	// that follows what the client had seen.
	backward error
}

// lock is a lock that is held.
type lock struct {
	Holder backend.LockInfo `json:"holder"`
	// Renewals is the number of heartbeats.
	Renewals int64 `json:"renewals"`
	// Renewed is the time of the last one, by the clock of the holder: for people.
	Renewed time.Time `json:"renewed"`
}

// version is one version of the state.
type version struct {
	// Name is that of the document that holds it, packed.
	Name    string `json:"name"`
	Lineage string `json:"lineage"`
	Serial  int64  `json:"serial"`
	// Fence is that of the lock under which it was written.
	Fence int64 `json:"fence"`
	// Size in bytes and SHA256 in hexadecimal are of the document as it was
	// before it was packed.
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

func newVersion(h state.Header, fence, size int64, sha256 string) version {
	return version{
		Name:    fmt.Sprintf("%010d-%06d-%.16s.json%s", h.Serial, fence, sha256, wire.Extension),
		Lineage: h.Lineage, Serial: h.Serial, Fence: fence, Size: size, SHA256: sha256,
	}
}

// fenceOf reads the fencing number from the name of a document, false for a
// name that newVersion does not make.
func fenceOf(name string) (int64, bool) {
	var serial, fence int64
	var digest string
	n, err := fmt.Sscanf(name, "%d-%d-%16s", &serial, &fence, &digest)
	return fence, err == nil && n == 3 && newVersion(state.Header{Serial: serial}, fence, 0, digest).Name == name
}

// header is what decides whether another state may follow this version.
func (v *version) header() *state.Header {
	if v == nil {
		return nil
	}
	return &state.Header{FormatVersion: state.FormatVersion, Lineage: v.Lineage, Serial: v.Serial}
}

// names reports whether the head points at a document, now or as one before.
func (h *head) names(name string) bool {
	return h.State != nil && h.State.Name == name ||
		slices.ContainsFunc(h.Previous, func(v version) bool { return v.Name == name })
}

// heldBy reports whether the lock is the one with an ID.
func (h *head) heldBy(id string) bool { return h.Lock != nil && h.Lock.Holder.ID == id }

// renewed is a copy of the lock after another heartbeat.
func (l *lock) renewed(now time.Time) *lock {
	return &lock{Holder: l.Holder, Renewals: l.Renewals + 1, Renewed: now.UTC()}
}

func (h *head) encode() ([]byte, error) {
	data, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the head of the state: %w", err)
	}
	return append(data, '\n'), nil
}

// decodeHead reads a head as hostile bytes. It says what is wrong with one in
// words that follow "the state at LOCATION cannot be trusted: ".
func decodeHead(data []byte) (*head, string) {
	text := bytes.TrimSpace(data)
	switch {
	case len(data) > maxHead:
		return nil, fmt.Sprintf("there are more than %d bytes where its head should be", maxHead)
	case len(text) == 0:
		return nil, "its head is empty"
	case text[0] == '<':
		return nil, "there is HTML or XML where its head should be, perhaps a page to log in"
	}
	var h head
	if err := json.Unmarshal(data, &h); err != nil {
		return nil, "there is something else than the head of a state: " + err.Error()
	}
	return &h, h.check(text)
}

func (h *head) check(text []byte) string {
	switch {
	case h.FormatVersion == 0:
		return "there is something else than the head of a state" + foreign(text)
	case h.FormatVersion > formatVersion:
		return fmt.Sprintf("its head has format %d, and this esd reads formats up to %d: use the newer esd that wrote it", h.FormatVersion, formatVersion)
	case h.FormatVersion < 0 || h.Revision < 1 || h.Fence < 0:
		return "its head has numbers that cannot be"
	case h.Lock != nil && (h.Lock.Holder.ID == "" || h.Lock.Renewals < 0):
		return "its head has a lock without an ID"
	}
	versions := h.Previous
	if h.State != nil {
		versions = append(slices.Clone(versions), *h.State)
	}
	for _, v := range versions {
		if !isName(v.Name) || v.Serial < 0 || v.Size < 0 || v.Size > state.MaxSize || len(v.SHA256) != 64 {
			return fmt.Sprintf("its head names a version (%.100q) that cannot be", v.Name)
		}
	}
	return ""
}

// foreign says what a document without the version of a head probably is.
func foreign(text []byte) string {
	switch {
	case bytes.Contains(text, []byte(`"terraform_version"`)):
		return " (it is a state of Terraform or OpenTofu)"
	case text[0] != '{':
		return " (no JSON object)"
	}
	return ""
}

// isName reports whether a name can be one that was given to Put: nothing that
// leads elsewhere.
func isName(name string) bool {
	return name != "" && len(name) < 200 && name[0] != '.' && name[0] != '-' && strings.Trim(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}
