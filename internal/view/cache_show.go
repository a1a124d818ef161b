package view

import (
	"fmt"
	"io"
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
	case d.Problem != "":
		return ""
	case d.Prefix == "":
		return "not known"
	case d.Padded:
		return unpadded(d.Prefix) + fmt.Sprintf(" (padded to %d characters)", len(d.Prefix))
	}
	return d.Prefix + fmt.Sprintf(" (%d characters, not padded)", len(d.Prefix))
}

// unpadded puts dots in the place of the directories by which Spack makes paths
// longer; the last of them may be cut short.
func unpadded(prefix string) string {
	const padding = "__spack_path_placeholder__"
	var kept []string
	inside := false
	for dir := range strings.SplitSeq(prefix, "/") {
		switch {
		case dir == padding && !inside:
			inside = true
			kept = append(kept, "...")
		case inside && dir != "" && strings.HasPrefix(padding, dir):
		default:
			inside = false
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, "/")
}

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
		title   string
		list    []CacheDependency
		missing string // the sign of what is missing: no harm where only a build needs it
	}{{"needs to link and to run", run, p.paint(red, p.pick("x", "✗"))}, {"needs to be built only", build, p.paint(dim, "-")}} {
		if len(part.list) == 0 {
			continue
		}
		p.line("  ", p.paint(dim, part.title))
		width := 0
		for _, dep := range part.list {
			width = max(width, displayWidth(p.clean(dep.id())))
		}
		for _, dep := range part.list {
			p.cacheDependency(dep, part.missing, width)
		}
	}
	switch {
	case len(d.Lacks) > 0 && len(d.Lacks) == d.Needs:
		p.wrapped("  "+p.paint(red, p.pick("x ", "✗ ")), "the cache lacks all that it needs to link and to run: "+someOf(d.Lacks, maxListed))
	case len(d.Lacks) > 0:
		p.wrapped("  "+p.paint(red, p.pick("x ", "✗ ")), "the cache lacks "+Plural(len(d.Lacks), "package")+" of the "+
			Number(d.Needs)+" that it needs to link and to run: "+someOf(d.Lacks, maxListed))
	case d.Needs > 0:
		p.line("  ", p.paint(green, p.pick("+ ", "✓ ")), "the cache has all that it needs to link and to run: ", Plural(d.Needs, "package"))
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

func (d CacheDependency) id() string {
	return CachePackage{Name: d.Name, Version: d.Version, Hash: d.Hash}.id()
}

func (p *printer) cacheDependency(d CacheDependency, missing string, width int) {
	sign, note := p.paint(green, p.pick("+", "✓")), ""
	switch d.State {
	case "missing":
		sign, note = missing, "not in the cache"
	case "external":
		sign, note = p.paint(dim, "-"), "external, "+d.Path
	}
	types := strings.Join(d.Types, ",")
	if note != "" {
		types = pad(types, len("build,link,run")) + "  "
	}
	p.wrapped("    "+sign+" "+pad(p.clean(d.id()), width)+"  "+p.paint(dim, types), note)
}
