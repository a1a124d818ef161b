package view

import (
	"io"
	"slices"
	"strings"
)

// CachePackage is a package in a build cache.
type CachePackage struct {
	Name, Version, Hash  string
	Spec                 string // whole, without the hash; empty where only the name is known
	Platform, OS, Target string
	Compiler             string // empty for none
	Variants             string // those that tell something
	Size                 int64  // bytes; negative when not known
	SHA256               string
	Signed               bool
	Signer               string // empty when not checked
	Problem              string
}

// id is how a package is named for people: zlib@1.3.1/pymvx3w.
func (c CachePackage) id() string { return c.Name + "@" + c.Version + "/" + short(c.Hash) }

// short is the part of a hash that Spack shows.
func short(hash string) string { return hash[:min(len(hash), 7)] }

// CacheListing is what a build cache has.
type CacheListing struct {
	Location, Layout string
	Packages         []CachePackage
	// Absent are packages that were asked for and are not there.
	Absent []string
}

// cacheColumn is one column of a listing.
type cacheColumn struct {
	name  string
	right bool // numbers are aligned at their end
	of    func(CachePackage) string
	// alike tells that on a terminal the column goes into the last line where all
	// packages have the same, and alikeText what is said then: for, with.
	alike     bool
	alikeText string
	faint     bool // it is not what one looks for first
}

// The columns that are not always written as they are: one is told of in words of
// its own where it is the same for all, the other stands below where it is long.
const (
	columnSigned = "SIGNED"
	columnWhat   = "VARIANTS"
)

// cacheColumns are all columns, in their order.
func cacheColumns() []cacheColumn {
	return []cacheColumn{
		{name: "NAME", of: func(c CachePackage) string { return c.Name }},
		{name: "VERSION", of: func(c CachePackage) string { return c.Version }},
		{name: "HASH", of: func(c CachePackage) string { return short(c.Hash) }, faint: true},
		{name: "TARGET", of: func(c CachePackage) string { return orDash(c.Target) }, alike: true, alikeText: "for"},
		{name: "COMPILER", of: func(c CachePackage) string { return orDash(c.Compiler) }, alike: true, alikeText: "with"},
		{name: "SIZE", of: func(c CachePackage) string { return sizeOf(c.Size) }, right: true},
		{name: columnSigned, of: signedOf, alike: true},
		{name: columnWhat, of: whatOf, faint: true},
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func sizeOf(n int64) string {
	if n < 0 {
		return "?"
	}
	return Bytes(n)
}

// signedOf names the key by the end of its fingerprint, as GnuPG's short form is.
func signedOf(c CachePackage) string {
	switch {
	case c.Problem != "":
		return "?"
	case c.Signer != "":
		return c.Signer[max(len(c.Signer)-8, 0):]
	case c.Signed:
		return "yes"
	}
	return "no"
}

func whatOf(c CachePackage) string {
	if c.Problem != "" {
		return "unusable: " + c.Problem
	}
	return c.Variants
}

// CacheList lists packages, a line each. Where nothing limits the width, the
// columns are always the same.
func CacheList(w io.Writer, l CacheListing, o Options) error {
	p := newPrinter(w, o)
	columns := cacheColumns()
	var alike []string
	if p.Width > 0 && len(l.Packages) > 1 {
		columns, alike = foldColumns(columns, l.Packages)
	}
	p.cacheTable(columns, l.Packages)
	return p.cacheFooter(l, alike)
}

// CacheNames lists names, versions and hashes only.
func CacheNames(w io.Writer, l CacheListing, o Options) error {
	p := newPrinter(w, o)
	p.cacheTable(cacheColumns()[:3], l.Packages)
	return p.cacheFooter(l, nil)
}

// foldColumns takes out what is the same for all, and says it.
func foldColumns(columns []cacheColumn, packages []CachePackage) (rest []cacheColumn, alike []string) {
	for _, c := range columns {
		if !c.alike || !allAlike(c, packages) {
			rest = append(rest, c)
			continue
		}
		value := c.of(packages[slices.IndexFunc(packages, func(p CachePackage) bool { return p.Problem == "" })])
		switch {
		case c.name != columnSigned:
			if value != "-" {
				alike = append(alike, "all "+c.alikeText+" "+value)
			}
		case value == "no":
			alike = append(alike, "none signed")
		case value == "yes":
			alike = append(alike, "all signed")
		default:
			alike = append(alike, "all signed by "+value)
		}
	}
	return rest, alike
}

// allAlike reports whether a column is the same for all packages that can be used.
func allAlike(c cacheColumn, packages []CachePackage) bool {
	value, known := "", false
	for _, p := range packages {
		if p.Problem != "" {
			continue
		}
		if known && c.of(p) != value {
			return false
		}
		value, known = c.of(p), true
	}
	return known
}

// cacheTable writes packages in columns. The last one gets the room that is
// left, and is cut to it.
func (p *printer) cacheTable(columns []cacheColumn, packages []CachePackage) {
	if len(packages) == 0 {
		return
	}
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = len(c.name)
		for _, k := range packages {
			widths[i] = max(widths[i], displayWidth(p.clean(c.of(k))))
		}
	}
	if p.Width > 0 {
		widths[0] = min(widths[0], max(p.Width/3, 12))
		widths[1] = min(widths[1], max(p.Width/5, 8))
		if last := len(columns) - 1; columns[last].name == columnWhat && p.Width-sum(widths[:last])-2*last < len(columnWhat) {
			columns = columns[:last] // what is left of it tells nothing
		}
	}
	p.cacheRow(columns, widths, bold, func(c cacheColumn) string { return c.name })
	for _, k := range packages {
		colour := plain
		if k.Problem != "" {
			colour = red
		}
		below := p.Width > 0 && k.Problem != ""
		p.cacheRow(columns, widths, colour, func(c cacheColumn) string {
			if below && c.name == columnWhat {
				return ""
			}
			return p.clean(c.of(k))
		})
		if below {
			p.wrapped("  "+p.paint(red, p.pick("x", "✗"))+" ", k.Problem)
		}
	}
}

func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}

func (p *printer) cacheRow(columns []cacheColumn, widths []int, colour color, text func(cacheColumn) string) {
	at, written := 0, 0 // columns of the terminal: where the cell begins, and where the text ends
	for i, c := range columns {
		cell, width := text(c), widths[i]
		if i == len(columns)-1 && p.Width > 0 {
			width = max(p.Width-at, 1)
			cell = p.cut(cell, width)
		}
		cell = p.cutMiddle(cell, width)
		start := at
		if c.right {
			start += max(width-displayWidth(cell), 0)
		}
		if cell != "" {
			paint := colour
			if c.faint && colour == plain {
				paint = dim
			}
			p.print(strings.Repeat(" ", start-written), p.paint(paint, cell))
			written = start + displayWidth(cell)
		}
		at += width + 2
	}
	p.line()
}

// cacheFooter is the last line: how much there is, and what is the same for all.
func (p *printer) cacheFooter(l CacheListing, alike []string) error {
	var bytes int64
	unusable, sized := 0, false
	for _, k := range l.Packages {
		bytes += max(k.Size, 0)
		sized = sized || k.Size >= 0
		if k.Problem != "" {
			unusable++
		}
	}
	text := Plural(len(l.Packages), "package")
	if sized {
		text += ", " + Bytes(bytes)
	}
	text += " in " + l.Location + " (" + l.Layout + ")"
	if unusable > 0 {
		alike = append(alike, Number(unusable)+" unusable")
	}
	if len(alike) > 0 {
		text += ": " + strings.Join(alike, ", ")
	}
	if len(l.Packages) > 0 {
		p.line()
	}
	p.wrapped("", text)
	p.cacheAbsent(l.Absent)
	return p.flush()
}

// cacheAbsent lists what was asked for and is not there.
func (p *printer) cacheAbsent(absent []string) {
	if len(absent) > 0 {
		p.wrapped(p.paint(yellow, "Not there: "), someOf(absent, maxListed))
	}
}

// someOf lists names, the first ones if there are many.
func someOf(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:most], ", ") + " and " + Number(len(list)-most) + " more"
}

// CacheListLong lists packages with all that tells them apart, some lines each.
func CacheListLong(w io.Writer, l CacheListing, o Options) error {
	p := newPrinter(w, o)
	for _, k := range l.Packages {
		about := sizeOf(k.Size) + "  " + signedPhrase(k)
		if k.Problem != "" {
			about = ""
		}
		p.line(strings.TrimRight(p.paint(bold, p.clean(k.Name+"@"+k.Version+"/"+k.Hash))+"  "+p.clean(about), " "))
		if k.Problem != "" {
			p.wrapped("    "+p.paint(red, "unusable: "), k.Problem)
		}
		if k.Spec != "" {
			p.wrapped("    ", strings.TrimPrefix(k.Spec, k.Name+"@"+k.Version))
		}
		if k.SHA256 != "" {
			p.line("    ", p.paint(dim, "sha256:"+p.clean(k.SHA256)))
		}
	}
	return p.cacheFooter(l, nil)
}

func signedPhrase(c CachePackage) string {
	switch s := signedOf(c); s {
	case "no":
		return "not signed"
	case "yes":
		return "signed"
	default:
		return "signed by " + s
	}
}
