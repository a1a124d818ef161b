package lockfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// small is a lock that is right.
func small() *kit {
	return newKit().add("zlib", "1.3", `"shared":true`).add("hdf5", "1.14", "", "zlib").root("hdf5")
}

// TestDamagedLocksAreRefused checks that each mistake is told by what it is,
// and how to mend it.
func TestDamagedLocksAreRefused(t *testing.T) {
	t.Parallel()
	right := small().text()
	zlib, hdf5 := small().hashes["zlib"], small().hashes["hdf5"]
	other := strings.Repeat("a", 32)
	for name, c := range map[string]struct {
		text string
		want string // part of the message
	}{
		"nothing":              {"", "ends too early"},
		"cut short":            {right[:len(right)/2], "ends too early"},
		"no JSON":              {"spack:\n  specs: []", "invalid character"},
		"something else":       {`{"a":1}`, "not a lock"},
		"a list":               {`[]`, "not a lock"},
		"two documents":        {right + "{}", "something follows"},
		"an install database":  {`{"database":{"version":"8","installs":{}}}`, "not a lock"},
		"another file type":    {strings.Replace(right, "spack-lockfile", "x", 1), `its file-type is "x"`},
		"a newer version":      {strings.Replace(right, `"lockfile-version":6`, `"lockfile-version":7`, 1), "version 7 is of a newer Spack"},
		"an old version":       {strings.Replace(right, `"lockfile-version":6`, `"lockfile-version":3`, 1), "version 3 is older than Spack 0.18"},
		"a version in words":   {strings.Replace(right, `"lockfile-version":6`, `"lockfile-version":"six"`, 1), "damaged"},
		"no specs":             {`{"_meta":{"file-type":"spack-lockfile","lockfile-version":6},"roots":[]}`, "no roots or no concrete_specs"},
		"a root without spec":  {newKit().root("x").text(), `its hash "" is no hash`},
		"a missing root":       {strings.Replace(right, `"hash":"`+hdf5+`","spec"`, `"hash":"`+other+`","spec"`, 1), `root "hdf5" needs`},
		"a missing dependency": {newKit().hashed("zlib", other).add("hdf5", "1.14", "", "zlib").root("hdf5").text(), "hdf5@1.14 needs zlib /" + other},
		"another content":      {strings.Replace(right, `"shared":true`, `"shared":false`, 1), "it was changed after Spack wrote it"},
		"another key":          {strings.Replace(right, `"`+zlib+`":{`, `"`+other+`":{`, 1), "it stands under"},
		"a key that is none":   {strings.Replace(right, `"`+zlib+`":{`, `"../../etc":{`, 1), "it stands under"},
		"a key twice":          {strings.Replace(right, `"`+hdf5+`":{`, `"`+zlib+`":{`, 1), "duplicate"},
		"a member twice":       {strings.Replace(right, `"name":"zlib",`, `"name":"zlib","name":"zlib",`, 1), "duplicate"},
		"a wrong type":         {strings.Replace(right, `"version":"1.3"`, `"version":1.3`, 1), "a string is expected"},
		"a huge name":          {strings.Replace(right, `"name":"zlib","version"`, `"name":"`+strings.Repeat("z", 1<<20)+`","version"`, 1), "it was changed"},
		"a huge key":           {strings.Replace(right, `"`+zlib+`":{`, `"`+strings.Repeat("z", 1<<20)+`":{`, 1), "it stands under"},
		"a name with slashes":  {strings.Replace(right, `"name":"zlib","version"`, `"name":"../zlib","version"`, 1), "no name of a package"},
		"an abstract spec":     {strings.Replace(right, `"version":"1.3"`, `"versions":[":"]`, 1), "only concrete specs"},
		"a strange edge":       {strings.Replace(right, `["build","link"]`, `["build","lunch"]`, 1), `unknown dependency type "lunch"`},
		"deep nesting":         {`{"x":` + strings.Repeat("[", 1<<20), "exceeded max depth"},
		"deep nesting inside":  {strings.Replace(right, `"shared":true`, `"shared":true},"new":{"x":`+strings.Repeat("[", 20000), 1), "exceeded max depth"},
		"a list of lists":      {strings.Replace(right, `"shared":true`, `"shared":`+strings.Repeat("[", 20000), 1), "at /parameters/shared: a string is expected"},
		"another name":         {newKit().add("zlib", "1", "").as("zlib", "zlib-ng").add("hdf5", "1", "", "zlib-ng").root("hdf5").text(), "what has this hash is zlib"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := lockfile.Parse([]byte(c.text))
			if err == nil {
				t.Fatal("it is read")
			}
			if len(err.Error()) > 500 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.1000q (%d characters) does not say %q in few words", err, len(err.Error()), c.want)
			}
		})
	}
}

// TestTheVersionMayFollowTheSpecs checks that what is read then is the same.
func TestTheVersionMayFollowTheSpecs(t *testing.T) {
	t.Parallel()
	right := small().text()
	meta, rest, ok := strings.Cut(right, `},`)
	if !ok || !strings.HasPrefix(meta, `{"_meta":{`) {
		t.Fatal(right)
	}
	last := "{" + strings.TrimSuffix(rest, "}") + "," + strings.TrimPrefix(meta, "{") + "}}"
	var locks []*lockfile.Lock
	for _, text := range []string{right, last, strings.ReplaceAll(right, ":", " : ")} {
		lock, err := lockfile.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}
	for _, other := range locks[1:] {
		if diff := cmp.Diff(locks[0], other); diff != "" {
			t.Error(diff)
		}
	}
	for name, change := range map[string][2]string{
		"another content": {`"shared":true`, `"shared":false`},
		"a strange edge":  {`["build","link"]`, `["build","lunch"]`},
		"another key":     {`"` + small().hashes["zlib"] + `":{`, `"` + strings.Repeat("a", 32) + `":{`},
	} {
		_, first := lockfile.Parse([]byte(strings.Replace(right, change[0], change[1], 1)))
		_, second := lockfile.Parse([]byte(strings.Replace(last, change[0], change[1], 1)))
		if first == nil || second == nil || first.Error() != second.Error() {
			t.Errorf("%s: %v, and with the version behind it: %v", name, first, second)
		}
	}
}

// hashed claims a hash for a name without a spec.
func (k *kit) hashed(name, hash string) *kit {
	k.hashes[name] = hash
	return k
}

// as lets a spec be called by another name.
func (k *kit) as(name, other string) *kit { return k.hashed(other, k.hashes[name]) }

func TestMistakesHaveTypes(t *testing.T) {
	t.Parallel()
	parse := func(text string) error {
		_, err := lockfile.Parse([]byte(text))
		return err
	}
	right := small().text()
	var hash *spack.HashError
	if err := parse(strings.Replace(right, `"shared":true`, `"shared":false`, 1)); !errors.As(err, &hash) || hash.Spec.Name != "zlib" {
		t.Errorf("another content: %v", err)
	}
	var syntax *lockfile.SyntaxError
	if err := parse(right[:300]); !errors.As(err, &syntax) || syntax.Offset != 300 {
		t.Errorf("cut short: %v", err)
	}
	if err := parse(strings.Replace(right, `"lockfile-version":6`, `"lockfile-version":99`, 1)); !errors.Is(err, lockfile.ErrVersion) {
		t.Errorf("newer version: %v", err)
	}
	if err := parse("[1]"); !errors.Is(err, lockfile.ErrNotLock) {
		t.Errorf("another file: %v", err)
	}
	var missing *spack.MissingError
	if err := parse(newKit().hashed("a", strings.Repeat("b", 32)).add("x", "1", "", "a").root("x").text()); !errors.As(err, &missing) || missing.Name != "a" {
		t.Errorf("missing: %v", err)
	}
}

// TestCirclesAreFound has hashes that are not verified, since right ones cannot
// go in circles.
func TestCirclesAreFound(t *testing.T) {
	t.Parallel()
	a, b, c := strings.Repeat("a", 32), strings.Repeat("b", 32), strings.Repeat("c", 32)
	k := newKit().hashed("a", a).hashed("b", b).hashed("c", c)
	for _, edge := range [][2]string{{"a", "b"}, {"b", "c"}, {"c", "b"}} {
		k.nodes = append(k.nodes, fmt.Sprintf(`%q:{"name":%q,"version":"1","arch":{"platform":"p","platform_os":"o","target":"t"},"parameters":{},"dependencies":[{"name":%q,"hash":%q,"parameters":{"deptypes":["run"],"virtuals":[]}}],"hash":%q}`,
			k.hashes[edge[0]], edge[0], edge[1], k.hashes[edge[1]], k.hashes[edge[0]]))
	}
	text := k.root("a").text()
	var cycle *spack.CycleError
	if _, err := lockfile.ParseWith([]byte(text), lockfile.Options{TrustHashes: true}); !errors.As(err, &cycle) {
		t.Fatal(err)
	}
	if got := strings.Join(cycle.Path, ">"); got != "b>c>b" {
		t.Errorf("the circle is %s", got)
	}
	var hash *spack.HashError
	if _, err := lockfile.Parse([]byte(text)); !errors.As(err, &hash) {
		t.Errorf("hashes that cannot be right: %v", err)
	}
}

func TestALongChainIsNoProblem(t *testing.T) {
	t.Parallel()
	k := newKit().add("p0", "1", "")
	const n = 20000
	for i := 1; i < n; i++ {
		k.add(fmt.Sprintf("p%d", i), "1", "", fmt.Sprintf("p%d", i-1))
	}
	k.root(fmt.Sprintf("p%d", n-1))
	if lock := k.lock(t); len(lock.Specs) != n {
		t.Errorf("%d specs", len(lock.Specs))
	}
}

func TestSplicedSpecsHaveAHashOfTwo(t *testing.T) {
	t.Parallel()
	k := newKit().add("zlib", "1.3", "").add("hdf5", "1.14", "", "zlib")
	built := k.hashes["hdf5"]
	k.add("zlib", "1.3.1", "")
	node := fmt.Sprintf(`{"name":"hdf5","version":"1.14","arch":{"platform":"linux","platform_os":"debian12","target":"zen3"},"parameters":{},"dependencies":[{"name":"zlib","hash":%q,"parameters":{"deptypes":["link"],"virtuals":[]}}],"build_spec":{"name":"hdf5","hash":%q},"annotations":{"original_specfile_version":5}`,
		k.hashes["zlib"], built)
	k.put("hdf5", hashOf(node + "}")[:25]+built[25:], node)
	lock := k.root("hdf5").lock(t)
	if s := lock.Specs[lock.Roots[0].Hash]; s.BuildSpec == nil || string(s.BuildSpec.Hash) != built {
		t.Errorf("%+v", s)
	}
	k.nodes = k.nodes[len(k.nodes)-2:] // zlib 1.3.1 and the spliced one
	var missing *spack.MissingError
	if _, err := lockfile.Parse([]byte(k.text())); !errors.As(err, &missing) || string(missing.Hash) != built {
		t.Errorf("without what it was built as: %v", err)
	}
}

// TestASpecOfAnOlderSpackKeepsItsHash is about nodes that Spack 1 took from
// 0.23: they gain annotations, and the hash is the old one.
func TestASpecOfAnOlderSpackKeepsItsHash(t *testing.T) {
	t.Parallel()
	k := newKit()
	k.put("zlib", strings.Repeat("z", 32), `{"name":"zlib","version":"1.3","arch":{"platform":"linux","platform_os":"debian12","target":{"name":"x86_64","vendor":"generic","features":[],"generation":0,"parents":[]}},"parameters":{"pic":"True"},"annotations":{"original_specfile_version":4,"compiler":"gcc@=12.2.0"}`)
	lock := k.root("zlib").lock(t)
	s := lock.Specs[lock.Roots[0].Hash]
	if s.SpecfileVersion != 4 || s.FileVersion != 5 || s.Compiler == nil || *s.Compiler != (spack.Compiler{Name: "gcc", Version: "12.2.0"}) ||
		s.Arch.Target != "x86_64" || s.Parameters[0].String() != "+pic" {
		t.Errorf("%+v %+v", s, s.Compiler)
	}
	if err := s.VerifyHash(5); !errors.Is(err, spack.ErrNotVerifiable) {
		t.Errorf("its hash is said to be verified: %v", err)
	}
}

func TestVersion4IsRead(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a", 32), strings.Repeat("b", 32)
	text := fmt.Sprintf(`{"_meta":{"file-type":"spack-lockfile","lockfile-version":4,"specfile-version":3},"roots":[{"hash":%q,"spec":"x"}],"concrete_specs":{
 %q: {"name": "x", "version": "1", "arch": {"platform": "linux", "platform_os": "ubuntu20.04", "target": "zen2"}, "compiler": {"name": "gcc", "version": "9.4.0"}, "namespace": "builtin", "parameters": {"pic": true},
  "dependencies": [{"name": "y", "hash": %q, "type": ["build", "run"]}], "hash": %q},
 %q: {"name": "y", "version": "2", "arch": {"platform": "linux", "platform_os": "ubuntu20.04", "target": "zen2"}, "parameters": {}, "external": {"path": null, "module": ["y/2"]}, "hash": %q}}}`, a, a, b, a, b, b)
	lock, err := lockfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	x, y := lock.Specs[spack.Hash(a)], lock.Specs[spack.Hash(b)]
	if lock.SpecfileVersion != 3 || x.Dependencies[0].Types != spack.Build|spack.Run || y.External.Modules[0] != "y/2" {
		t.Errorf("%+v %+v", x, y)
	}
	if strings.ContainsAny(string(x.Raw), "\n ") {
		t.Errorf("the text of the spec is not compact: %s", x.Raw)
	}
}

func TestIncludedEnvironmentsBringTheirRoots(t *testing.T) {
	t.Parallel()
	own, included := small(), newKit().add("nest", "3.0", "").root("nest").add("zlib", "1.3", `"shared":true`).root("zlib")
	body := func(k *kit, more string) string {
		return `{"roots":[` + strings.Join(k.roots, ",") + `],"concrete_specs":{` + strings.Join(k.nodes, ",") + `}` + more + `}`
	}
	deeper := newKit().add("gsl", "2.8", "").root("gsl")
	text := strings.TrimSuffix(own.text(), "}") + `,"include_concrete":{"/opt/envs/base":` +
		body(included, `,"include_concrete":{"/opt/envs/deep":`+body(deeper, "")+`}`) + `}}`
	lock, err := lockfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var roots []string
	for _, r := range lock.AllRoots() {
		roots = append(roots, r.Spec)
	}
	if got := strings.Join(roots, " "); got != "hdf5 nest zlib gsl" || len(lock.Roots) != 1 || len(lock.Specs) != 4 {
		t.Errorf("roots %s, %d of them own, %d specs", got, len(lock.Roots), len(lock.Specs))
	}
	deep := own.text()
	deep = strings.TrimSuffix(deep, "}") + strings.Repeat(`,"include_concrete":{"/e":{"roots":[]`, 100) + strings.Repeat("}}", 100) + "}"
	if _, err := lockfile.Parse([]byte(deep)); err == nil || !strings.Contains(err.Error(), "include each other") {
		t.Errorf("a hundred environments inside each other: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small().text()))
	f.Add([]byte(newKit().addMore("x", "1", `"a":["b"],"c":"d"`, `,"external":{"path":"/usr","module":null}`).root("x").text()))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []lockfile.Options{{}, {TrustHashes: true}} {
			lock, err := lockfile.ParseWith(data, o)
			if err != nil {
				continue
			}
			if len(lock.Order) != len(lock.Specs) {
				t.Fatalf("%d hashes, %d specs", len(lock.Order), len(lock.Specs))
			}
			for h, s := range lock.Specs {
				if h != s.Hash || !h.Valid() {
					t.Errorf("%s stands under %s", s.Hash, h)
				}
			}
			if d := lockfile.Diff(lock, lock); !d.Empty() {
				t.Errorf("a lock differs from itself: %+v", d)
			}
		}
	})
}
