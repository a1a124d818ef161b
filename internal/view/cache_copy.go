package view

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// CacheCopyStep tells what became of one package; the first step, which names
// none, tells how much there is to do.
type CacheCopyStep struct {
	Package CachePackage
	Copied  bool // and not there before
	Err     error
	Total   int
	Bytes   int64
}

// CacheCopying follows the copying of packages: a line for each, and on a
// terminal how far it has come below them. It may be called from several
// goroutines.
type CacheCopying struct {
	w io.Writer
	o LiveOptions

	mu          sync.Mutex
	total, done int
	bytes, sent int64
	drawn       bool
	err         error
}

// NewCacheCopying returns a follower that writes to w.
func NewCacheCopying(w io.Writer, o LiveOptions) *CacheCopying { return &CacheCopying{w: w, o: o} }

// Step takes note of a package.
func (c *CacheCopying) Step(s CacheCopyStep) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Package.Name == "" && s.Err == nil {
		c.total, c.done, c.bytes, c.sent = s.Total, 0, s.Bytes, 0
		c.write("")
		return
	}
	c.done++
	c.sent += max(s.Package.Size, 0)
	sign, note := c.o.paint(green, c.o.pick("+", "✓")), sizeOf(s.Package.Size)
	switch {
	case s.Err != nil:
		sign, note = c.o.paint(boldRed, c.o.pick("x", "✗")), "not copied: "+firstLine(s.Err)
	case !s.Copied:
		sign, note = c.o.paint(blue, "="), "is there"
	}
	line := sign + " " + c.o.clean(s.Package.id()) + "  " + c.o.paint(dim, c.o.clean(note))
	if !c.o.Live {
		total := fmt.Sprint(c.total)
		line = fmt.Sprintf("[%*d/%s] %s", len(total), c.done, total, line)
	}
	c.write(line + "\n")
}

// write writes finished lines above the bar. The bar never fills the terminal, so
// it does not wrap.
func (c *CacheCopying) write(lines string) {
	var b strings.Builder
	if c.drawn {
		b.WriteString("\r" + eraseRight)
		c.drawn = false
	}
	b.WriteString(lines)
	if c.o.Live && c.done < c.total {
		b.WriteString(c.bar())
		c.drawn = true
	}
	if c.err == nil && b.Len() > 0 {
		_, c.err = io.WriteString(c.w, b.String())
	}
}

func (c *CacheCopying) bar() string {
	columns := c.o.Width
	if c.o.Size != nil {
		if now, _ := c.o.Size(); now > 0 {
			columns = now
		}
	}
	const width = 16
	full := c.done * width / c.total
	if c.bytes > 0 {
		full = int(min(c.sent, c.bytes) * width / c.bytes)
	}
	text := fmt.Sprintf("%s of %s, %s of %s", Number(c.done), Plural(c.total, "package"), Bytes(c.sent), Bytes(c.bytes))
	if room := max(columns, minWidth) - 1; room < width+2+len(text) {
		return c.o.cut(text, room)
	}
	return c.o.paint(green, strings.Repeat(c.o.pick("#", "━"), full)) + c.o.paint(dim, strings.Repeat(c.o.pick(".", "─"), width-full)) + "  " + text
}

// Stop takes the bar away.
func (c *CacheCopying) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total = c.done
	c.write("")
	return c.err
}

// CacheCopied tells what was copied.
type CacheCopied struct {
	From, To      string
	Copied, There int
	Bytes         int64
	Failed        []CachePackage
	Lacking       []string // needed, and not in the source
	Unsigned      int      // whose signature was left behind
	Indexed       bool
}

// CacheCopy writes what was copied.
func CacheCopy(w io.Writer, c CacheCopied, o Options) error {
	p := newPrinter(w, o)
	text := "Copied " + Plural(c.Copied, "package")
	if c.Copied > 0 {
		text += " (" + Bytes(c.Bytes) + ")"
	}
	if c.To != "" {
		text += " to " + c.To
	}
	if c.There > 0 {
		text += "; " + Number(c.There) + isWere(c.There) + " there already"
	}
	if len(c.Failed) > 0 {
		text += "; " + Number(len(c.Failed)) + " could not be copied"
	}
	if c.Indexed {
		text += "; the index is up to date"
	}
	p.wrapped("", text+".")
	for _, f := range c.Failed {
		p.wrapped("  "+p.paint(red, p.pick("x", "✗"))+" ", f.id()+": "+f.Problem)
	}
	if len(c.Lacking) > 0 {
		p.wrapped(p.paint(yellow, "Not copied: "), "the source does not have "+someOf(c.Lacking, maxListed)+". What needs it will not install from the copy alone.")
	}
	if c.Unsigned > 0 {
		advice := "With --signing-key FILE the copies are signed."
		if strings.HasPrefix(c.To, "oci://") {
			advice = "In registries Spack has none."
		}
		p.wrapped(p.paint(yellow, "Not signed: "), "the signatures of "+Plural(c.Unsigned, "package")+
			" were left behind: they are over texts that only caches of the same layout have. "+advice)
	}
	return p.flush()
}

func isWere(n int) string {
	if n == 1 {
		return " was"
	}
	return " were"
}
