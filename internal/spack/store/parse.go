package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
)

// The versions of the database that can be read and written (_DB_VERSION in
// database.py of Spack 0.20 to 0.23, and of 1.x), and the version of the specs
// in each (reader in database.py).
const (
	Version7 = 7
	Version8 = 8
)

func specfileVersion(database int) int {
	if database == Version7 {
		return 4
	}
	return 5
}

// parseRecords reads a database. Nothing in data is trusted; data is kept, and
// records refer to it.
func parseRecords(data []byte) (*Records, error) {
	p := &parser{data: data, dec: jsontext.NewDecoder(bytes.NewBuffer(data))}
	if err := p.document(); err != nil {
		if errors.Is(err, ErrVersion) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	records := &Records{Version: p.version, byHash: make(map[spack.Hash]*Record, len(p.records))}
	if err := p.decode(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for _, rec := range p.records {
		records.add(rec)
	}
	return records, nil
}

type parser struct {
	data []byte
	dec  *jsontext.Decoder

	version int
	records []*Record
	keys    []spack.Hash
	specs   []jsontext.Value // of the records, in their order
}

// document reads {"database":{"version":…,"installs":{…}}}.
func (p *parser) document() error {
	seen := false
	err := p.object("the document", func(name string) error {
		if name != "database" {
			return p.dec.SkipValue()
		}
		seen = true
		return p.object("database", p.database)
	})
	if err != nil {
		return err
	}
	if k := p.dec.PeekKind(); k != jsontext.KindInvalid || p.rest() {
		return errors.New("something follows after its end")
	}
	switch {
	case !seen:
		return errors.New(`it has no "database"`)
	case p.version == 0:
		return errors.New(`it has no "version"`)
	}
	return nil
}

// rest tells whether more than white space follows.
func (p *parser) rest() bool {
	return len(bytes.TrimSpace(p.data[p.dec.InputOffset():])) > 0
}

func (p *parser) database(name string) error {
	switch name {
	case "version":
		text, err := p.text("version")
		if err != nil {
			return err
		}
		p.version, err = databaseVersion(text)
		return err
	case "installs":
		return p.object("installs", p.install)
	}
	return p.dec.SkipValue()
}

func databaseVersion(text string) (int, error) {
	n, err := strconv.Atoi(text)
	switch {
	case err == nil && (n == Version7 || n == Version8):
		return n, nil
	case err == nil && n > Version8:
		return 0, fmt.Errorf("%w: the database is of version %d, versions 7 and 8 are known: a newer Spack wrote it, so a newer esd is needed", ErrVersion, n)
	case err == nil && n > 0, text == "0.9.3":
		return 0, fmt.Errorf("%w: the database is of version %s, versions 7 and 8 are known: run `spack reindex` with Spack 0.20 or newer", ErrVersion, text)
	}
	return 0, fmt.Errorf("its version is %q", text)
}

// install reads one record.
func (p *parser) install(name string) error {
	h := spack.Hash(name)
	if !h.Valid() {
		return fmt.Errorf("it has a record of %q, which is no hash", name)
	}
	p.dec.PeekKind()
	rec, start, spec := &Record{}, p.dec.InputOffset(), jsontext.Value(nil)
	err := p.object("the record", func(name string) (err error) {
		if name == "spec" {
			spec, err = p.value()
			return err
		}
		return p.member(rec, name)
	})
	if err == nil && spec == nil {
		err = errors.New("it has no spec")
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", h, err)
	}
	rec.raw = bytes.TrimLeft(p.data[start:p.dec.InputOffset()], ": \t\r\n")
	p.records, p.keys, p.specs = append(p.records, rec), append(p.keys, h), append(p.specs, spec)
	return nil
}

func (p *parser) member(rec *Record, name string) (err error) {
	switch name {
	case "path":
		if rec.Path, err = p.textOrNull(name); rec.Path == "None" { // so older Spacks wrote null
			rec.Path = ""
		}
	case "installed":
		rec.Installed, err = p.boolean(name)
	case "explicit":
		rec.Explicit, err = p.boolean(name)
	case "ref_count":
		var n float64
		n, err = p.number(name)
		if rec.RefCount = int(n); err == nil && (float64(rec.RefCount) != n || n > 1<<31) {
			err = fmt.Errorf("its ref_count is %v", n)
		}
	case "installation_time":
		var n float64
		if n, err = p.number(name); err == nil {
			rec.InstallationTime, err = fromSeconds(n)
		}
	case "deprecated_for":
		var text string
		if text, err = p.textOrNull(name); text != "" && !spack.Hash(text).Valid() {
			err = fmt.Errorf("it is deprecated for %q, which is no hash", text)
		}
		rec.DeprecatedFor = spack.Hash(text)
	default:
		var value jsontext.Value
		value, err = p.value()
		rec.extra = append(rec.extra, member{name, value})
	}
	return err
}

// fromSeconds keeps what a float64 has of the time.
func fromSeconds(s float64) (time.Time, error) {
	if s < 0 || s > 1e11 {
		return time.Time{}, fmt.Errorf("its installation_time is %v", s)
	}
	whole, part := math.Modf(s)
	return time.Unix(int64(whole), int64(math.Round(part*1e9))).UTC(), nil
}

// decode decodes the specs of all records, on all processors: it is most of
// the work.
func (p *parser) decode() error {
	var group errgroup.Group
	share := max(256, len(p.records)/runtime.GOMAXPROCS(0)+1)
	for start := 0; start < len(p.records); start += share {
		group.Go(func() error {
			var d spack.Decoder
			for i := start; i < min(start+share, len(p.records)); i++ {
				spec, err := d.Decode(p.specs[i], specfileVersion(p.version))
				if err != nil {
					return fmt.Errorf("record %s: %w", p.keys[i], err)
				}
				if spec.Hash != p.keys[i] {
					return fmt.Errorf("record %s has the spec of %s", p.keys[i], label(spec))
				}
				p.records[i].Spec = spec
			}
			return nil
		})
	}
	return group.Wait()
}
