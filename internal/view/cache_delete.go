package view

import "io"

// CacheDeletion is what is to be deleted from a build cache.
type CacheDeletion struct {
	Location, Layout string
	Packages         []CachePackage
	Bytes            int64
	Needed           []CacheNeed
	Absent           []string
}

// CacheNeed is a package that others, which stay, need to link or to run.
type CacheNeed struct {
	Package string
	By      []string
}

// CacheDelete writes what is to be deleted.
func CacheDelete(w io.Writer, d CacheDeletion, o Options) error {
	p := newPrinter(w, o)
	needed := map[string][]string{}
	for _, n := range d.Needed {
		needed[n.Package] = n.By
	}
	for _, k := range d.Packages {
		p.line(p.paint(red, "-"), " ", p.clean(k.id()), "  ", p.paint(dim, sizeOf(k.Size)))
		if by := needed[k.id()]; len(by) > 0 {
			p.wrapped("    "+p.paint(yellow, "needed by "), someOf(by, maxListed))
		}
	}
	if len(d.Packages) > 0 {
		p.line()
	}
	p.wrapped("", "Delete "+Plural(len(d.Packages), "package")+" ("+Bytes(d.Bytes)+") from "+d.Location+" ("+d.Layout+").")
	p.cacheAbsent(d.Absent)
	return p.flush()
}

// CacheDeleted says what was deleted.
func CacheDeleted(w io.Writer, d CacheDeletion, o Options) error {
	p := newPrinter(w, o)
	p.wrapped("", "Deleted "+Plural(len(d.Packages), "package")+" ("+Bytes(d.Bytes)+") from "+d.Location+".")
	return p.flush()
}

// CacheIndexed tells what became of an index.
type CacheIndexed struct {
	Location       string
	Packages, Read int
	Left           []CacheFinding
}

// CacheIndex writes what became of an index.
func CacheIndex(w io.Writer, c CacheIndexed, o Options) error {
	p := newPrinter(w, o)
	text := "The index of " + c.Location + " lists " + Plural(c.Packages, "package") + " now"
	switch {
	case c.Read == 1:
		text += "; the spec of 1 was read for it"
	case c.Read > 1:
		text += "; the specs of " + Number(c.Read) + " were read for it"
	}
	p.wrapped("", text+".")
	for _, f := range c.Left {
		p.wrapped("  "+p.paint(red, p.pick("x", "✗"))+" ", "left out: "+f.text())
	}
	return p.flush()
}
