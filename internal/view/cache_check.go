package view

import (
	"io"
	"strings"
)

// CacheFinding is something that is wrong with a build cache.
type CacheFinding struct {
	Kind                 string
	Name, Version, Hash  string
	NeedsName, NeedsHash string
	Detail               string
}

// CacheChecked is what a check of a build cache found.
type CacheChecked struct {
	Location, Layout string
	// Name is how the cache was named on the command line.
	Name     string
	Packages int
	Archives bool // they were read
	Findings []CacheFinding
}

// cacheAdvice is what a kind of finding means, and what to do. CACHE stands for
// the cache that was checked.
type cacheAdvice struct{ kind, means, advice string }

var cacheAdvices = []cacheAdvice{
	{"unreadable", "Entries that cannot be used", "Copy them again from a cache that has them sound, or delete them: `esd cache delete CACHE /HASH`."},
	{"archive-missing", "Entries without their archive", "Copy them again from a cache that has them (`esd cache copy OTHER CACHE /HASH`), or delete them and build again."},
	{"archive-wrong", "Archives that are not what their entries say", "Replace them: `esd cache copy --force OTHER CACHE /HASH`, or delete them and build again."},
	{"spec-wrong", "Specs that are missing or wrong", "Replace them: `esd cache copy --force OTHER CACHE /HASH`, or delete them and build again."},
	{"dependency-missing", "Needed to link or to run, and not in the cache", "Copy what is missing from a cache that has it, or delete what needs it."},
	{"absent", "Of the environment, and not in the cache", "Build them with `esd apply`, or copy them from a cache that has them."},
	{"not-in-index", "Not listed by the index", "Spack finds them only by their hash: `esd cache update-index CACHE`."},
	{"not-there", "Listed by the index, and not there", "Spack fails where it meets them: `esd cache update-index CACHE`."},
}

// CacheCheck writes what was found, by kinds, with what to do about each.
func CacheCheck(w io.Writer, c CacheChecked, o Options) error {
	p := newPrinter(w, o)
	byKind := map[string][]CacheFinding{}
	for _, f := range c.Findings {
		byKind[f.Kind] = append(byKind[f.Kind], f)
	}
	for _, a := range cacheAdvices {
		p.cacheFindings(a, byKind[a.kind], c.Name)
		delete(byKind, a.kind)
	}
	for _, f := range c.Findings { // of a kind that has no advice
		if byKind[f.Kind] != nil {
			p.cacheFindings(cacheAdvice{f.Kind, f.Kind, ""}, byKind[f.Kind], c.Name)
			delete(byKind, f.Kind)
		}
	}
	what := Plural(c.Packages, "package") + " in " + c.Location + " (" + c.Layout + ")"
	if c.Archives {
		what += ", archives read"
	}
	if len(c.Findings) == 0 {
		p.wrapped(p.paint(green, p.pick("+", "✓"))+" ", "Sound: "+what+".")
		return p.flush()
	}
	p.wrapped(p.paint(red, p.pick("x", "✗"))+" ", Plural(len(c.Findings), "finding")+": "+what+".")
	return p.flush()
}

func (p *printer) cacheFindings(a cacheAdvice, list []CacheFinding, cache string) {
	if len(list) == 0 {
		return
	}
	p.line(p.paint(bold, p.clean(a.means)+" ("+Number(len(list))+")"))
	for i, f := range list {
		if i == maxListed && len(list) > maxListed+1 {
			p.line("    ", p.pick("... ", "… "), "and ", Number(len(list)-i), " more (all with --format=json)")
			break
		}
		p.wrapped("  "+p.paint(red, p.pick("x", "✗"))+" ", f.text())
	}
	if a.advice != "" {
		p.wrapped("    "+p.pick("-> ", "→ "), strings.ReplaceAll(a.advice, "CACHE", shellWord(cache)))
	}
	p.line()
}

// shellWord quotes a word for a shell, if it needs it.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (f CacheFinding) text() string {
	text := CachePackage{Name: f.Name, Version: f.Version, Hash: f.Hash}.id()
	if f.Name == "" {
		text = "/" + f.Hash
	}
	if f.NeedsHash != "" {
		text += " needs " + f.NeedsName + "/" + short(f.NeedsHash)
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}
