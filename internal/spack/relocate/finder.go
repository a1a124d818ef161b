package relocate

import (
	"bytes"
	"slices"
)

// finder looks for any of many prefixes at once. They nearly always have a long
// beginning in common, the root of a store, and nearly all bytes of nearly all
// files do not have that: so it looks for the beginning, as fast as the library
// can, and only where it is for which prefix it is.
type finder struct {
	anchors [][]byte // each prefix begins with one of them
	tree    node
	longest int
}

const (
	// maxAnchor is short enough for the library's vector search.
	maxAnchor = 48
	// minAnchor is the length from which one beginning for all is worth more
	// than several that are longer.
	minAnchor = 5
	// manyAnchors would make several searches slower than one for "/".
	manyAnchors = 8
)

func newFinder(prefixes []string) finder {
	f := finder{tree: node{order: none}}
	for i, p := range prefixes {
		f.tree.insert([]byte(p), i)
		f.longest = max(f.longest, len(p))
	}
	if len(prefixes) == 0 {
		return f
	}
	common, fork := f.tree.common()
	f.anchors = [][]byte{common}
	if len(common) < minAnchor && fork.order == none && len(fork.children) <= manyAnchors {
		f.anchors = nil
		for _, child := range fork.children {
			more, _ := child.common()
			f.anchors = append(f.anchors, slices.Concat(common, more))
		}
	}
	for i, a := range f.anchors {
		f.anchors[i] = a[:min(len(a), maxAnchor)]
	}
	return f
}

// matchAt tells which prefix b begins with: the first in order, or -1.
func (f *finder) matchAt(b []byte) int {
	best := none
	for n := &f.tree; n != nil; {
		if n.order != none && (best == none || n.order < best) {
			best = n.order
		}
		if n = n.child(b); n != nil {
			b = b[len(n.label):]
		}
	}
	return best
}

// search finds prefixes in one piece of data from the front to the back.
type search struct {
	f    *finder
	data []byte
	hits []int // where each anchor is next; len(data) when nowhere
}

func (f *finder) in(data []byte) search {
	s := search{f: f, data: data, hits: make([]int, len(f.anchors))}
	for i := range s.hits {
		s.hits[i] = -1
	}
	return s
}

// next finds the first prefix at or after from; at is -1 when there is none.
func (s *search) next(from int) (at, which int) {
	for from < len(s.data) {
		at = len(s.data)
		for i, anchor := range s.f.anchors {
			if s.hits[i] < from {
				s.hits[i] = len(s.data)
				if j := bytes.Index(s.data[from:], anchor); j >= 0 {
					s.hits[i] = from + j
				}
			}
			at = min(at, s.hits[i])
		}
		if at == len(s.data) {
			break
		}
		if which = s.f.matchAt(s.data[at:]); which != none {
			return at, which
		}
		from = at + 1
	}
	return -1, none
}

// node is part of a radix tree of prefixes.
type node struct {
	label    []byte // what leads here from the parent
	order    int    // of the prefix that ends here; none
	children []*node
}

const none = -1

// child gives the child that b goes on with, and only if all of its label is there.
func (n *node) child(b []byte) *node {
	if len(b) == 0 {
		return nil
	}
	for _, c := range n.children {
		if c.label[0] == b[0] {
			if bytes.HasPrefix(b, c.label) {
				return c
			}
			return nil
		}
	}
	return nil
}

// insert adds a prefix that is not there yet.
func (n *node) insert(b []byte, order int) {
	if len(b) == 0 {
		n.order = order
		return
	}
	for i, c := range n.children {
		if c.label[0] != b[0] {
			continue
		}
		same := 0
		for same < len(b) && same < len(c.label) && b[same] == c.label[same] {
			same++
		}
		if same < len(c.label) {
			upper := &node{label: c.label[:same], order: none, children: []*node{c}}
			c.label = c.label[same:]
			n.children[i] = upper
			c = upper
		}
		c.insert(b[same:], order)
		return
	}
	n.children = append(n.children, &node{label: b, order: order})
}

// common gives what all prefixes below n begin with, its own label included,
// and the node where they part.
func (n *node) common() ([]byte, *node) {
	label := slices.Clone(n.label)
	for n.order == none && len(n.children) == 1 {
		n = n.children[0]
		label = append(label, n.label...)
	}
	return label, n
}
