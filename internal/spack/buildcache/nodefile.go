package buildcache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"esd/internal/spack"
)

// nodeFile keeps the texts of specs in a temporary file, and what is needed to walk
// the graph in memory: specs of 100,000 packages have 150 MB and more.
type nodeFile struct {
	mu      sync.Mutex
	file    *os.File
	w       *bufio.Writer
	end     int64
	nodes   map[spack.Hash]node
	decoder spack.Decoder
}

type node struct {
	at      int64
	length  int32
	version int8         // of the specfile
	deps    []spack.Hash // of all types, and the build spec
	edges   int          // how many of them are dependencies
}

func newNodeFile(dir string) (*nodeFile, error) {
	f, err := os.Create(dir + "/nodes")
	if err != nil {
		return nil, fmt.Errorf("writing an index: %w", err)
	}
	return &nodeFile{file: f, w: bufio.NewWriterSize(f, 1<<20), nodes: map[spack.Hash]node{}}, nil
}

func (n *nodeFile) close() { n.file.Close() }

func (n *nodeFile) reset() error {
	n.nodes = map[spack.Hash]node{}
	return nil
}

func (n *nodeFile) has(h spack.Hash) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.nodes[h]
	return ok
}

// add keeps a spec, unless it is known. What is no spec is refused.
func (n *nodeFile) add(raw []byte, version int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	s, err := n.decoder.Decode(raw, version)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, known := n.nodes[s.Hash]; known {
		return nil
	}
	entry := node{at: n.end, length: int32(len(s.Raw)), version: int8(version), edges: len(s.Dependencies)}
	for _, e := range s.Dependencies {
		entry.deps = append(entry.deps, e.Hash)
	}
	if s.BuildSpec != nil {
		entry.deps = append(entry.deps, s.BuildSpec.Hash)
	}
	if _, err := n.w.Write(s.Raw); err != nil {
		return fmt.Errorf("writing an index: %w", err)
	}
	n.end += int64(len(s.Raw))
	n.nodes[s.Hash] = entry
	return nil
}

// closure lists roots and all that they reach, sorted.
func (n *nodeFile) closure(roots []spack.Hash) []spack.Hash {
	seen := make(map[spack.Hash]bool, len(roots))
	queue := slices.Clone(roots)
	var all []spack.Hash
	for len(queue) > 0 {
		h := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		entry, ok := n.nodes[h]
		if seen[h] || !ok {
			continue
		}
		seen[h] = true
		all = append(all, h)
		queue = append(queue, entry.deps...)
	}
	slices.Sort(all)
	return all
}

// references counts how many dependencies name each spec, as Spack's database does.
func (n *nodeFile) references(wanted []spack.Hash) map[spack.Hash]int {
	refs := make(map[spack.Hash]int, len(wanted))
	for _, h := range wanted {
		entry := n.nodes[h]
		for _, d := range entry.deps[:entry.edges] {
			refs[d]++
		}
	}
	return refs
}

// anyOf tells whether a spec is of a version of the specfile, or newer.
func (n *nodeFile) anyOf(wanted []spack.Hash, version int8) bool {
	return slices.ContainsFunc(wanted, func(h spack.Hash) bool { return n.nodes[h].version >= version })
}

// text reads a spec back, in the version that belongs to a version of the database.
func (n *nodeFile) text(h spack.Hash, database string) ([]byte, error) {
	if err := n.w.Flush(); err != nil {
		return nil, err
	}
	entry := n.nodes[h]
	raw := make([]byte, entry.length)
	if _, err := n.file.ReadAt(raw, entry.at); err != nil {
		return nil, err
	}
	if database == dbVersion && entry.version < 5 {
		return upgrade(raw, int(entry.version))
	}
	return raw, nil
}

// upgrade writes a node of specfile 4 as Spack 1.x does: the compiler becomes an
// annotation (to_node_dict in spec.py), the hash stays. Members keep their order.
func upgrade(raw []byte, version int) ([]byte, error) {
	s, err := spack.DecodeSpec(raw, version)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	annotations := map[string]any{"original_specfile_version": version}
	if s.Compiler != nil {
		annotations["compiler"] = compilerText(s.Compiler)
	}
	note, err := json.Marshal(annotations)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	dec := jsontext.NewDecoder(bytes.NewReader(s.Raw))
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	out.WriteByte('{')
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		name = bytes.Clone(name)
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		switch string(name) {
		case `"compiler"`:
			continue
		case `"hash"`:
			fmt.Fprintf(&out, `"annotations":%s,`, note)
		}
		fmt.Fprintf(&out, "%s:%s,", name, value)
	}
	text := bytes.TrimSuffix(out.Bytes(), []byte(","))
	return append(text, '}'), nil
}

// indexNodes calls visit with the text of each spec of an index. The version of the
// database, which says what the texts are, comes first in all indexes of Spack.
func indexNodes(ctx context.Context, r io.Reader, where string, visit func(raw []byte, version int) error) error {
	p := newIndexParser(ctx, r)
	specfile := 0
	err := p.object(func(name string) error {
		if name != "database" {
			return p.dec.SkipValue()
		}
		return p.object(func(name string) error {
			switch name {
			case "version":
				v, err := p.string(nil)
				specfile = map[string]int{dbVersion023: 4, dbVersion: 5}[string(v)]
				return err
			case "installs":
				if specfile == 0 {
					return fmt.Errorf("%w: database of another version", ErrInvalid)
				}
				return p.object(func(string) error { return p.specText(specfile, visit) })
			}
			return p.dec.SkipValue()
		})
	})
	if err != nil {
		return p.explain(where, err)
	}
	return nil
}

func (p *indexParser) specText(version int, visit func(raw []byte, version int) error) error {
	return p.object(func(name string) error {
		if name != "spec" {
			return p.dec.SkipValue()
		}
		raw, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		return visit(raw, version)
	})
}
