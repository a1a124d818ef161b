// Package depfile makes of a lock what `spack env depfile` makes of it: the
// graph of installations, which package waits for which, as a Makefile or as
// JSON.
//
// The graph is that of Spack's environment/depfile.py, of 0.23 and 1.x alike.
// Nothing is left out for being installed or cached, and packages that the
// system provides are ordinary nodes: that is what Spack does.
package depfile

import (
	"fmt"
	"strings"

	"esd/internal/spack"
)

// Mode says whether packages may, must or must not come from a build cache.
type Mode string

// The modes, as Spack spells them.
const (
	Auto  Mode = "auto"
	Only  Mode = "only"
	Never Mode = "never"
)

// follows are the dependencies that a package needs in this mode: what comes
// from a cache needs nothing that only building needs.
func (m Mode) follows() spack.DepTypes {
	if m == Only {
		return spack.LinkRun
	}
	return spack.Build | spack.LinkRun
}

// Flag is what `spack install` is told; nothing for auto.
func (m Mode) Flag() string {
	if m == Auto {
		return ""
	}
	return "--use-buildcache=" + string(m)
}

// UseBuildcache has one mode for the roots and one for all that only they need.
type UseBuildcache struct{ Package, Dependencies Mode }

// ParseUseBuildcache reads the value of --use-buildcache: "only", or
// "package:never,dependencies:only". What comes later counts, and auto where
// nothing is said (use_buildcache in Spack's cmd/common/arguments.py).
func ParseUseBuildcache(text string) (UseBuildcache, error) {
	u := UseBuildcache{Package: Auto, Dependencies: Auto}
	for part := range strings.SplitSeq(text, ",") {
		key, value, keyed := strings.Cut(part, ":")
		if !keyed {
			key, value = "", part
		}
		mode := Mode(strings.TrimSpace(value))
		if mode != Auto && mode != Only && mode != Never {
			return u, fmt.Errorf("%q in %q is none of auto, only and never; write for example only, or package:never,dependencies:only", strings.TrimSpace(value), text)
		}
		switch strings.TrimSpace(key) {
		case "package":
			u.Package = mode
		case "dependencies":
			u.Dependencies = mode
		case "":
			if keyed {
				return u, fmt.Errorf("%q has nothing before the colon; package and dependencies are possible", text)
			}
			u = UseBuildcache{Package: mode, Dependencies: mode}
		default:
			return u, fmt.Errorf("%q in %q is neither package nor dependencies", strings.TrimSpace(key), text)
		}
	}
	return u, nil
}

// String is the value in full.
func (u UseBuildcache) String() string {
	return "package:" + string(u.Package) + ",dependencies:" + string(u.Dependencies)
}

// Graph is what is to be installed, in which order and how.
type Graph struct {
	Use UseBuildcache
	// Roots are what was asked for; one package twice if it was asked for twice.
	Roots []*spack.Spec
	// Nodes are all packages, each once, what is nearer to a root first.
	Nodes []Node
}

// Node is one package with what must be installed before it.
type Node struct {
	Spec          *spack.Spec
	Prerequisites []*spack.Spec
	Mode          Mode
}

// New makes the graph. Each root and each dependency must be among the specs,
// as it is in a lock that was parsed.
func New(specs spack.Specs, roots []spack.Hash, use UseBuildcache) *Graph {
	g := &Graph{Use: use}
	seen := make(map[spack.Hash]bool, len(specs))
	var queue []*spack.Spec
	add := func(s *spack.Spec) {
		if !seen[s.Hash] {
			seen[s.Hash] = true
			queue = append(queue, s)
		}
	}
	for _, h := range roots {
		if s := specs[h]; s != nil {
			g.Roots = append(g.Roots, s)
			add(s)
		}
	}
	top := len(queue)
	for i := 0; i < len(queue); i++ {
		node := Node{Spec: queue[i], Mode: use.Dependencies}
		if i < top {
			node.Mode = use.Package
		}
		for _, e := range node.Spec.Edges(node.Mode.follows()) {
			if to := specs[e.Hash]; to != nil {
				node.Prerequisites = append(node.Prerequisites, to)
				add(to)
			}
		}
		g.Nodes = append(g.Nodes, node)
	}
	return g
}

// ID names a package in targets: name, version and hash, with an underscore for
// what is no good in a Makefile (MakefileSpec in Spack's
// environment/depfile.py).
func ID(s *spack.Spec) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, s.ID())
}
