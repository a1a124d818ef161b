package view

import (
	"io"
	"slices"
	"strings"
)

// Promotion is what is to be copied out of quarantines.
type Promotion struct {
	Environments []PromotedEnvironment
	// Unchecked says what no check has passed, a line each.
	Unchecked []string
}

// PromotedEnvironment is one environment of a promotion.
type PromotedEnvironment struct {
	Address              string
	Quarantine, Location string
	Packages             int // that are needed to run it
	CheckedBy            []string
	Caches               []PromotedCache
}

// PromotedCache is one cache that packages are promoted to.
type PromotedCache struct {
	Name, Location string
	Packages       []CachePackage
	There          int
	Bytes          int64
	Elsewhere      int // in neither, but in another cache
}

// Promote writes what is to be promoted.
func Promote(w io.Writer, l Promotion, o Options) error {
	p := newPrinter(w, o)
	packages, caches, copies := map[string]bool{}, map[string]bool{}, 0
	var bytes int64
	for _, e := range l.Environments {
		p.promoted(e)
		for _, c := range e.Caches {
			copies += len(c.Packages)
			bytes += c.Bytes
			for _, k := range c.Packages {
				packages[k.Hash], caches[c.Name] = true, true
			}
		}
	}
	for _, u := range l.Unchecked {
		p.wrapped(p.paint(yellow, "Not checked: "), u)
	}
	if len(l.Unchecked) > 0 {
		p.line()
	}
	switch {
	case copies == 0:
		p.line("Nothing to promote: everything is there.")
	case copies > len(packages):
		p.line("Promote ", Plural(len(packages), "package"), " to ", Plural(len(caches), "build cache"), ": ", Number(copies), " copies, ", Bytes(bytes), ".")
	default:
		p.line("Promote ", Plural(copies, "package"), " (", Bytes(bytes), ") to ", Plural(len(caches), "build cache"), ".")
	}
	return p.flush()
}

func (p *printer) promoted(e PromotedEnvironment) {
	p.line(p.paint(bold, p.clean(e.Address)))
	p.wrapped("  "+p.paint(dim, "from        "), e.Quarantine+" ("+e.Location+")")
	if len(e.CheckedBy) > 0 {
		p.wrapped("  "+p.paint(dim, "checked by  "), strings.Join(e.CheckedBy, ", "))
	}
	var before []CachePackage
	for _, c := range e.Caches {
		p.wrapped("  "+p.paint(dim, "to          "), c.Name+" ("+c.Location+")")
		if len(c.Packages) > 1 && slices.Equal(c.Packages, before) {
			p.line("    ", p.paint(green, "+"), " the same ", Plural(len(c.Packages), "package"))
		} else {
			p.promotedPackages(c.Packages)
		}
		before = c.Packages
		var also []string
		if c.There > 0 {
			also = append(also, Number(c.There)+" of "+Plural(e.Packages, "package")+" there already")
		}
		if c.Elsewhere > 0 {
			also = append(also, Number(c.Elsewhere)+" in another of its caches")
		}
		if len(also) > 0 {
			p.line("    ", p.paint(dim, "= "+strings.Join(also, ", ")))
		}
	}
	p.line()
}

func (p *printer) promotedPackages(list []CachePackage) {
	for i, k := range list {
		if i == 2*maxListed && len(list) > i+1 {
			p.line("    ", p.pick("... ", "… "), "and ", Number(len(list)-i), " more")
			return
		}
		p.line("    ", p.paint(green, "+"), " ", p.clean(k.id()), "  ", p.paint(dim, sizeOf(k.Size)))
	}
}
