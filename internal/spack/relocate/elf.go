package relocate

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// elfError says that a file is no ELF file that could be understood. What
// counts as one is what Spack's own reader (util/elf.py) accepts, since it
// leaves all others alone.
type elfError struct{ why string }

func (e *elfError) Error() string { return "not a usable ELF file: " + e.why }

func broken(format string, args ...any) error { return &elfError{fmt.Sprintf(format, args...)} }

// elfFile is as much of an ELF file as relocating needs.
type elfFile struct {
	f      File
	size   int64
	class  elf.Class
	order  byteOrder
	kind   elf.Type
	phoff  int64
	shoff  int64
	shnum  int
	progs  []segment
	interp *cString
	rpath  *cString // DT_RPATH or DT_RUNPATH

	// Of the dynamic section, set when it has strings.
	strtab   section // the section header of its string table
	tagAt    map[elf.DynTag]int64
	rpathTag elf.DynTag
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// cString is a string in the file, and where it is.
type cString struct {
	text string
	at   int64
}

// segment is a program header.
type segment struct {
	kind, flags                              uint32
	off, vaddr, paddr, filesz, memsz, aligns uint64
}

// section is a section header as far as it matters.
type section struct {
	at              int64 // of the header itself
	kind            uint32
	addr, off, size uint64
}

// sizes of the structures of a class: ELF header, program header, section
// header, entry of the dynamic section.
type elfSizes struct{ header, segment, section, dyn int }

func (e *elfFile) sizes() elfSizes {
	if e.class == elf.ELFCLASS64 {
		return elfSizes{64, 56, 64, 16}
	}
	return elfSizes{52, 32, 40, 8}
}

// parseELF reads headers, interpreter and dynamic section of f.
func parseELF(f File, size int64) (*elfFile, error) {
	e := &elfFile{f: f, size: size, tagAt: map[elf.DynTag]int64{}}
	if err := e.parseHeader(); err != nil {
		return nil, err
	}
	if err := e.parseSegments(); err != nil {
		return nil, err
	}
	if p := e.last(elf.PT_INTERP); p != nil {
		text, err := e.stringIn(p.off, p.filesz, 0)
		if err != nil {
			return nil, err
		}
		e.interp = &cString{text, int64(p.off)}
	}
	if p := e.last(elf.PT_DYNAMIC); p != nil && e.last(elf.PT_LOAD) != nil {
		if err := e.parseDynamic(*p); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// last gives the last segment of a kind that has anything in the file.
func (e *elfFile) last(kind elf.ProgType) *segment {
	for i := len(e.progs) - 1; i >= 0; i-- {
		if elf.ProgType(e.progs[i].kind) == kind && e.progs[i].filesz != 0 {
			return &e.progs[i]
		}
	}
	return nil
}

// read gives n bytes at off, all of them.
func (e *elfFile) read(off uint64, n int) ([]byte, error) {
	if off > uint64(e.size) || uint64(n) > uint64(e.size)-off {
		return nil, broken("it ends before byte %d", off)
	}
	b := make([]byte, n)
	if _, err := e.f.ReadAt(b, int64(off)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

func (e *elfFile) parseHeader() error {
	ident, err := e.read(0, elf.EI_NIDENT)
	if err != nil {
		return err
	}
	e.class = elf.Class(ident[elf.EI_CLASS])
	switch {
	case string(ident[:4]) != elf.ELFMAG:
		return broken("it has no magic number")
	case e.class != elf.ELFCLASS32 && e.class != elf.ELFCLASS64:
		return broken("its class is %d", e.class)
	}
	switch elf.Data(ident[elf.EI_DATA]) {
	case elf.ELFDATA2LSB:
		e.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		e.order = binary.BigEndian
	default:
		return broken("its byte order is %d", ident[elf.EI_DATA])
	}
	h, err := e.read(0, e.sizes().header)
	if err != nil {
		return err
	}
	e.kind = elf.Type(e.order.Uint16(h[16:]))
	if e.kind != elf.ET_EXEC && e.kind != elf.ET_DYN {
		return broken("it is neither an executable nor a shared library")
	}
	shnum, phnum := 48, 44
	if e.class == elf.ELFCLASS64 {
		e.phoff, e.shoff = int64(e.order.Uint64(h[32:])), int64(e.order.Uint64(h[40:]))
		shnum, phnum = 60, 56
	} else {
		e.phoff, e.shoff = int64(e.order.Uint32(h[28:])), int64(e.order.Uint32(h[32:]))
	}
	e.shnum = int(e.order.Uint16(h[shnum:]))
	e.progs = make([]segment, e.order.Uint16(h[phnum:]))
	return nil
}

func (e *elfFile) parseSegments() error {
	step := e.sizes().segment
	data, err := e.read(uint64(e.phoff), len(e.progs)*step)
	if err != nil {
		return err
	}
	for i := range e.progs {
		e.progs[i] = e.segmentOf(data[i*step:])
	}
	return nil
}

func (e *elfFile) segmentOf(b []byte) segment {
	u32 := func(i int) uint64 { return uint64(e.order.Uint32(b[4*i:])) }
	u64 := func(i int) uint64 { return e.order.Uint64(b[8*i:]) }
	if e.class == elf.ELFCLASS64 {
		return segment{uint32(u32(0)), uint32(u32(1)), u64(1), u64(2), u64(3), u64(4), u64(5), u64(6)}
	}
	return segment{uint32(u32(0)), uint32(u32(6)), u32(1), u32(2), u32(3), u32(4), u32(5), u32(7)}
}

func (e *elfFile) encodeSegment(p segment) []byte {
	b := make([]byte, 0, 56)
	if e.class == elf.ELFCLASS64 {
		b = e.order.AppendUint32(e.order.AppendUint32(b, p.kind), p.flags)
		for _, v := range []uint64{p.off, p.vaddr, p.paddr, p.filesz, p.memsz, p.aligns} {
			b = e.order.AppendUint64(b, v)
		}
		return b
	}
	for _, v := range []uint64{uint64(p.kind), p.off, p.vaddr, p.paddr, p.filesz, p.memsz, uint64(p.flags), p.aligns} {
		b = e.order.AppendUint32(b, uint32(v))
	}
	return b
}

// stringIn reads the C string at start of the n bytes at off.
func (e *elfFile) stringIn(off, n, start uint64) (string, error) {
	if start >= n {
		return "", broken("a string begins behind its table")
	}
	var text []byte
	for at := start; at < n; {
		b, err := e.read(off+at, int(min(n-at, 256)))
		if err != nil {
			return "", err
		}
		if end := slices.Index(b, 0); end >= 0 {
			return string(append(text, b[:end]...)), nil
		}
		if text = append(text, b...); len(text) > maxString {
			break
		}
		at += uint64(len(b))
	}
	return "", broken("a string has no end")
}

// maxString is more than an RPATH of a thousand directories.
const maxString = 16 << 20

// maxDynamic bounds the dynamic section; real ones have some dozens of entries.
const maxDynamic = 1 << 20

// parseDynamic reads the dynamic section. As in Spack's reader, a second RPATH,
// a missing string table or one that no section header describes make the file
// one that is left alone.
func (e *elfFile) parseDynamic(p segment) error {
	step := e.sizes().dyn
	if p.filesz > maxDynamic {
		return broken("its dynamic section has %d bytes", p.filesz)
	}
	counts := map[elf.DynTag]int{}
	values := map[elf.DynTag]uint64{}
	var names []uint64
	data, err := e.read(p.off, int(p.filesz)/step*step)
	if err != nil {
		return err
	}
	for at := 0; at < len(data); at += step {
		tag, value := e.dynOf(data[at:])
		if tag == elf.DT_NULL {
			break
		}
		counts[tag]++
		values[tag], e.tagAt[tag] = value, int64(p.off)+int64(at)
		switch tag {
		case elf.DT_RPATH, elf.DT_RUNPATH:
			e.rpathTag = tag
		case elf.DT_NEEDED:
			names = append(names, value)
		}
	}
	rpaths := counts[elf.DT_RPATH] + counts[elf.DT_RUNPATH]
	switch {
	case rpaths > 1:
		return broken("it has more than one RPATH")
	case counts[elf.DT_STRTAB] != 1:
		return broken("it does not have one string table")
	case rpaths == 0 && counts[elf.DT_SONAME] == 0 && len(names) == 0:
		return nil
	}
	if err := e.findStrtab(values[elf.DT_STRTAB]); err != nil {
		return err
	}
	if counts[elf.DT_SONAME] > 0 {
		names = append(names, values[elf.DT_SONAME])
	}
	for _, at := range names {
		if _, err := e.stringIn(e.strtab.off, e.strtab.size, at); err != nil {
			return err
		}
	}
	if rpaths == 0 {
		return nil
	}
	at := values[e.rpathTag]
	text, err := e.stringIn(e.strtab.off, e.strtab.size, at)
	e.rpath = &cString{text, int64(e.strtab.off + at)}
	return err
}

func (e *elfFile) dynOf(b []byte) (elf.DynTag, uint64) {
	if e.class == elf.ELFCLASS64 {
		return elf.DynTag(int64(e.order.Uint64(b))), e.order.Uint64(b[8:])
	}
	return elf.DynTag(int32(e.order.Uint32(b))), uint64(e.order.Uint32(b[4:]))
}

// findStrtab finds the section header of the string table at an address.
func (e *elfFile) findStrtab(addr uint64) error {
	off, ok := e.offsetOf(addr)
	if !ok {
		return broken("its string table is in no segment")
	}
	headers, err := e.sections()
	if err != nil {
		return err
	}
	for _, s := range headers {
		if elf.SectionType(s.kind) == elf.SHT_STRTAB && s.off == off {
			e.strtab = s
			return nil
		}
	}
	return broken("no section header describes its string table")
}

// offsetOf gives where an address is in the file.
func (e *elfFile) offsetOf(addr uint64) (uint64, bool) {
	best := -1
	for i, p := range e.progs {
		if elf.ProgType(p.kind) != elf.PT_LOAD || p.filesz == 0 || p.vaddr > addr {
			continue
		}
		if best < 0 || p.vaddr >= e.progs[best].vaddr {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	return e.progs[best].off + (addr - e.progs[best].vaddr), true
}

// sections reads the section headers.
func (e *elfFile) sections() ([]section, error) {
	step := e.sizes().section
	data, err := e.read(uint64(e.shoff), e.shnum*step)
	if err != nil {
		return nil, err
	}
	all := make([]section, e.shnum)
	for i := range all {
		b := data[i*step:]
		all[i] = section{at: e.shoff + int64(i*step), kind: e.order.Uint32(b[4:])}
		if e.class == elf.ELFCLASS64 {
			all[i].addr, all[i].off, all[i].size = e.order.Uint64(b[16:]), e.order.Uint64(b[24:]), e.order.Uint64(b[32:])
		} else {
			all[i].addr, all[i].off, all[i].size = uint64(e.order.Uint32(b[12:])), uint64(e.order.Uint32(b[16:])), uint64(e.order.Uint32(b[20:]))
		}
	}
	return all, nil
}
