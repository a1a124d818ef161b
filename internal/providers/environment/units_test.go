package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	instance "esd/internal/providers/spack"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
)

func readTestLock(t testing.TB, name string) *lockfile.Lock {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "spack", "testdata", "locks", name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func TestTheGenerationOfALockDecidesWherePackagesStand(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"v12-small": "/sw/linux-x86_64_v3/zlib-ng-", "v023-small": "/sw/linux-debian12-x86_64_v3/gcc-12.2.0/zlib-ng-"} {
		e := &env{lock: readTestLock(t, name), root: "/sw"}
		e.projection = defaultProjection(e.lock)
		for _, s := range e.lock.Specs {
			got, err := e.prefix(s)
			switch {
			case err != nil:
				t.Errorf("%s: %v", s.ID(), err)
			case s.External != nil && got != s.External.Path:
				t.Errorf("%s is at %s, want where the system has it", s.ID(), got)
			case s.Name == "zlib-ng" && !strings.HasPrefix(got, want):
				t.Errorf("%s: %s, want %s…", name, got, want)
			}
		}
	}
}

func TestAddressesTellPackagesOfOneNameAndVersionApart(t *testing.T) {
	t.Parallel()
	const one, two, other = "aaaaaaabbbbbbbbbbbbbbbbbbbbbbbbb", "aaaaaaaccccccccccccccccccccccccc", "dddddddddddddddddddddddddddddddd"
	e := &env{address: addr.Address{Kind: Kind, Name: "sim"}, lock: &lockfile.Lock{
		Order: []spack.Hash{one, two, other},
		Specs: spack.Specs{
			one:   {Name: "zlib", Version: "1.3", Hash: one},
			two:   {Name: "zlib", Version: "1.3", Hash: two},
			other: {Name: "zlib", Version: "1.3", Hash: other},
		},
	}}
	got := map[spack.Hash]string{}
	for h, a := range e.addresses() {
		got[h] = a.Package
	}
	if diff := cmp.Diff(map[spack.Hash]string{one: "zlib@1.3/" + one, two: "zlib@1.3/" + two, other: "zlib@1.3/ddddddd"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestDependenciesComeFirstAlwaysInTheSameOrder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"v12-medium", "v023-medium"} {
		lock := readTestLock(t, name)
		e := &env{lock: lock}
		order := e.dependenciesFirst()
		if len(order) != len(lock.Specs) {
			t.Errorf("%d of %d packages", len(order), len(lock.Specs))
		}
		done := map[spack.Hash]bool{}
		for _, s := range order {
			for _, d := range s.Dependencies {
				if !done[d.Hash] {
					t.Errorf("%s stands before %s, which it needs", s.Name, d.Name)
				}
			}
			done[s.Hash] = true
		}
		for i, s := range (&env{lock: readTestLock(t, name)}).dependenciesFirst() {
			if order[i].Hash != s.Hash {
				t.Fatalf("another order the second time, at %d", i)
			}
		}
	}
}

func TestEnvironmentsShareWhatIsLookedUpAndBuiltInTheSameWay(t *testing.T) {
	t.Parallel()
	base := func() *env {
		return &env{
			caches: []cache.Buildcache{{Name: "c", URL: "file:///c", Push: true, TrustedKeys: []string{"/key"}}}, sources: []cache.Sources{{Name: "s"}},
			instance: instance.Instance{Path: "/spack"}, root: "/opt", projection: spack.DefaultProjection, paddedLength: 256,
			quarantine: &cache.Buildcache{Name: "q"},
		}
	}
	if !base().like(base()) {
		t.Error("an environment is not like itself")
	}
	same := base()
	same.address, same.specs, same.lockPath = addr.Address{Kind: Kind, Name: "other"}, []string{"zlib"}, "/elsewhere"
	if !base().like(same) {
		t.Error("what is asked for keeps environments from sharing")
	}
	for name, change := range map[string]func(e *env){
		"another cache":               func(e *env) { e.caches[0].URL = "file:///d" },
		"another key that is trusted": func(e *env) { e.caches[0].TrustedKeys = []string{"/other"} },
		"a cache more":                func(e *env) { e.caches = append(e.caches, cache.Buildcache{Name: "d"}) },
		"no mirror":                   func(e *env) { e.sources = nil },
		"no quarantine":               func(e *env) { e.quarantine = nil },
		"another quarantine":          func(e *env) { e.quarantine = &cache.Buildcache{Name: "r"} },
		"another Spack":               func(e *env) { e.instance.Path = "/other" },
		"another commit":              func(e *env) { e.instance = instance.Instance{Repository: "r", Commit: "c"} },
		"another root":                func(e *env) { e.root = "/sw" },
		"another projection":          func(e *env) { e.projection = spack.DefaultProjection023 },
		"another padding":             func(e *env) { e.paddedLength = 128 },
		"a network":                   func(e *env) { e.network = true },
	} {
		other := base()
		if change(other); base().like(other) || other.like(base()) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestWhatWasLearntOfArchivesOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	entry := buildcache.Entry{Archive: buildcache.Blob{SHA256: "abc"}}
	first := &learnt{dir: dir}
	if got := first.prefix(entry); got != "" {
		t.Errorf("nothing was learnt, and the prefix is %q", got)
	}
	first.setPrefix("abc", "/opt/x")
	first.judge("abc", &buildcache.DigestError{})
	second := &learnt{dir: dir}
	if got := second.prefix(entry); got != "/opt/x" {
		t.Errorf("the prefix is %q", got)
	}
	if second.damage(entry) == nil {
		t.Error("the damage is forgotten")
	}
	second.sound("abc")
	if err := (&learnt{dir: dir}).damage(entry); err != nil {
		t.Errorf("what was mended is still %v", err)
	}
	second.judge("abc", os.ErrPermission) // says nothing of the archive
	if err := second.damage(entry); err != nil {
		t.Errorf("an error of the way there counts: %v", err)
	}
	entry.Prefix = "/from/the/entry"
	if got := second.prefix(entry); got != entry.Prefix {
		t.Errorf("the prefix is %q, want what the entry says", got)
	}
}

func TestADamagedMemoryIsBegunAnew(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"no JSON": "{", "another type": `["a"]`, "nulls": `{"prefixes":null,"damaged":null}`, "nothing": ""} {
		dir := t.TempDir()
		l := &learnt{dir: dir}
		if err := writeAtomic(l.path(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		l.setPrefix("abc", "/opt/x")
		l.save()
		if got := (&learnt{dir: dir}).prefix(buildcache.Entry{Archive: buildcache.Blob{SHA256: "abc"}}); got != "/opt/x" {
			t.Errorf("%s: the prefix is %q", name, got)
		}
	}
	nowhere := &learnt{dir: filepath.Join(t.TempDir(), "file")}
	if err := os.WriteFile(nowhere.dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	nowhere.setPrefix("abc", "/opt/x")
	nowhere.save() // must not matter
	if got := nowhere.prefix(buildcache.Entry{Archive: buildcache.Blob{SHA256: "abc"}}); got != "/opt/x" {
		t.Errorf("without a place for it, the prefix is %q", got)
	}
}

func TestArchivesFitPrefixesThatAreNotLonger(t *testing.T) {
	t.Parallel()
	const wanted = "/opt/software/zlib-ng"
	for built, ok := range map[string]bool{"": true, wanted: true, "/opt/software-padded/zlib-ng": true, "/opt/soft/zlib-ng": false} {
		if err := fits(wanted, built); (err == nil) != ok {
			t.Errorf("built at %q: %v", built, err)
		}
	}
}

func TestChangesOfInputsAreNamed(t *testing.T) {
	t.Parallel()
	base := providers.LockedEnvironment{Specs: []string{"a", "b"}, Spack: "s", Config: "c", From: "f"}
	for want, change := range map[string]func(e *providers.LockedEnvironment){
		"":                       func(e *providers.LockedEnvironment) { e.SHA256 = "x" },
		"spec added: c":          func(e *providers.LockedEnvironment) { e.Specs = []string{"a", "b", "c"} },
		"spec removed: b":        func(e *providers.LockedEnvironment) { e.Specs = []string{"a"} },
		"its spack.yaml changed": func(e *providers.LockedEnvironment) { e.From = "g" },
		"its config changed":     func(e *providers.LockedEnvironment) { e.Config = "" },
		"it is to be concretized by another Spack": func(e *providers.LockedEnvironment) { e.Spack = "t" },
	} {
		now := base
		if change(&now); changedInput(base, now) != want {
			t.Errorf("got %q, want %q", changedInput(base, now), want)
		}
	}
}

func TestLocksOfInstancesStayInTheirDirectory(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"zen3": "d/locks/sim-zen3.spack.lock", "x86_64_v3/12.4": "d/locks/sim-x86_64_v3-12.4.spack.lock",
		"../../etc/x": "d/locks/sim-..-..-etc-x.spack.lock", "a b\n": "d/locks/sim-a-b-.spack.lock",
	} {
		if got := LockPath("d", addr.Address{Kind: Kind, Name: "sim", Keyed: true, Key: key}); got != want {
			t.Errorf("%q gives %s, want %s", key, got, want)
		}
	}
}

func TestAPlaceWhereNothingCanBeBuiltIsRefused(t *testing.T) {
	t.Parallel()
	for root, ok := range map[string]bool{
		"/home/me/stack/.esd/spack/0123abcd/store-0123": true,
		"/" + strings.Repeat("a", longestStore-1):       true,
		"/" + strings.Repeat("a", longestStore):         false,
		"/home/my stack/.esd/spack/0123abcd/store-0123": false,
		"/home/me/$stack/.esd/store":                    false,
	} {
		if err := (storeRef{Root: root}).check(); (err == nil) != ok {
			t.Errorf("%s: %v", root, err)
		}
	}
}

func TestDifferencesAreToldInWords(t *testing.T) {
	t.Parallel()
	before, after := readTestLock(t, "v12-small"), readTestLock(t, "v12-small")
	if lines := changes(&readLock{lock: before}, after); len(lines) != 0 {
		t.Errorf("the same lock differs: %v", lines)
	}
	if lines := changes(nil, after); len(lines) != 1 || !strings.Contains(lines[0], "21 packages for 2 specs") {
		t.Errorf("%v", lines)
	}
	if lines := changes(&readLock{err: os.ErrInvalid}, after); len(lines) != 1 || !strings.Contains(lines[0], "could not be read") {
		t.Errorf("%v", lines)
	}
	all := strings.Join(changes(&readLock{lock: readTestLock(t, "v023-small")}, after), "\n")
	for _, want := range []string{"compiler-wrapper 1.0 added", "gcc 12.2.0 added"} {
		if !strings.Contains(all, want) {
			t.Errorf("want %q in:\n%s", want, all)
		}
	}
	if got := abridged(strings.Split("a b c d e f g h", " ")); got != "a, b, c, d, e, f, …" {
		t.Error(got)
	}
}

func TestUnifyIsAsTheConfigurationSays(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]any{
		"": true, "{}": true, `{"concretizer":{}}`: true, `{"concretizer":{"unify":false}}`: false, `{"concretizer":{"unify":"when_possible"}}`: "when_possible", "{": true,
	} {
		if got := unify([]byte(config)); got != want {
			t.Errorf("%s: %v, want %v", config, got, want)
		}
	}
}

func TestABuildDirectoryIsOnesOwn(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	own := filepath.Join(shared, "below", "esd-1")
	for range 2 {
		if err := ownDirectory(own); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	for name, make := range map[string]func(path string) error{
		"file": func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"link": func(path string) error { return os.Symlink(own, path) },
	} {
		path := filepath.Join(shared, name)
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if err := ownDirectory(path); err == nil {
			t.Errorf("a %s is taken for a directory", name)
		}
	}
}
