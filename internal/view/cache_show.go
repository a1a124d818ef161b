package view

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// CacheDetails is all that is known of a package in a build cache.
type CacheDetails struct {
	CachePackage
	SpecSHA256           string
	Prefix               string // where it was installed; empty if not known
	Padded               bool
	TarSize              int64 // without compression; 0 if not known
	ChecksSignatures     bool
	EntryURL, ArchiveURL string
	Dependencies         []CacheDependency
	// Needs counts what it needs to link or to run; Lacks lists what of that is not
	// in the cache.
	Needs int
	Lacks []string
}

// CacheDependency is a direct dependency. State is cached, missing or external.
type CacheDependency struct {
	Name, Version, Hash string
	Types               []string
	State, Path         string
}

// CacheShow writes all that is known of packages.
func CacheShow(w io.Writer, list []CacheDetails, absent []string, o Options) error {
	p := newPrinter(w, o)
	for i, d := range list {
		if i > 0 {
			p.line()
		}
		p.cacheDetails(d)
	}
	p.cacheAbsent(absent)
	return p.flush()
}

func (p *printer) cacheDetails(d CacheDetails) {
	p.line(p.paint(bold, p.clean(d.id())))
	if d.Problem != "" {
		p.wrapped("  "+p.paint(red, "unusable  "), d.Problem)
	}
	for _, f := range d.fields() {
		if f[1] != "" {
			p.wrapped("  "+p.paint(dim, pad(f[0], 8))+"  ", f[1])
		}
	}
	p.cacheDependencies(d)
}

// fields are the lines of a package, each with its name.
func (d CacheDetails) fields() [][2]string {
	return [][2]string{
		{"spec", d.Spec},
		{"hash", d.Hash},
		{"archive", d.archive()},
		{"built at", d.builtAt()},
		{"signed", d.signature()},
		{"entry", d.EntryURL},
		{"data", d.ArchiveURL},
	}
}

func (d CacheDetails) archive() string {
	if d.SHA256 == "" {
		return ""
	}
	text := "sha256:" + d.SHA256
	if d.Size >= 0 {
		text = Bytes(d.Size) + ", " + text
	}
	if d.TarSize > 0 {
		text += " (" + Bytes(d.TarSize) + " unpacked)"
	}
	return text
}

// builtAt leaves out the padding, and says how long the prefix is: that is how
// long one may be that the package is installed at.
func (d CacheDetails) builtAt() string {
	switch {
	case d.Prefix == "":
		return "not known"
	case d.Padded:
		return padding.ReplaceAllString(d.Prefix, "/...") + fmt.Sprintf(" (padded to %d characters)", len(d.Prefix))
	}
	return d.Prefix + fmt.Sprintf(" (%d characters, not padded)", len(d.Prefix))
}

// padding are the directories by which Spack makes paths longer; the last one may
// be cut short.
var padding = regexp.MustCompile(`(?:/__spack_path_[a-z_]*)+`)

func (d CacheDetails) signature() string {
	switch {
	case d.Problem != "":
		return ""
	case d.Signer != "":
		return "by the trusted key " + d.Signer
	case d.Signed:
		return "yes, and not checked: no trusted keys are named"
	}
	return "no"
}

// cacheDependencies lists dependencies: what is needed to run first.
func (p *printer) cacheDependencies(d CacheDetails) {
	run, build := splitDependencies(d.Dependencies)
	for _, part := range []struct {
		title string
		list  []CacheDependency
	}{{"needs to link and to run", run}, {"needs to be built only", build}} {
		if len(part.list) == 0 {
			continue
		}
		p.line("  ", p.paint(dim, part.title))
		for _, dep := range part.list {
			p.cacheDependency(dep)
		}
	}
	switch {
	case len(d.Lacks) > 0:
		p.wrapped("  "+p.paint(red, p.pick("x ", "✗ ")), "the cache lacks "+Plural(len(d.Lacks), "package")+" of the "+
			Number(d.Needs)+" that it needs to link and to run: "+someOf(d.Lacks, maxListed))
	case d.Needs > 0:
		p.line("  ", p.paint(green, p.pick("+ ", "✓ ")), "the cache has all ", Number(d.Needs), " that it needs to link and to run")
	}
}

func splitDependencies(list []CacheDependency) (run, build []CacheDependency) {
	for _, d := range list {
		types := strings.Join(d.Types, ",")
		if strings.Contains(types, "link") || strings.Contains(types, "run") {
			run = append(run, d)
		} else {
			build = append(build, d)
		}
	}
	return run, build
}

func (p *printer) cacheDependency(d CacheDependency) {
	sign, note := p.paint(green, p.pick("+", "✓")), ""
	switch d.State {
	case "missing":
		sign, note = p.paint(red, p.pick("x", "✗")), "not in the cache"
	case "external":
		sign, note = p.paint(dim, "-"), "external, "+d.Path
	}
	text := d.Name + "@" + d.Version + "/" + short(d.Hash) + "  " + strings.Join(d.Types, ",")
	if note != "" {
		text += "  " + note
	}
	p.wrapped("    "+sign+" ", text)
}
