package image

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"

	"esd/internal/archive"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/relocate"
	"esd/internal/spack/store"
)

// treesVersion is raised whenever the layer with what Spack knows of its
// install trees becomes another one for the same packages.
const treesVersion = 1

// trees are the install trees in an image, beside the packages themselves: by
// these files a Spack in the container sees what is installed.
type trees struct{ files []archive.File }

// newTrees makes the files for the packages of an image. The packages of an
// environment are described by its DAG.
func newTrees(environments []environment.Environment, specs []spack.Specs, refs []packageRef) (*trees, error) {
	byRoot := map[string]*tree{}
	var roots []string
	for _, ref := range refs {
		root := environments[ref.Environment].Root
		if byRoot[root] == nil {
			byRoot[root] = &tree{root: root, records: map[spack.Hash]*record{}}
			roots = append(roots, root)
		}
		if err := byRoot[root].install(ref, environments[ref.Environment], specs[ref.Environment]); err != nil {
			return nil, err
		}
	}
	slices.Sort(roots)
	t := &trees{}
	for _, root := range roots {
		index := byRoot[root].index()
		t.add(path.Join(root, ".spack-db", "index.json"), index, 0o644)
		t.add(path.Join(root, ".spack-db", "index_verifier"), verifier(index), 0o644)
		t.add(path.Join(root, ".spack-db", "lock"), nil, 0o644) // one who may not write here locks it for reading
		t.add(relocate.SbangPath(root), store.Sbang(), 0o755)
	}
	return t, nil
}

func (t *trees) add(target string, content []byte, mode fs.FileMode) {
	t.files = append(t.files, archive.File{Target: target, Content: content, Mode: mode})
}

// key is the content key of the layer.
func (t *trees) key(compression string) string {
	key := providers.NewKey("spack trees", treesVersion)
	key.Quiet("compression", compression)
	for _, f := range t.files {
		key.Quiet(f.Target, string(f.Content))
	}
	sum, _ := key.Sum()
	return sum
}

// verifier tells databases from each other: Spack takes a random UUID, but what
// is in an image must not be random.
func verifier(index []byte) []byte {
	b := sha256.Sum256(index)
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // RFC 9562, version 8
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// tree is one install tree.
type tree struct {
	root    string
	version int // of the database: 7 for Spack 0.23, 8 for Spack 1.x
	records map[spack.Hash]*record
}

// record is what a database says of one package (InstallRecord in Spack's
// database.py).
type record struct {
	spec                *spack.Spec
	path                string
	installed, explicit bool
	references          int
}

// install records a package as Spack does: all that it depends on, in whatever
// way, gets a record too, as something that is not there unless it is.
func (t *tree) install(ref packageRef, e environment.Environment, specs spack.Specs) error {
	s := specs[ref.Hash]
	if s == nil {
		return fmt.Errorf("%s: no package /%s is in the lock of %s", ref.Title, ref.Hash, e.Address)
	}
	version, err := databaseVersion(s)
	if err != nil {
		return fmt.Errorf("%s: %w", ref.Title, err)
	}
	if t.version = cmp.Or(t.version, version); t.version != version {
		return fmt.Errorf("below %s would stand packages that Spack 0.23 concretized, and others that Spack 1.x did, and neither knows both: "+
			"give one of the environments another root", t.root)
	}
	for _, dep := range specs.Closure(spack.Build|spack.Link|spack.Run|spack.Test, ref.Hash) {
		if t.records[dep.Hash] != nil {
			continue
		}
		prefix, err := prefixIn(e, dep, specs)
		if err != nil {
			return fmt.Errorf("%s: %w", dep.Name, err)
		}
		t.records[dep.Hash] = &record{spec: dep, path: prefix, installed: dep.External != nil}
	}
	r := t.records[ref.Hash]
	r.path, r.installed, r.explicit = ref.Prefix, true, ref.Asked
	return nil
}

// databaseVersion is that of the databases that have specs as they stand in a
// lock: those of Spack 1.x have annotations.
func databaseVersion(s *spack.Spec) (int, error) {
	var node struct {
		Annotations json.RawMessage `json:"annotations"`
	}
	if err := json.Unmarshal(s.Raw, &node); err != nil {
		return 0, err
	}
	if node.Annotations == nil {
		return 7, nil
	}
	return 8, nil
}

// prefixIn is where a package stands in an environment.
func prefixIn(e environment.Environment, s *spack.Spec, specs spack.Specs) (string, error) {
	if s.External != nil {
		return s.External.Path, nil
	}
	rel, err := e.Projection.Path(s, specs)
	if err != nil {
		return "", err
	}
	return path.Join(e.Root, rel), nil
}

// index is the database as Spack writes it (_write_to_file in database.py), but
// for the order of the records and the time of the installation.
func (t *tree) index() []byte {
	list := make([]*record, 0, len(t.records))
	for _, r := range t.records {
		list = append(list, r)
		counted := map[spack.Hash]bool{}
		for _, e := range r.spec.Dependencies {
			if dep := t.records[e.Hash]; dep != nil && !counted[e.Hash] {
				counted[e.Hash] = true
				dep.references++
			}
		}
	}
	slices.SortFunc(list, func(a, b *record) int {
		return cmp.Or(cmp.Compare(a.spec.Name, b.spec.Name), cmp.Compare(a.spec.Hash, b.spec.Hash))
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"database":{"version":"%d","installs":{`, t.version)
	for i, r := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		prefix, _ := json.Marshal(r.path) // texts always can be
		if r.path == "" {
			prefix = []byte("null")
		}
		fmt.Fprintf(&b, `"%s":{"spec":%s,"ref_count":%d,"path":%s,"installed":%t,"explicit":%t,"installation_time":%s,"deprecated_for":null}`,
			r.spec.Hash, r.spec.Raw, r.references, prefix, r.installed, r.explicit, strconv.FormatFloat(epoch, 'f', 1, 64))
	}
	b.WriteString(`}}}`)
	return b.Bytes()
}
