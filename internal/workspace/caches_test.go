package workspace

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/google/go-cmp/cmp"
	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

// smallLock is a lock that Spack 1.x wrote: hdf5~mpi and zlib-ng.
func smallLock(t testing.TB) *lockfile.Lock {
	t.Helper()
	return lockNamed(t, "v12-small.lock")
}

func lockNamed(t testing.TB, name string) *lockfile.Lock {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "spack", "testdata", "locks", name))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

// filled is a new cache in a directory with packages of the small lock; where its
// layout is v2, with those of Spack 0.23.
func filled(t testing.TB, layout buildcache.Layout, names ...string) string {
	t.Helper()
	dir, lock := t.TempDir(), smallLock(t)
	if layout == buildcache.V2 {
		lock = lockNamed(t, "v023-small.lock")
	}
	c, err := buildcache.Open(t.Context(), dir, buildcache.Options{Layout: layout})
	if err != nil {
		t.Fatal(err)
	}
	b := &spacktest.Builder{Root: "/opt/built/spack/store", Specs: lock.Specs, Dir: t.TempDir()}
	for _, s := range lock.Specs {
		if slices.Contains(names, s.Name) {
			if err := b.Push(t.Context(), c, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.UpdateIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openCache(t testing.TB, location string, opts CacheOptions) *Buildcache {
	t.Helper()
	b, err := OpenCacheAt(t.Context(), location, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func listed(t testing.TB, b *Buildcache, specs ...string) []CachePackage {
	t.Helper()
	l, err := b.List(t.Context(), CacheQuery{Specs: specs})
	if err != nil {
		t.Fatal(err)
	}
	return l.Packages
}

// archives are the digests of archives by package.
func archives(list []CachePackage) map[string]string {
	m := map[string]string{}
	for _, p := range list {
		m[p.Name] = p.SHA256
	}
	return m
}

func newRegistry(t testing.TB) string {
	t.Helper()
	yes := true
	server := httptest.NewServer(olareg.New(oconfig.Config{
		Log: slog.New(slog.DiscardHandler), Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
		API: oconfig.ConfigAPI{DeleteEnabled: &yes, Blob: oconfig.ConfigAPIBlob{DeleteEnabled: &yes}},
	}))
	t.Cleanup(server.Close)
	return "oci+http://" + strings.TrimPrefix(server.URL, "http://") + "/cache"
}

var toRun = []string{"hdf5", "zlib-ng", "pkgconf", "gcc-runtime"}

func TestArchivesAreTheSameInEveryLayoutAndBack(t *testing.T) {
	t.Parallel()
	src := openCache(t, filled(t, buildcache.V2, toRun...), CacheOptions{})
	want := archives(listed(t, src))
	here := src
	for _, to := range []struct{ location, layout string }{
		{newRegistry(t), ""}, {t.TempDir(), "v2"}, {t.TempDir(), "v3"}, {newRegistry(t), ""}, {t.TempDir(), "v3"},
	} {
		dst := openCache(t, to.location, CacheOptions{Write: true, Layout: to.layout})
		copied, err := here.CopyTo(t.Context(), dst, CacheCopyOptions{})
		if err != nil || copied.Copied != 4 || !copied.Indexed {
			t.Fatalf("to %s: %+v, %v", to.location, copied, err)
		}
		if diff := cmp.Diff(want, archives(listed(t, dst))); diff != "" {
			t.Errorf("in %s: -want +got\n%s", to.location, diff)
		}
		if found, err := dst.Check(t.Context(), CacheCheckOptions{Archives: true}); err != nil || len(found.Findings) > 0 {
			t.Errorf("in %s: %+v, %v", to.location, found, err)
		}
		again, err := here.CopyTo(t.Context(), dst, CacheCopyOptions{})
		if err != nil || again.Copied != 0 || again.There != 4 {
			t.Errorf("again to %s: %+v, %v", to.location, again, err)
		}
		here = dst
	}
}

func TestPackagesOfSpack1AreNotCopiedToLayoutV2(t *testing.T) {
	t.Parallel()
	src := openCache(t, filled(t, buildcache.V3, toRun...), CacheOptions{})
	dst := openCache(t, t.TempDir(), CacheOptions{Write: true, Layout: "v2"})
	var generation *buildcache.GenerationError
	if _, err := src.CopyTo(t.Context(), dst, CacheCopyOptions{}); !errors.As(err, &generation) {
		t.Errorf("got %v", err)
	}
}

func TestPackagesAreDeletedFromEveryLayout(t *testing.T) {
	t.Parallel()
	src := openCache(t, filled(t, buildcache.V2, toRun...), CacheOptions{})
	for name, to := range map[string]struct{ location, layout string }{
		"registry": {newRegistry(t), ""}, "v2": {t.TempDir(), "v2"}, "v3": {t.TempDir(), "v3"},
	} {
		dst := openCache(t, to.location, CacheOptions{Write: true, Layout: to.layout})
		if _, err := src.CopyTo(t.Context(), dst, CacheCopyOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		d, err := dst.PlanDelete(t.Context(), CacheQuery{Specs: []string{"hdf5", "zlib-ng"}}, nil)
		if err != nil || len(d.Needed) != 0 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		if got := d.entries[0].Name; got != "hdf5" {
			t.Errorf("%s: %s goes first, and others need it", name, got)
		}
		if err := d.Run(t.Context(), CacheDeleteOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found, err := dst.Check(t.Context(), CacheCheckOptions{}); err != nil || len(found.Findings) > 0 || found.Packages != 2 {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

// newKey makes an OpenPGP key and gives the files of its secret and public half.
func newKey(t testing.TB, name string) (secret, public string) {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, serialize func(w *os.File) error) string {
		path := filepath.Join(t.TempDir(), kind+".asc")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := serialize(f); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret = write("secret", func(f *os.File) error {
		w, err := armor.Encode(f, openpgp.PrivateKeyType, nil)
		if err != nil {
			return err
		}
		if err := e.SerializePrivate(w, nil); err != nil {
			return err
		}
		return w.Close()
	})
	public = write("public", func(f *os.File) error { return e.Serialize(f) })
	return secret, public
}

func TestSignaturesAreCarriedMadeAnewOrLeftBehind(t *testing.T) {
	t.Parallel()
	ours, oursPublic := newKey(t, "ours")
	theirs, theirsPublic := newKey(t, "theirs")
	plain := openCache(t, filled(t, buildcache.V2, toRun...), CacheOptions{})
	signedDir := t.TempDir()
	signed := openCache(t, signedDir, CacheOptions{Write: true, SigningKey: theirs})
	if _, err := plain.CopyTo(t.Context(), signed, CacheCopyOptions{Signatures: SignaturesSign}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		to       CacheOptions
		mode     string
		trust    string // what then has to be accepted
		unsigned int
		fails    string
	}{
		"the same layout carries them":           {CacheOptions{}, SignaturesAuto, theirsPublic, 0, ""},
		"a key of the destination signs anew":    {CacheOptions{SigningKey: ours}, SignaturesAuto, oursPublic, 0, ""},
		"they are carried in spite of a key":     {CacheOptions{SigningKey: ours}, SignaturesCarry, theirsPublic, 0, ""},
		"another layout loses them":              {CacheOptions{Layout: "v2"}, SignaturesAuto, "", 4, ""},
		"another layout is signed":               {CacheOptions{Layout: "v2", SigningKey: ours}, SignaturesAuto, oursPublic, 0, ""},
		"they are left behind when asked to":     {CacheOptions{}, SignaturesNone, "", 4, ""},
		"another layout cannot carry them":       {CacheOptions{Layout: "v2"}, SignaturesCarry, "", 0, "cannot be carried"},
		"nothing can be signed without a key":    {CacheOptions{}, SignaturesSign, "", 0, "no key to sign with"},
		"what is left behind needs no other key": {CacheOptions{SigningKey: ours, Unsigned: true}, SignaturesNone, "", 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.to.Write = true
			from := openCache(t, signedDir, CacheOptions{TrustedKeys: []string{theirsPublic}})
			copied, err := from.CopyTo(t.Context(), openCache(t, dir, test.to), CacheCopyOptions{Signatures: test.mode})
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || copied.Unsigned != test.unsigned {
				t.Fatalf("%+v, %v", copied, err)
			}
			for _, p := range listed(t, openCache(t, dir, CacheOptions{})) {
				if p.Signed != (test.trust != "") {
					t.Errorf("%s: signed %v", p.Name, p.Signed)
				}
			}
			if test.trust == "" {
				return
			}
			for _, p := range listed(t, openCache(t, dir, CacheOptions{TrustedKeys: []string{test.trust}})) {
				if p.Problem != "" || p.Signer == "" {
					t.Errorf("%s: signer %q, %s", p.Name, p.Signer, p.Problem)
				}
			}
		})
	}
}

func TestWhatNobodyTrustedSignedIsListedAsUnusable(t *testing.T) {
	t.Parallel()
	_, public := newKey(t, "ours")
	for _, p := range listed(t, openCache(t, filled(t, buildcache.V3, "zlib-ng"), CacheOptions{TrustedKeys: []string{public}})) {
		if !strings.Contains(p.Problem, "not signed") {
			t.Errorf("%s: %q", p.Name, p.Problem)
		}
	}
}

func TestTheURLsThatAreShownAreThere(t *testing.T) {
	t.Parallel()
	for _, layout := range []buildcache.Layout{buildcache.V2, buildcache.V3} {
		b := openCache(t, filled(t, layout, toRun...), CacheOptions{})
		list, _, err := b.Show(t.Context(), CacheQuery{})
		if err != nil || len(list) != 4 {
			t.Fatal(len(list), err)
		}
		for _, d := range list {
			for _, url := range []string{d.EntryURL, d.ArchiveURL} {
				if _, err := os.Stat(strings.TrimPrefix(url, "file://")); err != nil {
					t.Errorf("%s: %v", layout, err)
				}
			}
		}
	}
}

func TestNothingIsCopiedBeforeWhatItNeeds(t *testing.T) {
	t.Parallel()
	lock := smallLock(t)
	c := &contents{specs: lock.Specs}
	for _, h := range lock.Order {
		c.packages = append(c.packages, &cached{entry: buildcache.Entry{Hash: h}, spec: lock.Specs[h]})
	}
	at := map[spack.Hash]int{}
	for i, p := range c.dependenciesFirst() {
		at[p.entry.Hash] = i
	}
	if len(at) != len(lock.Specs) {
		t.Fatalf("%d of %d", len(at), len(lock.Specs))
	}
	for h, s := range lock.Specs {
		for _, e := range s.Dependencies {
			if e.Types&spack.LinkRun != 0 && at[e.Hash] > at[h] {
				t.Errorf("%s before %s", s.Name, e.Name)
			}
		}
	}
}

func TestACopyThatWasStoppedGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	src := openCache(t, filled(t, buildcache.V3, toRun...), CacheOptions{})
	dst := openCache(t, t.TempDir(), CacheOptions{Write: true})
	ctx, cancel := context.WithCancel(t.Context())
	copied, err := src.CopyTo(ctx, dst, CacheCopyOptions{Progress: func(s CacheCopyStep) {
		if s.Package.Name != "" {
			cancel()
		}
	}})
	if err == nil || copied.Copied == 0 || copied.Indexed {
		t.Fatalf("%+v, %v", copied, err)
	}
	rest, err := src.CopyTo(t.Context(), dst, CacheCopyOptions{})
	if err != nil || rest.Copied+rest.There != 4 || rest.There < copied.Copied {
		t.Errorf("%+v after %+v, %v", rest, copied, err)
	}
	if found, err := dst.Check(t.Context(), CacheCheckOptions{Archives: true}); err != nil || len(found.Findings) > 0 {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestPlacesAreToldFromNames(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]bool{
		"shared": false, "cache.buildcache.shared": false, "./shared": true, "/srv/mirror": true, ".": true, "..": true,
		"https://example.org": true, "oci://registry.example.org/x": true, "s3://bucket": true,
	} {
		if got := IsCacheLocation(written); got != want {
			t.Errorf("%s: %v", written, got)
		}
	}
}

func TestCachesOfRealSpackAreLookedIntoAndCopied(t *testing.T) {
	t.Parallel()
	env := os.Getenv("ESD_TEST_SPACK")
	if env == "" {
		t.Skip("ESD_TEST_SPACK is not set: it names a file that sets the environment of a real Spack, beside a folder caches/")
	}
	dir := filepath.Join(filepath.Dir(env), "caches")
	key := filepath.Join(dir, "key.asc")
	for _, name := range []string{"v2", "v3", "v2-padded", "v3-padded", "v2-signed", "v3-signed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opts CacheOptions
			if strings.HasSuffix(name, "-signed") {
				opts.TrustedKeys = []string{key}
			}
			src := openCache(t, filepath.Join(dir, name), opts)
			list, _, err := src.Show(t.Context(), CacheQuery{})
			if err != nil || len(list) < 20 {
				t.Fatal(len(list), err)
			}
			for _, d := range list {
				if d.Problem != "" || len(d.Lacks) > 0 || d.Prefix == "" || d.Padded != strings.HasSuffix(name, "-padded") || (d.Signer != "") != (opts.TrustedKeys != nil) {
					t.Errorf("%s: %+v", name, d)
				}
				if _, err := os.Stat(strings.TrimPrefix(d.ArchiveURL, "file://")); err != nil {
					t.Error(err)
				}
			}
			to := t.TempDir()
			if _, err := src.CopyTo(t.Context(), openCache(t, to, CacheOptions{Write: true, Layout: name[:2]}), CacheCopyOptions{CacheQuery: CacheQuery{Specs: []string{"esd-app"}}}); err != nil {
				t.Fatal(err)
			}
			for _, p := range listed(t, openCache(t, to, opts)) {
				if p.Problem != "" || p.Signed != (opts.TrustedKeys != nil) {
					t.Errorf("copied %+v", p)
				}
			}
		})
	}
}

// BenchmarkListingACache measures what a listing costs a package: its entry and its
// spec are read.
func BenchmarkListingACache(b *testing.B) {
	cache := openCache(b, filled(b, buildcache.V3, toRun...), CacheOptions{})
	var packages int
	start := time.Now()
	for b.Loop() {
		packages += len(listed(b, cache))
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(packages), "µs/package")
}
