package filesystem_test

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // it is what Spack's hashes are made of
	"encoding/base32"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/buildcache"
)

// builtAt is the root at which the packages of the tests were built: long enough
// for the directories of tests.
var builtAt = "/opt/" + strings.Repeat("built/", 40) + "store"

// toy makes a package, as name@version, that needs others, as
// name@version:types; and brings it to the cache.
func (p *place) toy(id string, needs ...string) *spack.Spec {
	p.Helper()
	return p.toyAt(builtAt, id, needs...)
}

// toyAt makes a package that was built below a root.
func (p *place) toyAt(root, id string, needs ...string) *spack.Spec {
	p.Helper()
	name, version, _ := strings.Cut(id, "@")
	spec := p.node(name, version, "", needs)
	p.specs[id] = spec
	if err := p.push(root, spec); err != nil {
		p.Fatal(err)
	}
	return spec
}

// external makes a package that the system has below /usr.
func (p *place) external(id string) {
	p.Helper()
	name, version, _ := strings.Cut(id, "@")
	p.specs[id] = p.node(name, version, `,"external":{"path":"/usr","module":null,"extra_attributes":{}}`, nil)
}

// node makes a concrete spec with the hash that Spack would give it.
func (p *place) node(name, version, external string, needs []string) *spack.Spec {
	p.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `{"name":%q,"version":%q,"arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"}`, name, version)
	b.WriteString(`,"namespace":"toys","parameters":{"build_system":"generic","cflags":[]}` + external + `,"package_hash":"aaaa===="`)
	var dependencies []string
	for _, need := range slices.Sorted(slices.Values(needs)) {
		id, types, _ := strings.Cut(need, ":")
		quoted, _ := json.Marshal(strings.Split(types, ","))
		dep := p.specs[id]
		dependencies = append(dependencies, fmt.Sprintf(`{"name":%q,"hash":%q,"parameters":{"deptypes":%s,"virtuals":[]}}`, dep.Name, dep.Hash, quoted))
	}
	if len(dependencies) > 0 {
		b.WriteString(`,"dependencies":[` + strings.Join(dependencies, ",") + "]")
	}
	b.WriteString(`,"annotations":{"original_specfile_version":5}`)
	sum := sha1.Sum([]byte(b.String() + "}")) //nolint:gosec // as above
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
	spec, err := spack.DecodeSpec([]byte(b.String()+`,"hash":"`+hash+`"}`), 5)
	if err != nil {
		p.Fatal(err)
	}
	return spec
}

func (p *place) all() spack.Specs {
	all := spack.Specs{}
	for _, s := range p.specs {
		all[s.Hash] = s
	}
	return all
}

func prefixBelow(root string, s *spack.Spec) string {
	return filepath.Join(root, "linux-x86_64_v3", s.ID())
}

// push stores the archive of a package whose program says where it and its
// dependencies stand.
func (p *place) push(root string, s *spack.Spec) error {
	dir := filepath.Join(p.TempDir(), s.Name)
	prefix, program := prefixBelow(root, s), "#!/bin/sh\n"
	for _, dep := range p.all().Closure(spack.LinkRun, s.Hash) {
		if dep.IsExternal() {
			continue
		}
		program += "cat " + prefixBelow(root, dep) + "/share/name\n"
	}
	files := map[string]string{
		".spack/spec.json": `{"spec":{"_meta":{"version":5},"nodes":[` + string(s.Raw) + `]}}`,
		"share/name":       s.Name + " " + s.Version + "\n", "bin/" + s.Name: program, "share/prefix": prefix,
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	var archive bytes.Buffer
	packed, err := binary.Pack(context.Background(), &archive, binary.PackRequest{
		Prefix: prefix, Dir: dir, Spec: s, Specs: p.all(), StoreRoot: root,
		Locate: func(h spack.Hash) (string, bool) { return prefixBelow(root, p.all()[h]), true },
	})
	if err != nil {
		return err
	}
	opened, err := buildcache.Open(context.Background(), p.path("cache"), buildcache.Options{})
	if err != nil {
		return err
	}
	_, err = opened.Push(context.Background(), buildcache.PushRequest{
		Spec: s, Specs: p.all(), Prefix: prefix, Archive: buildcache.Archive{
			Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil },
			SHA256: packed.SHA256.Encoded(), Size: packed.Size, DiffID: packed.DiffID.Encoded(), TarSize: packed.TarSize,
		},
	})
	return err
}

func writeFile(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	return os.WriteFile(path, []byte(content), mode)
}

// lock writes the lock of an environment that asks for packages, name@version.
func (p *place) lock(environment string, roots ...string) {
	p.Helper()
	lock := struct {
		Meta  map[string]any             `json:"_meta"`
		Roots []map[string]string        `json:"roots"`
		Specs map[string]json.RawMessage `json:"concrete_specs"`
	}{
		Meta:  map[string]any{"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
		Specs: map[string]json.RawMessage{},
	}
	var hashes []spack.Hash
	for _, id := range roots {
		hashes = append(hashes, p.specs[id].Hash)
		lock.Roots = append(lock.Roots, map[string]string{"hash": string(p.specs[id].Hash), "spec": id})
	}
	for _, s := range p.all().Closure(spack.Build|spack.Link|spack.Run, hashes...) {
		lock.Specs[string(s.Hash)] = s.Raw
	}
	data, err := json.Marshal(lock)
	if err == nil {
		err = writeFile(p.path("locks/"+environment+".spack.lock"), string(data))
	}
	if err != nil {
		p.Fatal(err)
	}
}
