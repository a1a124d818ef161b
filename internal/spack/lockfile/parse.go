package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"esd/internal/spack"
)

// Options steer [ParseWith].
type Options struct {
	// TrustHashes leaves out comparing hashes with content: for locks whose
	// specs were computed by a Spack that wrote them in other words.
	TrustHashes bool
}

// Parse reads a lock file. The result refers to data, which must not change.
func Parse(data []byte) (*Lock, error) { return ParseWith(data, Options{}) }

// ParseWith is [Parse] with options.
func ParseWith(data []byte, o Options) (*Lock, error) {
	p := &parser{data: data, lock: &Lock{Specs: spack.Specs{}}, opts: o}
	if err := p.document(); err != nil {
		return nil, err
	}
	l := p.lock
	l.SpecfileVersion = specfileOf(l.Version)
	for _, n := range p.nodes {
		spec, err := p.specs.Decode(n.raw, l.SpecfileVersion)
		if err := p.add(n.key, spec, err); err != nil {
			return nil, err
		}
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	return l, nil
}

// maxIncludes is how deep environments may include each other.
const maxIncludes = 64

type parser struct {
	data  []byte
	dec   *jsontext.Decoder
	lock  *Lock
	nodes []node
	specs spack.Decoder

	meta, roots, concrete bool // was there

	opts   Options
	failed error // of a spec: the file can be read, but not accepted
}

// node is a spec that was not decoded yet, because the version follows after it.
// Spack writes it before.
type node struct {
	key string
	raw []byte
}

// document reads the file, specs as bytes.
func (p *parser) document() error {
	p.dec = jsontext.NewDecoder(bytes.NewBuffer(p.data))
	if p.dec.PeekKind() != '{' {
		if _, err := p.dec.ReadToken(); err != nil {
			return p.syntax(err)
		}
		return fmt.Errorf("%w: it is no JSON object", ErrNotLock)
	}
	err := p.object(p.member)
	switch {
	case p.failed != nil:
		return p.failed
	case err != nil:
		return p.syntax(err)
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &SyntaxError{Offset: p.dec.InputOffset(), Err: errors.New("something follows after the end")}
	}
	switch {
	case !p.meta:
		return fmt.Errorf("%w: it has no _meta with a lockfile-version", ErrNotLock)
	case !p.roots || !p.concrete:
		return fmt.Errorf("%w: it has no roots or no concrete_specs%s", ErrNotLock, restore)
	}
	return nil
}

func (p *parser) member(name string) error {
	switch name {
	case "_meta":
		p.meta = true
		return p.readMeta()
	case "spack":
		return p.readSpack()
	case "roots":
		p.roots = true
		return p.readRoots(&p.lock.Roots)
	case "concrete_specs":
		p.concrete = true
		return p.readNodes()
	case "include_concrete":
		return p.readIncluded(&p.lock.Included, 0)
	}
	return p.dec.SkipValue()
}

func (p *parser) readMeta() error {
	var meta struct {
		Type    string `json:"file-type"`
		Version int    `json:"lockfile-version"`
	}
	if err := json.UnmarshalDecode(p.dec, &meta); err != nil {
		return err
	}
	if meta.Type != "spack-lockfile" {
		return fmt.Errorf("%w: its file-type is %.40q instead of spack-lockfile", ErrNotLock, meta.Type)
	}
	p.lock.Version = meta.Version
	return checkVersion(meta.Version)
}

func checkVersion(v int) error {
	switch {
	case v < OldestVersion:
		return fmt.Errorf("%w: version %d is older than Spack 0.18, and versions %d to %d are known; concretize again with Spack 0.23 or 1.x",
			ErrVersion, v, OldestVersion, NewestVersion)
	case v > NewestVersion:
		return fmt.Errorf("%w: version %d is of a newer Spack, and versions %d to %d are known; update this program, or concretize with the older Spack",
			ErrVersion, v, OldestVersion, NewestVersion)
	}
	return nil
}

func (p *parser) readSpack() error {
	var v struct {
		Version string `json:"version"`
		Type    string `json:"type"`
		Commit  string `json:"commit"`
	}
	err := json.UnmarshalDecode(p.dec, &v)
	p.lock.Spack = SpackVersion(v)
	return err
}

func (p *parser) readRoots(to *[]Root) error {
	var roots []struct {
		Hash string `json:"hash"`
		Spec string `json:"spec"`
	}
	if err := json.UnmarshalDecode(p.dec, &roots); err != nil {
		return err
	}
	for _, r := range roots {
		h := spack.Hash(r.Hash)
		if !h.Valid() {
			return &KeyError{Name: fmt.Sprintf("root %.60q", r.Spec), What: fmt.Sprintf("its hash %.40q is no hash", r.Hash)}
		}
		*to = append(*to, Root{Hash: h, Spec: r.Spec})
	}
	return nil
}

func (p *parser) readNodes() error {
	return p.object(func(key string) error {
		if p.meta && len(p.nodes) == 0 {
			return p.readNode(key)
		}
		raw, err := p.dec.ReadValue()
		if err == nil {
			end := p.dec.InputOffset()
			p.nodes = append(p.nodes, node{key: key, raw: p.data[end-int64(len(raw)) : end : end]})
		}
		return err
	})
}

func (p *parser) readNode(key string) error {
	spec, err := p.specs.DecodeNext(p.dec, p.data, specfileOf(p.lock.Version))
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return err
	}
	p.failed = p.add(key, spec, err)
	return p.failed
}

func (p *parser) readIncluded(to *[]Included, depth int) error {
	if depth > maxIncludes {
		return fmt.Errorf("environments include each other more than %d times%s", maxIncludes, restore)
	}
	return p.object(func(path string) error {
		in := Included{Path: path}
		err := p.object(func(name string) error {
			switch name {
			case "roots":
				return p.readRoots(&in.Roots)
			case "concrete_specs":
				return p.readNodes()
			case "include_concrete":
				return p.readIncluded(&in.Included, depth+1)
			}
			return p.dec.SkipValue()
		})
		*to = append(*to, in)
		return err
	})
}

// object calls member for each member of an object, whose value is next.
func (p *parser) object(member func(name string) error) error {
	if k := p.dec.PeekKind(); k != '{' && k != jsontext.KindInvalid {
		return errors.New("an object is expected")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// syntax tells where a file is damaged. Errors that say more stay what they
// are.
func (p *parser) syntax(err error) error {
	var ours *KeyError
	if errors.Is(err, ErrVersion) || errors.Is(err, ErrNotLock) || errors.As(err, &ours) {
		return err
	}
	e := &SyntaxError{Offset: p.dec.InputOffset(), Where: string(p.dec.StackPointer()), Err: err}
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.As(err, &syntactic):
		e.Offset, e.Where, e.Err = syntactic.ByteOffset, string(syntactic.JSONPointer), syntactic.Err
	case errors.As(err, &semantic):
		e.Offset, e.Where = semantic.ByteOffset, string(semantic.JSONPointer)
		e.Err = fmt.Errorf("a value of type %s is not expected there", semantic.JSONKind)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		e.Err = errors.New("the file ends too early")
	}
	return e
}

// add puts a spec in its place, unless it could not be decoded.
func (p *parser) add(key string, spec *spack.Spec, err error) error {
	l := p.lock
	switch {
	case err != nil:
		return fmt.Errorf("/concrete_specs/%.40s: %w%s", key, err, restore)
	case key != string(spec.Hash):
		return &KeyError{Name: spec.Name, What: fmt.Sprintf("it stands under %.40q, and its hash is %s", key, spec.Hash)}
	}
	if other := l.Specs[spec.Hash]; other != nil {
		if !bytes.Equal(other.Raw, spec.Raw) {
			return &KeyError{Name: spec.Name, What: fmt.Sprintf("the hash %s is there twice with different content", spec.Hash)}
		}
		return nil
	}
	if !p.opts.TrustHashes {
		if err := spec.VerifyHash(specfileOf(l.Version)); err != nil && !errors.Is(err, spack.ErrNotVerifiable) {
			return err
		}
	}
	l.Specs[spec.Hash] = spec
	l.Order = append(l.Order, spec.Hash)
	return nil
}
