package command

import (
	"encoding/json"
	"errors"
	"fmt"

	"esd/internal/spack"
)

// ErrLock: the text given is not a spack.lock, or does not have what is wanted of it.
var ErrLock = errors.New("not a usable spack.lock")

// lockDocument holds what of a spack.lock is needed to take a part of it.
type lockDocument struct {
	Meta  json.RawMessage            `json:"_meta"`
	Spack json.RawMessage            `json:"spack,omitempty"`
	Roots []lockRoot                 `json:"roots"`
	Specs map[string]json.RawMessage `json:"concrete_specs"`
	// Included are the locks of other environments that this one includes.
	Included map[string]lockDocument `json:"include_concrete,omitempty"`
}

type lockRoot struct {
	Hash string `json:"hash"`
	Spec string `json:"spec"`
}

// node is what of a concrete spec leads to others.
type lockNode struct {
	Name         string    `json:"name"`
	Version      string    `json:"version"`
	External     any       `json:"external"`
	Dependencies []lockRef `json:"dependencies"`
	BuildSpec    *lockRef  `json:"build_spec"`
}

type lockRef struct {
	Name string `json:"name"`
	Hash string `json:"hash"`
}

func readLock(data []byte) (*lockDocument, error) {
	var l lockDocument
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLock, err)
	}
	if len(l.Meta) == 0 {
		return nil, fmt.Errorf("%w: it has no _meta", ErrLock)
	}
	return &l, nil
}

func (l *lockDocument) find(hash string) (json.RawMessage, bool) {
	if raw, ok := l.Specs[hash]; ok {
		return raw, true
	}
	for _, other := range l.Included {
		if raw, ok := other.find(hash); ok {
			return raw, true
		}
	}
	return nil, false
}

// part is a lock with the given packages as its roots and only what they reach:
// a build depends on nothing else then, and Spack, which reads all of a lock at
// each start, need not make objects of what it will not use.
func (l *lockDocument) part(roots ...spack.Hash) (text []byte, nodes map[string]lockNode, err error) {
	small := lockDocument{Meta: l.Meta, Spack: l.Spack, Roots: []lockRoot{}, Specs: map[string]json.RawMessage{}}
	nodes = map[string]lockNode{}
	var queue []lockRef
	for _, h := range roots {
		if !h.Valid() {
			return nil, nil, &HashError{h}
		}
		queue = append(queue, lockRef{Hash: string(h)})
	}
	for len(queue) > 0 {
		ref := queue[0]
		queue = queue[1:]
		if _, seen := nodes[ref.Hash]; seen {
			continue
		}
		raw, ok := l.find(ref.Hash)
		if !ok {
			return nil, nil, fmt.Errorf("%w: it has no package %s/%s", ErrLock, ref.Name, ref.Hash)
		}
		var n lockNode
		if err := json.Unmarshal(raw, &n); err != nil {
			return nil, nil, fmt.Errorf("%w: package %s/%s: %w", ErrLock, ref.Name, ref.Hash, err)
		}
		nodes[ref.Hash], small.Specs[ref.Hash] = n, raw
		queue = append(queue, n.Dependencies...)
		if n.BuildSpec != nil {
			queue = append(queue, *n.BuildSpec)
		}
	}
	for _, h := range roots {
		n := nodes[string(h)]
		small.Roots = append(small.Roots, lockRoot{string(h), n.Name + "@=" + n.Version})
	}
	text, err = marshal(small)
	return text, nodes, err
}
