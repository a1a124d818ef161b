package lockfile_test

import (
	"crypto/sha1"
	"encoding/base32"
	"fmt"
	"strings"
	"testing"

	"esd/internal/spack/lockfile"
)

// kit writes locks with right hashes, so that what is wrong in a test is only
// what it is about.
type kit struct {
	nodes  []string // with key
	roots  []string
	hashes map[string]string // by name
	names  map[string]string // by hash
}

func newKit() *kit { return &kit{hashes: map[string]string{}, names: map[string]string{}} }

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")

func hashOf(node string) string {
	sum := sha1.Sum([]byte(node))
	return base32Lower.EncodeToString(sum[:])
}

// add adds name@version with further members and dependencies, which were
// added before; later kits refer to it by its name.
func (k *kit) add(name, version, parameters string, needs ...string) *kit {
	return k.addMore(name, version, parameters, "", needs...)
}

func (k *kit) addMore(name, version, parameters, more string, needs ...string) *kit {
	var edges []string
	for _, n := range needs {
		types := `"build","link"`
		if rest, ok := strings.CutSuffix(n, ":run"); ok {
			n, types = rest, `"run"`
		}
		edges = append(edges, fmt.Sprintf(`{"name":%q,"hash":%q,"parameters":{"deptypes":[%s],"virtuals":[]}}`, n, k.hashes[n], types))
	}
	if len(edges) > 0 {
		more += `,"dependencies":[` + strings.Join(edges, ",") + `]`
	}
	node := fmt.Sprintf(`{"name":%q,"version":%q,"arch":{"platform":"linux","platform_os":"debian12","target":"zen3"},"namespace":"builtin","parameters":{%s}%s,"annotations":{"original_specfile_version":5}`,
		name, version, parameters, more)
	k.put(name, hashOf(node+"}"), node)
	return k
}

func (k *kit) put(name, hash, node string) {
	k.hashes[name], k.names[hash] = hash, name
	k.nodes = append(k.nodes, fmt.Sprintf(`%q:%s,"hash":%q}`, hash, node, hash))
}

func (k *kit) root(name string) *kit {
	k.roots = append(k.roots, fmt.Sprintf(`{"hash":%q,"spec":%q}`, k.hashes[name], name))
	return k
}

func (k *kit) text() string {
	return `{"_meta":{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5},` +
		`"spack":{"version":"1.0.2","type":"release"},"roots":[` + strings.Join(k.roots, ",") +
		`],"concrete_specs":{` + strings.Join(k.nodes, ",") + `}}`
}

func (k *kit) lock(t *testing.T) *lockfile.Lock {
	t.Helper()
	lock, err := lockfile.Parse([]byte(k.text()))
	if err != nil {
		t.Fatal(err)
	}
	return lock
}
