package compare_test

import (
	"fmt"
	"strings"

	"esd/internal/compare"
	"esd/internal/spack"
)

// group makes an environment from lines such as
//
//	zlib@1.2.13/zlib1 +pic %gcc@12 target=zen3 ^mpich=mpi
//
// with * before the name for what is asked for.
func group(address string, lines ...string) *compare.Group {
	g := &compare.Group{Kind: compare.Environment, Address: address, SpecsKnown: true}
	for _, line := range lines {
		g.Packages = append(g.Packages, pkg(line))
	}
	return g
}

func pkg(line string) *compare.Package {
	words := strings.Fields(line)
	head, asked := strings.CutPrefix(words[0], "*")
	head, id, _ := strings.Cut(head, "/")
	name, version, _ := strings.Cut(head, "@")
	p := &compare.Package{Name: name, Version: version, ID: pad(id), Asked: asked, Runs: true, Detail: &compare.Detail{Generation: 5}}
	for _, word := range words[1:] {
		add(p, word)
	}
	return p
}

func add(p *compare.Package, word string) {
	d := p.Detail
	key, value, _ := strings.Cut(word, "=")
	switch {
	case word[0] == '+', word[0] == '~':
		d.Parameters = append(d.Parameters, spack.Parameter{Name: word[1:], Values: []string{fmt.Sprint(word[0] == '+')}, Bool: true})
	case word[0] == '%':
		d.Compiler = word[1:]
	case word[0] == '^':
		e := spack.Edge{Types: spack.Link}
		e.Name, _, _ = strings.Cut(key[1:], "/")
		_, id, _ := strings.Cut(key, "/")
		e.Hash = spack.Hash(pad(id))
		if value != "" {
			e.Virtuals = []string{value}
		}
		p.Needs = append(p.Needs, e)
	case key == "target":
		d.Target = value
	case key == "recipe":
		d.Recipe = value
	case key == "external":
		d.External = value
	case key == "generation":
		_, _ = fmt.Sscan(value, &d.Generation)
	case word == "nothing-known":
		p.Detail = nil
	case word == "builds-only":
		p.Runs = false
	default:
		d.Parameters = append(d.Parameters, spack.Parameter{Name: key, Values: []string{value}})
	}
}

// pad makes an ID as long as a hash.
func pad(id string) string {
	if id == "" {
		return ""
	}
	return id + strings.Repeat(".", spack.HashLength-len(id))
}

func inventory(kind compare.Kind, name string, groups ...*compare.Group) *compare.Inventory {
	return &compare.Inventory{Kind: kind, Name: name, Groups: groups}
}

// lines writes a difference of one group in a form to compare in tests.
func lines(g *compare.GroupDifference) []string {
	var out []string
	for _, f := range g.Facts {
		out = append(out, fmt.Sprintf("fact %s %s: %s > %s", f.Kind, f.Name, value(f.From), value(f.To)))
	}
	for _, s := range g.SpecsAdded {
		out = append(out, "spec + "+s)
	}
	for _, s := range g.SpecsRemoved {
		out = append(out, "spec - "+s)
	}
	for _, c := range g.Changed {
		out = append(out, "~ "+c.To.Name+fields(c.Fields))
	}
	for _, p := range g.Added {
		out = append(out, "+ "+p.Name+" "+p.Version)
	}
	for _, p := range g.Removed {
		out = append(out, "- "+p.Name+" "+p.Version)
	}
	for _, c := range g.Common {
		out = append(out, fmt.Sprintf("common%s: %s, %d alone", fields([]compare.Field{c.Field}), names(c.Packages), c.Alone))
	}
	for _, r := range g.Rebuilt {
		cause := "unknown"
		if r.Cause != nil {
			cause = r.Cause.To.Name
		}
		out = append(out, "rebuilt by "+cause+": "+names(r.Packages))
	}
	return out
}

func value(f *compare.Fact) string {
	if f == nil {
		return "none"
	}
	return strings.TrimSpace(f.Value + " " + f.ID)
}

func fields(list []compare.Field) string {
	var b strings.Builder
	for _, f := range list {
		fmt.Fprintf(&b, " %s", f.Kind)
		if f.Name != "" {
			b.WriteString(" " + f.Name)
		}
		fmt.Fprintf(&b, "(%s>%s)", f.From, f.To)
	}
	return b.String()
}

func names(list []*compare.Package) string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return strings.Join(out, " ")
}
