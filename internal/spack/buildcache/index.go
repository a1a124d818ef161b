package buildcache

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"esd/internal/spack"
	"esd/internal/spack/transport"
)

// indexStream is the index of a cache, opened. Its content is verified while it is
// read, where its digest is known beforehand.
type indexStream struct {
	io.ReadCloser
	id   indexID
	size int64 // negative when not told
}

// indexID tells one state of an index from another.
type indexID struct {
	Digest string `json:"digest,omitempty"` // sha256 as the cache tells it
	ETag   string `json:"etag,omitempty"`
}

// The versions of the database format (_DB_VERSION in database.py) that an index may
// have: 7 is of 0.23, 8 of 1.x.
const (
	oldestDatabase = "6"
	dbVersion023   = "7"
	dbVersion      = "8"
)

// rawHash is a DAG hash without its base32.
type rawHash [20]byte

// hashEncoding is that of DAG hashes: base32 in lower case.
var hashEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

func packHash(h []byte) (r rawHash, ok bool) {
	if len(h) != spack.HashLength || !spack.Hash(h).Valid() {
		return r, false
	}
	n, err := hashEncoding.Decode(r[:], h)
	return r, err == nil && n == len(r)
}

func (r rawHash) unpack() spack.Hash { return spack.Hash(hashEncoding.EncodeToString(r[:])) }

// indexRecord is what of an entry of an index is kept.
type indexRecord struct {
	hash                      rawHash
	inCache, external         bool
	name, version             []byte
	platform, os, target      []byte
	compiler, compilerVersion []byte
	deps                      []indexDep
	specHash                  rawHash
	hasSpec, hasCompiler      bool
}

// indexDep is a dependency: its hash, its types, and the languages that it compiles.
type indexDep struct {
	hash      rawHash
	types     spack.DepTypes
	languages uint8 // 1 c, 2 cxx, 4 fortran
}

func (r *indexRecord) reset() {
	*r = indexRecord{
		name: r.name[:0], version: r.version[:0], platform: r.platform[:0], os: r.os[:0], target: r.target[:0],
		compiler: r.compiler[:0], compilerVersion: r.compilerVersion[:0], deps: r.deps[:0],
	}
}

// indexParser walks through an index without building values: it may have hundreds of
// megabytes.
type indexParser struct {
	dec   *jsontext.Decoder
	rec   indexRecord
	visit func(*indexRecord) error
	text  []byte // of a string with escapes
}

// maxToken is how much of an index may be in memory at once: more than any spec has.
const maxToken = 16 << 20

func newIndexParser(ctx context.Context, r io.Reader) *indexParser {
	p := &indexParser{}
	in := &tokenReader{r: transport.WithContext(ctx, r)}
	// Names are not looked at twice, which for so many would take as much memory as
	// they have, and texts are not for showing.
	p.dec = jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	in.done = p.dec.InputOffset
	return p
}

// tokenReader ends when the decoder reads on and on for one value: it would keep all
// of that in memory.
type tokenReader struct {
	r    io.Reader
	n    int64
	done func() int64 // bytes that the decoder is done with
}

// Read implements io.Reader.
func (t *tokenReader) Read(p []byte) (int, error) {
	if t.n-t.done() > maxToken {
		return 0, fmt.Errorf("%w: a value in the index is larger than %d bytes", ErrInvalid, maxToken)
	}
	n, err := t.r.Read(p)
	t.n += int64(n)
	return n, err
}

// explain words what is no JSON.
func (p *indexParser) explain(where string, err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, ErrInvalid), !errors.As(err, &syntax):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return invalid(where, nil, "the index is cut short")
	}
	return invalid(where, p.dec.UnreadBuffer(), "not an index: %v", syntax.Err)
}

// parseIndex calls visit for each entry; the record is good until it returns.
func parseIndex(ctx context.Context, r io.Reader, where string, visit func(*indexRecord) error) error {
	p := newIndexParser(ctx, r)
	p.visit = visit
	version, found, err := p.document()
	switch {
	case err != nil:
		return p.explain(where, err)
	case !found:
		return invalid(where, nil, "it is no index: there are no installs in it")
	case len(version) != 1 || version < oldestDatabase || version > dbVersion:
		return invalid(where, nil, "index of database version %q, %s to %s are understood", abbreviate(version), oldestDatabase, dbVersion)
	}
	return nil
}

func (p *indexParser) document() (version string, found bool, err error) {
	err = p.object(func(name string) error {
		if name != "database" {
			return p.dec.SkipValue()
		}
		return p.object(func(name string) error {
			switch name {
			case "version":
				v, err := p.string(nil)
				version = string(v)
				return err
			case "installs":
				found = true
				return p.object(p.install)
			}
			return p.dec.SkipValue()
		})
	})
	if err != nil {
		return "", false, err
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return "", false, fmt.Errorf("%w: something follows the index", ErrInvalid)
	}
	return version, found, nil
}

func (p *indexParser) install(name string) error {
	p.rec.reset()
	h, ok := packHash([]byte(name))
	if !ok {
		return fmt.Errorf("%w: the index has %q in place of a hash", ErrInvalid, abbreviate(name))
	}
	p.rec.hash = h
	err := p.object(func(name string) (err error) {
		switch name {
		case "spec":
			p.rec.hasSpec = true
			return p.object(p.spec)
		case "in_buildcache":
			p.rec.inCache = p.dec.PeekKind() == 't'
		}
		return p.dec.SkipValue()
	})
	switch {
	case err != nil:
		return err
	case !p.rec.hasSpec || p.rec.specHash != h || len(p.rec.name) == 0 || len(p.rec.version) == 0:
		return fmt.Errorf("%w: the index has no right spec for /%s", ErrInvalid, name)
	}
	return p.visit(&p.rec)
}

func (p *indexParser) spec(name string) (err error) {
	switch name {
	case "name":
		p.rec.name, err = p.string(p.rec.name)
	case "version":
		p.rec.version, err = p.string(p.rec.version)
	case "arch":
		return p.object(p.arch)
	case "compiler":
		p.rec.hasCompiler = true
		return p.object(p.compiler)
	case "external":
		p.rec.external = p.dec.PeekKind() == '{'
		return p.dec.SkipValue()
	case "dependencies":
		return p.array(p.dependency)
	case "hash":
		p.text, err = p.string(p.text)
		p.rec.specHash, _ = packHash(p.text)
	default:
		return p.dec.SkipValue()
	}
	return err
}

func (p *indexParser) arch(name string) (err error) {
	switch name {
	case "platform":
		p.rec.platform, err = p.string(p.rec.platform)
	case "platform_os":
		p.rec.os, err = p.string(p.rec.os)
	case "target":
		if p.dec.PeekKind() == '{' { // described by its features
			return p.object(p.target)
		}
		p.rec.target, err = p.string(p.rec.target)
	default:
		return p.dec.SkipValue()
	}
	return err
}

func (p *indexParser) target(name string) (err error) {
	if name != "name" {
		return p.dec.SkipValue()
	}
	p.rec.target, err = p.string(p.rec.target)
	return err
}

func (p *indexParser) compiler(name string) (err error) {
	switch name {
	case "name":
		p.rec.compiler, err = p.string(p.rec.compiler)
	case "version":
		p.rec.compilerVersion, err = p.string(p.rec.compilerVersion)
	default:
		return p.dec.SkipValue()
	}
	return err
}

func (p *indexParser) dependency() error {
	var d indexDep
	err := p.object(func(name string) (err error) {
		switch name {
		case "hash":
			p.text, err = p.string(p.text)
			h, ok := packHash(p.text)
			if err == nil && !ok {
				err = fmt.Errorf("%w: the index has a dependency without a right hash", ErrInvalid)
			}
			d.hash = h
			return err
		case "parameters":
			return p.object(func(name string) error { return p.edge(name, &d) })
		}
		return p.dec.SkipValue()
	})
	p.rec.deps = append(p.rec.deps, d)
	return err
}

func (p *indexParser) edge(name string, d *indexDep) error {
	switch name {
	case "deptypes":
		return p.array(func() error {
			raw, err := p.dec.ReadValue()
			switch string(raw) {
			case `"build"`:
				d.types |= spack.Build
			case `"link"`:
				d.types |= spack.Link
			case `"run"`:
				d.types |= spack.Run
			case `"test"`:
				d.types |= spack.Test
			}
			return err
		})
	case "virtuals":
		return p.array(func() error {
			raw, err := p.dec.ReadValue()
			switch string(raw) {
			case `"c"`:
				d.languages |= 1
			case `"cxx"`:
				d.languages |= 2
			case `"fortran"`:
				d.languages |= 4
			}
			return err
		})
	}
	return p.dec.SkipValue()
}
