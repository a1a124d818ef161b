package relocate

import (
	"bytes"
	"debug/elf"
	"slices"
	"strings"
)

// grow gives a file an RPATH or an interpreter that is longer than there is
// room for: the string table of the dynamic section (copied, with the new RPATH
// behind it) and the new interpreter become a new read-only segment at the end
// of the file, behind all others in memory. That is what patchelf does, which
// Spack calls here; doing it ourselves makes the result the same on every
// machine, and keeps RUNPATH what it is, which Spack's call turns into RPATH.
//
// The new segment needs a program header. There is no room for one more where
// they are, so a note segment gives up its own: notes are for debuggers, and
// are found through the section headers as well. A shared library without
// notes gets a copy of all headers in the new segment; an executable does not,
// because kernels before 5.18 told the program a wrong address then.
func (m *Map) grow(name string, e *elfFile, rpath, interp *string) (newSize, scan int64, err error) {
	g := &growth{m: m, name: name, elfFile: e, rpath: rpath, interp: interp}
	for _, step := range []func() error{g.check, g.place, g.strings, g.headers, g.write} {
		if err := step(); err != nil {
			return 0, 0, err
		}
	}
	return g.off + int64(len(g.data)), g.off + g.clean, nil
}

// growth is one new segment in the making.
type growth struct {
	*elfFile
	m             *Map
	name          string
	rpath, interp *string

	off   int64  // where the segment is in the file
	vaddr uint64 // and in memory
	page  uint64 // the alignment of segments
	data  []byte // what is in it
	clean int64  // from where on data has nothing but new strings
	slot  int    // the program header that it takes over, or -1
	edits []edit
}

type edit struct {
	at   int64
	data []byte
}

// refuse says why the file cannot be given a longer string.
func (g *growth) refuse(why string) error {
	err := &CannotGrowStringError{File: g.name, Why: "it does not fit where it is, and " + why}
	text := []string{}
	if g.rpath != nil {
		text = strings.Split(g.elfFile.rpath.text, ":")
	}
	if g.interp != nil {
		text = append(text, g.elfFile.interp.text)
	}
	for _, t := range text {
		if k := g.m.finder.matchAt([]byte(t)); k >= 0 && len(g.m.replacements[k].New) > len(g.m.replacements[k].Old) {
			err.Old, err.New = g.m.replacements[k].Old, g.m.replacements[k].New
			break
		}
	}
	return err
}

// maxStrtab bounds the string table, which is copied in memory.
const maxStrtab = 256 << 20

// check refuses what would be broken by something at its end.
func (g *growth) check() error {
	end := max(g.phoff+int64(len(g.progs)*g.sizes().segment), g.shoff+int64(g.shnum*g.sizes().section))
	sections, err := g.sections()
	if err != nil {
		return err
	}
	for _, s := range sections {
		if elf.SectionType(s.kind) != elf.SHT_NOBITS {
			end = max(end, int64(s.off+s.size))
		}
	}
	last := uint64(0)
	for _, p := range g.progs {
		end = max(end, int64(p.off+p.filesz))
		if elf.ProgType(p.kind) != elf.PT_LOAD {
			continue
		}
		if p.vaddr < last {
			return g.refuse("its segments are not in order")
		}
		last = p.vaddr
	}
	switch {
	case g.size-end >= 16:
		return g.refuse("something else follows at the end of the file, which a new segment would displace")
	case g.growsRpath() && g.tagAt[elf.DT_STRSZ] == 0:
		return g.refuse("the size of its string table is not known")
	case g.strtab.size > maxStrtab:
		return g.refuse("its string table is too large")
	}
	return nil
}

func (g *growth) growsRpath() bool  { return !g.elfFile.rpath.fits(g.rpath) }
func (g *growth) growsInterp() bool { return !g.elfFile.interp.fits(g.interp) }

// place decides where the segment is. In memory it is behind all others, on
// pages of its own; the offset within the page is that in the file, so that the
// file need not be padded.
func (g *growth) place() error {
	const header = 16 // alignment of what begins the segment
	g.off = (g.size + header - 1) &^ (header - 1)
	end, page := uint64(0), uint64(0x1000)
	g.slot = -1
	if g.last(elf.PT_LOAD) == nil {
		return g.refuse("nothing of it is loaded")
	}
	for i, p := range g.progs {
		switch elf.ProgType(p.kind) {
		case elf.PT_LOAD:
			end = max(end, p.vaddr+p.memsz)
			if p.aligns&(p.aligns-1) == 0 {
				page = max(page, p.aligns)
			}
		case elf.PT_NULL, elf.PT_NOTE:
			if g.slot < 0 || g.better(p, g.progs[g.slot]) {
				g.slot = i
			}
		}
	}
	g.page = page
	g.vaddr = (end+page-1)&^(page-1) + uint64(g.off)&(page-1)
	limit := uint64(1) << 47
	if g.class == elf.ELFCLASS32 {
		limit = 1 << 32
	}
	if page > 1<<30 || end > limit || g.vaddr > limit-maxStrtab-uint64(len(g.progs))*64 {
		return g.refuse("there is no room behind its last segment")
	}
	if g.slot < 0 && (g.kind != elf.ET_DYN || g.elfFile.interp != nil) {
		return g.refuse("it has no program header to spare")
	}
	return nil
}

// ptGNUProperty is PT_GNU_PROPERTY, which points to one of the notes as well.
const ptGNUProperty = elf.ProgType(0x6474e553)

// better tells whether a program header is the better one to give up: one that
// says nothing, then one that another header repeats.
func (g *growth) better(a, b segment) bool {
	worth := func(p segment) int {
		if elf.ProgType(p.kind) == elf.PT_NULL {
			return 0
		}
		for _, o := range g.progs {
			if elf.ProgType(o.kind) == ptGNUProperty && o.off == p.off {
				return 1
			}
		}
		return 2
	}
	return worth(a) < worth(b)
}

// strings fills the segment, and masks what it replaces: the rest of each old
// string stays, since the linker may have let others share its end.
func (g *growth) strings() error {
	if g.slot < 0 { // room for all headers and one more
		g.data = make([]byte, (len(g.progs)+1)*g.sizes().segment)
	}
	if g.growsRpath() {
		old := g.elfFile.rpath
		table, err := g.read(g.strtab.off, int(g.strtab.size))
		if err != nil {
			return err
		}
		masked := g.m.mask(old.text)
		copy(table[old.at-int64(g.strtab.off):], masked)
		g.edit(old.at, masked)
		at := g.vaddr + uint64(len(g.data))
		fileAt := uint64(g.off) + uint64(len(g.data))
		g.data = append(append(g.data, table...), 0)
		size := uint64(len(table) + 1 + len(*g.rpath) + 1)
		g.editDyn(elf.DT_STRTAB, at)
		g.editDyn(elf.DT_STRSZ, size)
		g.editDyn(g.rpathTag, uint64(len(table)+1))
		g.editSection(g.strtab.at, at, fileAt, size)
	}
	g.clean = int64(len(g.data))
	if g.growsRpath() {
		g.data = append(append(g.data, *g.rpath...), 0)
	} else if g.rpath != nil {
		g.edit(g.elfFile.rpath.at, pad(*g.rpath, len(g.elfFile.rpath.text)))
	}
	if g.growsInterp() {
		return g.moveInterp()
	}
	if g.interp != nil {
		g.edit(g.elfFile.interp.at, pad(*g.interp, len(g.elfFile.interp.text)))
	}
	return nil
}

// moveInterp puts the interpreter into the segment.
func (g *growth) moveInterp() error {
	old := g.elfFile.interp
	p := g.last(elf.PT_INTERP)
	sections, err := g.sections()
	if err != nil {
		return err
	}
	size := uint64(len(*g.interp) + 1)
	off, vaddr := uint64(g.off)+uint64(len(g.data)), g.vaddr+uint64(len(g.data))
	for _, s := range sections {
		if s.off == p.off && elf.SectionType(s.kind) == elf.SHT_PROGBITS && s.size == p.filesz {
			g.editSection(s.at, vaddr, off, size)
		}
	}
	g.data = append(append(g.data, *g.interp...), 0)
	g.edit(old.at, g.m.mask(old.text))
	p.off, p.vaddr, p.paddr, p.filesz, p.memsz, p.aligns = off, vaddr, vaddr, size, size, 1
	return nil
}

// headers writes the program headers: the new one behind the last that is
// loaded, for they have to be in the order of their addresses.
func (g *growth) headers() error {
	if g.slot >= 0 {
		g.progs = slices.Delete(g.progs, g.slot, g.slot+1)
	} else {
		g.phoff = g.off
	}
	n := len(g.progs) + 1
	size := uint64(n * g.sizes().segment)
	at := 0
	for i := range g.progs {
		switch p := &g.progs[i]; elf.ProgType(p.kind) {
		case elf.PT_LOAD:
			at = i + 1
		case elf.PT_PHDR:
			if g.slot < 0 {
				p.off, p.vaddr, p.paddr, p.filesz, p.memsz = uint64(g.off), g.vaddr, g.vaddr, size, size
			}
		}
	}
	length := uint64(len(g.data))
	g.progs = slices.Insert(g.progs, at, segment{
		kind: uint32(elf.PT_LOAD), flags: uint32(elf.PF_R), off: uint64(g.off), vaddr: g.vaddr, paddr: g.vaddr,
		filesz: length, memsz: length, aligns: g.page,
	})
	var table bytes.Buffer
	for _, p := range g.progs {
		table.Write(g.encodeSegment(p))
	}
	if g.slot >= 0 {
		g.edit(g.phoff, table.Bytes())
		return nil
	}
	copy(g.data, table.Bytes())
	if g.class == elf.ELFCLASS64 {
		g.edit(32, g.order.AppendUint64(nil, uint64(g.phoff)))
		g.edit(56, g.order.AppendUint16(nil, uint16(n)))
	} else {
		g.edit(28, g.order.AppendUint32(nil, uint32(g.phoff)))
		g.edit(44, g.order.AppendUint16(nil, uint16(n)))
	}
	return nil
}

func (g *growth) write() error {
	for _, e := range append(g.edits, edit{g.size, make([]byte, g.off-g.size)}, edit{g.off, g.data}) {
		if _, err := g.f.WriteAt(e.data, e.at); err != nil {
			return err
		}
	}
	return nil
}

func (g *growth) edit(at int64, data []byte) { g.edits = append(g.edits, edit{at, data}) }

// editDyn changes the value of an entry of the dynamic section.
func (g *growth) editDyn(tag elf.DynTag, value uint64) {
	if g.class == elf.ELFCLASS64 {
		g.edit(g.tagAt[tag]+8, g.order.AppendUint64(nil, value))
	} else {
		g.edit(g.tagAt[tag]+4, g.order.AppendUint32(nil, uint32(value)))
	}
}

// editSection changes what a section header says of where its section is.
func (g *growth) editSection(at int64, addr, off, size uint64) {
	if g.class == elf.ELFCLASS64 {
		b := g.order.AppendUint64(nil, addr)
		g.edit(at+16, g.order.AppendUint64(g.order.AppendUint64(b, off), size))
		return
	}
	b := g.order.AppendUint32(nil, uint32(addr))
	g.edit(at+12, g.order.AppendUint32(g.order.AppendUint32(b, uint32(off)), uint32(size)))
}

// mask gives a path list with an X for each byte of its old prefixes, so that
// nobody takes them for paths that are used.
func (m *Map) mask(list string) []byte {
	b := []byte(list)
	at := 0
	for dir := range strings.SplitSeq(list, ":") {
		if k := m.finder.matchAt([]byte(dir)); k >= 0 {
			for i := range m.replacements[k].Old {
				b[at+i] = 'X'
			}
		}
		at += len(dir) + 1
	}
	return b
}

// pad fills s with NULs: what is left of an old string would look like a path.
func pad(s string, n int) []byte {
	b := make([]byte, n)
	copy(b, s)
	return b
}
