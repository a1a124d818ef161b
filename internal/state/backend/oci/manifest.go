package oci

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	registry "esd/internal/oci"
	"esd/internal/state"
	"esd/internal/state/backend"
)

// Types of what is pushed.
const (
	typeState    = "application/vnd.esd.state.v1"
	typeMark     = "application/vnd.esd.state.mark.v1"
	typeDocument = "application/vnd.esd.state.v1+json+zstd"
)

// Annotations of what is pushed. They are no part of a name, so that they may say
// more than a tag has room for.
const (
	annotationTag         = "dev.esd.state.tag"
	annotationLock        = "dev.esd.state.lock"
	annotationLineage     = "dev.esd.state.lineage"
	annotationSerial      = "dev.esd.state.serial"
	annotationGeneration  = "dev.esd.state.generation"
	annotationFence       = "dev.esd.state.fence"
	annotationPredecessor = "dev.esd.state.predecessor"
	annotationWriter      = "dev.esd.state.writer"
	annotationOnce        = "dev.esd.state.once"
)

// object is a manifest with what it refers to, ready to be pushed to a tag.
type object struct {
	tag      string
	desc     ocispec.Descriptor
	manifest []byte
	blobs    []blob
}

type blob struct {
	desc    ocispec.Descriptor
	content []byte
}

// newObject makes a manifest without configuration. Its layers may be none: then
// the empty one stands for them, as the image specification advises.
func newObject(artifactType string, annotations map[string]string, layers ...blob) (object, error) {
	empty := blob{desc: ocispec.DescriptorEmptyJSON, content: ocispec.DescriptorEmptyJSON.Data}
	empty.desc.Data = nil
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		ArtifactType: artifactType, Config: empty.desc, Annotations: annotations,
	}
	o := object{blobs: append([]blob{empty}, layers...)}
	if len(layers) == 0 {
		layers = []blob{empty}
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, l.desc)
	}
	var err error
	o.manifest, err = json.Marshal(m)
	o.desc = registry.Describe(ocispec.MediaTypeImageManifest, o.manifest)
	o.desc.ArtifactType = artifactType
	return o, err
}

// newMark makes the object of a mark. It says who made it, and is like no other:
// what is removed by its digest goes alone.
func newMark(tag string, info backend.LockInfo) (object, error) {
	text, err := json.Marshal(info)
	if err != nil {
		return object{}, err
	}
	o, err := newObject(typeMark, map[string]string{annotationTag: tag, annotationLock: string(text)})
	o.tag = tag
	return o, err
}

// maxLockInfo bounds what is read about a holder.
const maxLockInfo = 64 << 10

// infoOf reads what a mark says of who made it.
func infoOf(manifest []byte) (backend.LockInfo, error) {
	var info backend.LockInfo
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return info, err
	}
	text := m.Annotations[annotationLock]
	if len(text) > maxLockInfo {
		return info, fmt.Errorf("what it says of its holder has %d bytes", len(text))
	}
	err := json.Unmarshal([]byte(text), &info)
	return info, err
}

// recorded is what the manifest of a version says.
type recorded struct {
	desc     ocispec.Descriptor // of the manifest
	document ocispec.Descriptor
	header   state.Header // without its format version
	writer   string

	generation int64
}

// newVersion makes the object of the version that follows another one, under a
// fence. It is like no other, even if the same is written twice.
func newVersion(name string, fence int64, previous *recorded, next state.Header, packed []byte, info backend.LockInfo) (object, version, error) {
	v := version{generation: 1, fence: fence, serial: next.Serial, previous: none}
	if previous != nil {
		v.generation = previous.generation + 1
		v.previous = previous.desc.Digest.Encoded()[:shortDigest]
	}
	annotations := map[string]string{
		annotationLineage:    next.Lineage,
		annotationSerial:     strconv.FormatInt(next.Serial, 10),
		annotationGeneration: strconv.FormatInt(v.generation, 10),
		annotationFence:      strconv.FormatInt(v.fence, 10),
		annotationWriter:     fmt.Sprintf("%s for %q, lock ID %s", info.Who, info.Operation, info.ID),
		annotationOnce:       newToken(),
	}
	if previous != nil {
		annotations[annotationPredecessor] = previous.desc.Digest.String()
	}
	o, err := newObject(typeState, annotations, blob{registry.Describe(typeDocument, packed), packed})
	v.digest = o.desc.Digest.Encoded()[:shortDigest]
	v.tag = v.name(name)
	o.tag = v.tag
	return o, v, err
}

// readVersion reads the manifest of a version and compares it with its tag.
func readVersion(v version, desc ocispec.Descriptor, manifest []byte) (*recorded, error) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("its manifest is no JSON: %w", err)
	}
	r := &recorded{desc: desc, writer: m.Annotations[annotationWriter], generation: v.generation}
	r.header.Lineage = m.Annotations[annotationLineage]
	r.header.Serial = v.serial
	predecessor := none
	if text, ok := m.Annotations[annotationPredecessor]; ok && len(text) > len("sha256:")+shortDigest {
		predecessor = text[len("sha256:"):][:shortDigest]
	}
	want := map[string]string{
		annotationSerial:     strconv.FormatInt(v.serial, 10),
		annotationGeneration: strconv.FormatInt(v.generation, 10),
		annotationFence:      strconv.FormatInt(v.fence, 10),
	}
	switch {
	case desc.Digest.Algorithm() != "sha256" || desc.Digest.Encoded()[:shortDigest] != v.digest:
		return nil, fmt.Errorf("the tag %s names a manifest with digest %s, so somebody has moved it", v.tag, desc.Digest)
	case m.ArtifactType != typeState || len(m.Layers) != 1:
		return nil, fmt.Errorf("the tag %s names no state (type %q, %d layers)", v.tag, m.ArtifactType, len(m.Layers))
	case predecessor != v.previous:
		return nil, fmt.Errorf("the tag %s names another predecessor than its manifest", v.tag)
	}
	for key, value := range want {
		if m.Annotations[key] != value {
			return nil, fmt.Errorf("the tag %s does not agree with %s %q of its manifest", v.tag, key, m.Annotations[key])
		}
	}
	r.document = m.Layers[0]
	r.document.URLs, r.document.Data = nil, nil
	return r, nil
}
