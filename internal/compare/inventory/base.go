package inventory

import (
	"archive/tar"
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"esd/internal/compare"
	"esd/internal/oci"
)

const (
	// maxRelease is how much is read of a layer, in bytes as it is stored, to
	// find the release of a distribution: layers of Debian and Alpine have it
	// in their first megabyte.
	maxRelease = 64 << 20
	// maxSystem is how much is read of all layers of a base to find the
	// packages of a distribution.
	maxSystem = 1 << 30
	// maxUnpacked and maxUnpackedRelease bound what that may become.
	maxUnpacked        = 8 << 30
	maxUnpackedRelease = 512 << 20
	// maxSmall bounds a file that is looked into.
	maxSmall = 64 << 20
)

// base says what the image is built upon: by its name and what is known of its
// release. nil for nothing.
func (i *Image) base(ctx context.Context, read Contents) (*compare.Fact, []*compare.Package, error) {
	id := i.BaseID()
	if id == "" {
		return &compare.Fact{Kind: compare.BaseFact, Value: "scratch"}, nil, nil
	}
	fact := &compare.Fact{Kind: compare.BaseFact, ID: id, Value: cmp.Or(i.releaseOfConfig(), i.image.Manifest.Annotations[annotationBaseName])}
	layers := i.baseLayers()
	if len(layers) == 0 || !read.Release && !read.System {
		return fact, nil, nil
	}
	found, err := i.scanBase(ctx, layers, read.System)
	if err != nil {
		if !mayGoOn(err) {
			return nil, nil, err
		}
		i.note("its base cannot be looked into: %v", err)
		return fact, nil, nil
	}
	if name := found.release(); name != "" {
		fact.Value = name
	}
	if !read.System {
		return fact, nil, nil
	}
	packages := found.packages()
	if packages == nil {
		i.note("no packages of a distribution are recorded in its base")
	}
	return fact, packages, nil
}

// releaseOfConfig is what labels and the history say of the base.
func (i *Image) releaseOfConfig() string {
	labels := i.image.Config.Config.Labels
	if name := labels[labelRefName]; name != "" && labels[labelVersion] != "" && !strings.ContainsAny(name, "/:") {
		return name + " " + labels[labelVersion]
	}
	for _, h := range i.image.Config.History {
		if name := debianOfHistory(h.CreatedBy); name != "" {
			return name
		}
	}
	return ""
}

// debianOfHistory reads the line that Debian's official images are made by:
// # debian.sh --arch 'amd64' out/ 'bookworm' '@1728345600'.
func debianOfHistory(line string) string {
	_, rest, ok := strings.Cut(line, "debian.sh --arch ")
	if !ok {
		return ""
	}
	words := strings.Fields(strings.ReplaceAll(rest, "'", ""))
	if len(words) < 4 {
		return ""
	}
	name := "debian " + words[2]
	if seconds, err := strconv.ParseInt(strings.TrimPrefix(words[3], "@"), 10, 64); err == nil && seconds > 0 && seconds < 1<<36 {
		name += " of " + time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	return name
}

// system is what was found of a distribution.
type system struct {
	osRelease, debianVersion string
	installed                []*compare.Package
	recorded                 bool
}

// scanBase looks into layers of a base: into the lowest only as far as the
// release stands, or into all.
func (i *Image) scanBase(ctx context.Context, layers []oci.Layer, all bool) (*system, error) {
	found := &system{}
	if !all {
		layers = layers[:1]
	}
	left := int64(maxSystem)
	for n := len(layers) - 1; n >= 0; n-- { // what lies higher hides what lies below
		l := layers[n]
		if all && l.Descriptor.Size > left || !all && l.Descriptor.Size > maxRelease {
			return nil, fmt.Errorf("its layer has %d bytes, and that is more than is read", l.Descriptor.Size)
		}
		left -= l.Descriptor.Size
		if err := found.scan(ctx, l, all); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// errEnough ends reading where all is known.
var errEnough = errors.New("enough is known")

func (s *system) scan(ctx context.Context, l oci.Layer, all bool) error {
	stored, err := l.Open(ctx)
	if err != nil {
		return err
	}
	defer stored.Close()
	r, err := unzipped(stored)
	if err != nil {
		return err
	}
	limit := int64(maxUnpackedRelease)
	if all {
		limit = maxUnpacked
	}
	files := tar.NewReader(io.LimitReader(r, limit))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxSmall {
			continue
		}
		if err := s.file(path.Clean("/"+h.Name), files, all); err != nil {
			if errors.Is(err, errEnough) {
				return nil
			}
			return err
		}
	}
}

// unzipped reads a layer as it is stored. Bases are compressed with gzip, if at
// all.
func unzipped(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	head, err := b.Peek(4)
	switch {
	case err != nil:
		return nil, err
	case head[0] == 0x1f && head[1] == 0x8b:
		return gzip.NewReader(b)
	case head[0] == 0x28 && head[1] == 0xb5:
		return nil, errors.New("its layers are compressed with zstd")
	}
	return b, nil
}

// file looks into one file, if it is one of those that say something.
func (s *system) file(name string, r io.Reader, all bool) error {
	into := func(to *string) error {
		if *to != "" { // a higher layer said it
			return nil
		}
		data, err := io.ReadAll(io.LimitReader(r, 1<<16))
		*to = string(data)
		return err
	}
	var err error
	switch name {
	case "/etc/os-release", "/usr/lib/os-release":
		err = into(&s.osRelease)
	case "/etc/debian_version":
		err = into(&s.debianVersion)
	case "/var/lib/dpkg/status":
		if all && !s.recorded {
			s.recorded = true
			s.installed, err = readStanzas(r, dpkgFields, maxSystemPackages)
		}
	case "/lib/apk/db/installed", "/usr/lib/apk/db/installed":
		if all && !s.recorded {
			s.recorded = true
			s.installed, err = readStanzas(r, apkFields, maxSystemPackages)
		}
	default:
		if dir, base := path.Split(name); all && dir == "/var/lib/dpkg/status.d/" && !strings.Contains(base, ".") { // images without a shell
			var more []*compare.Package
			more, err = readStanzas(r, dpkgFields, maxSystemPackages-len(s.installed))
			s.installed = append(s.installed, more...)
		}
	}
	if err == nil && !all && s.debianVersion != "" {
		return errEnough
	}
	if err == nil && !all && s.osRelease != "" && !strings.Contains(s.osRelease, "ID=debian") {
		return errEnough
	}
	return err
}

// release names the distribution: "debian 12.5".
func (s *system) release() string {
	fields := map[string]string{}
	for line := range strings.Lines(s.osRelease) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			fields[name] = strings.Trim(value, `"'`)
		}
	}
	id, version := fields["ID"], cmp.Or(fields["DEBIAN_VERSION_FULL"], fields["VERSION_ID"])
	if debian, _, _ := strings.Cut(strings.TrimSpace(s.debianVersion), "\n"); debian != "" && (id == "" || id == "debian") {
		id, version = "debian", debian
	}
	if id == "" {
		return ""
	}
	return oneLine(strings.TrimSpace(id + " " + version))
}

// oneLine keeps what a hostile file says of itself short.
func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s[:min(len(s), 80)]
}

// packages are those of the distribution, sorted by name; nil if none are
// recorded.
func (s *system) packages() []*compare.Package { return s.installed }

// Fields of the records of package managers.
type stanzaFields struct{ name, version, architecture string }

var (
	dpkgFields = stanzaFields{"Package: ", "Version: ", "Architecture: "}
	apkFields  = stanzaFields{"P:", "V:", "A:"}
)

// maxSystemPackages bounds the packages of a distribution.
const maxSystemPackages = 200_000

// readStanzas reads the records of dpkg (deb-status, dpkg(1)) or of apk: a
// field a line, and an empty line after each package. It reads most packages at
// the most.
func readStanzas(r io.Reader, fields stanzaFields, most int) ([]*compare.Package, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	var list []*compare.Package
	p := &compare.Package{}
	end := func() {
		if p.Name != "" && p.Version != "" && len(list) < most {
			p.ID, p.Runs = digest([]byte(p.Version+" "+p.ID)), true
			list = append(list, p)
		}
		p = &compare.Package{}
	}
	for len(list) < most && lines.Scan() {
		line := lines.Text()
		switch {
		case line == "":
			end()
		case strings.HasPrefix(line, fields.name):
			p.Name = oneLine(line[len(fields.name):])
		case strings.HasPrefix(line, fields.version):
			p.Version = oneLine(line[len(fields.version):])
		case strings.HasPrefix(line, fields.architecture):
			p.ID = oneLine(line[len(fields.architecture):])
		}
	}
	end()
	return list, lines.Err()
}
