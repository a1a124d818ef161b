package image

import (
	"cmp"
	"hash/fnv"
	"io"
	"math/bits"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/providers"
)

const (
	// maxLayers is how many layers container engines accept in an image.
	maxLayers = 127
	// maxPackageLayers is over how many layers packages are spread, unless the
	// base leaves room for fewer.
	maxPackageLayers = 100
	// leastPackageLayers is when a base leaves too little room for that to be
	// worth anything.
	leastPackageLayers = 10
	// layoutVersion is raised whenever the same packages begin to be spread over
	// layers in another way.
	layoutVersion = "2"
	// layerKind is the kind under which caches hold layers that are not the
	// archive of a recipe as it is, and layerKeyVersion is raised whenever the
	// same inputs begin to give other ones.
	layerKind       = "layer"
	layerKeyVersion = 1
	// recipeCompression is that of the archives of recipes.
	recipeCompression = "zstd"
)

// layer is one layer above the base, as a plan knows it.
type layer struct {
	// Key is its content key, under which caches hold it and which published
	// images carry.
	Key   string `json:"key"`
	Title string `json:"title"`
	// Packages are those in it; none in the layer of files and that with what
	// Spack knows of its install trees.
	Packages []packageRef `json:"packages,omitempty"`
	// Trees tells that it is the latter.
	Trees bool `json:"trees,omitempty"`
}

// part is one package of an image.
type part struct {
	packageRef
	address addr.Address
	// name stays the same when the package changes: the boundaries of layers
	// follow it.
	name string
	// needs are the parts that its content key covers.
	needs []int
}

// room is how many layers the packages may have upon a base. Two more are for
// files and for what Spack knows.
func room(baseLayers int) int { return min(maxPackageLayers, maxLayers-2-baseLayers) }

// arrange spreads packages over at most limit layers, lowest first.
//
// The content key of a package covers what it depends on. So of two packages
// the one that more of the others need changes less often, and when it does,
// they change with it. Those that the fewest need have layers of their own; the
// rest share.
//
// Layers must stay the same as far as their packages do. So the packages that
// share are ordered by how many others they need, which cannot change without
// their keys, and layers begin at those whose names have the smallest hashes:
// one more package moves at most one boundary. How many need a package does
// change when another one is added, and so counts by its magnitude only.
//
// What changes least lies lowest, because engines unpack anew whatever lies
// upon a layer that changed. An image of a few recipes keeps the order of their
// addresses.
func arrange(parts []part, limit int, compression string) []layer {
	limit = max(limit, 1)
	var out []layer
	if len(parts) <= limit && !slices.ContainsFunc(parts, func(p part) bool { return p.Hash != "" }) {
		for _, p := range parts {
			out = append(out, layerOf([]part{p}, compression))
		}
		return out
	}
	alone := len(parts)
	if len(parts) > limit {
		alone = limit - limit*2/5
	}
	order := rank(parts)
	shared := order[:len(order)-alone]
	slices.SortFunc(shared, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.dependencies, b.dependencies), a.compareNames(b))
	})
	for _, group := range cut(shared, limit-alone) {
		out = append(out, layerOf(group, compression))
	}
	for _, p := range order[len(shared):] {
		out = append(out, layerOf([]part{p.part}, compression))
	}
	return out
}

// ranked is a part and its place among the others.
type ranked struct {
	part
	magnitude    int // of the number of parts that need it: 0, 1, 2 to 3, 4 to 7, …
	dependencies int // how many it needs
}

func (r ranked) compareNames(o ranked) int {
	return cmp.Or(strings.Compare(r.name, o.name), strings.Compare(r.Title, o.Title), strings.Compare(r.Prefix, o.Prefix))
}

// rank orders parts so that what most others need comes first, and nothing
// before what it needs.
func rank(parts []part) []ranked {
	const word = bits.UintSize
	width := (len(parts) + word - 1) / word
	needs := make([][]uint, len(parts)) // what each needs, directly or not, a bit for each
	var visit func(i int) []uint
	visit = func(i int) []uint {
		if needs[i] != nil {
			return needs[i]
		}
		set := make([]uint, width)
		needs[i] = set // content keys have no cycles
		for _, n := range parts[i].needs {
			set[n/word] |= 1 << (n % word)
			for w, b := range visit(n) {
				set[w] |= b
			}
		}
		return set
	}
	dependents := make([]int, len(parts))
	order := make([]ranked, len(parts))
	for i := range parts {
		order[i].part = parts[i]
		for w, b := range visit(i) {
			order[i].dependencies += bits.OnesCount(b)
			for ; b != 0; b &= b - 1 {
				dependents[w*word+bits.TrailingZeros(b)]++
			}
		}
	}
	for i, n := range dependents {
		order[i].magnitude = bits.Len(uint(n))
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.magnitude, a.magnitude), cmp.Compare(a.dependencies, b.dependencies), a.compareNames(b))
	})
	return order
}

// cut divides a sequence into n groups, or into single parts if it is shorter.
func cut(parts []ranked, n int) [][]part {
	if len(parts) == 0 {
		return nil
	}
	starts := make([]int, 0, len(parts))
	hashes := make([]uint32, len(parts))
	for i, p := range parts {
		hashes[i] = boundary(p.name)
		if i > 0 {
			starts = append(starts, i)
		}
	}
	slices.SortFunc(starts, func(a, b int) int { return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(a, b)) })
	starts = starts[:min(len(starts), n-1)]
	slices.Sort(starts)
	groups := make([][]part, 1, n)
	for i, p := range parts {
		if len(starts) > 0 && starts[0] == i {
			groups, starts = append(groups, nil), starts[1:]
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], p.part)
	}
	return groups
}

func boundary(name string) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, name)
	// Names that differ in the last letter alone have hashes close to each other.
	x := h.Sum32()
	x ^= x >> 16
	x *= 0x85ebca6b // the mixer of MurmurHash3
	x ^= x >> 13
	x *= 0xc2b2ae35
	return x ^ x>>16
}

// layerOf is the layer of a group. That of one recipe is its archive as caches
// hold it, unless it has to be compressed in another way.
func layerOf(group []part, compression string) layer {
	refs := make([]packageRef, len(group))
	for i, p := range group {
		refs[i] = p.packageRef
	}
	slices.SortFunc(refs, func(a, b packageRef) int {
		return cmp.Or(strings.Compare(a.Title, b.Title), strings.Compare(a.Prefix, b.Prefix))
	})
	titles := make([]string, len(refs))
	for i, r := range refs {
		titles[i] = r.Title
	}
	l := layer{Title: strings.Join(titles, ", "), Packages: refs}
	if one := refs[0]; len(refs) == 1 && (one.Hash != "" || compression == recipeCompression) {
		l.Key = one.Key
		return l
	}
	key := providers.NewKey(layerKind, layerKeyVersion)
	key.AddValue("compression", compression)
	for _, r := range refs {
		key.AddDigest(r.Title, r.Key)
	}
	l.Key, _ = key.Sum()
	return l
}
