package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"esd/internal/archive"
	"esd/internal/spack/buildcache"
	"esd/internal/workspace"
)

func toyImage(publish ...string) string {
	return `target "image" "lab" {
  packages = [environment.sim]
  publish  = ["` + strings.Join(publish, `", "`) + `"]
}
output "digest" { value = target.image.lab.digest }
`
}

// layersOf lists the digests of the layers of an image in a layout.
func layersOf(t testing.TB, layout, tag string) []string {
	t.Helper()
	var manifest struct{ Layers []struct{ Digest string } }
	data, err := os.ReadFile(blobOf(layout, layoutTag(t, layout, tag)))
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, l := range manifest.Layers {
		list = append(list, l.Digest)
	}
	return list
}

// unpackedImage unpacks an image in a layout.
func unpackedImage(t testing.TB, layout, tag string) string {
	t.Helper()
	root := filepath.Join(scratch(t), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, digest := range layersOf(t, layout, tag) {
		f, err := os.Open(blobOf(layout, digest))
		if err != nil {
			t.Fatal(err)
		}
		_, err = archive.UnpackLayer(t.Context(), f, archive.LayerOptions{Dest: root})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// filesIn reads an image in a layout: contents of files and targets of links.
func filesIn(t testing.TB, layout, tag string) (files map[string]string, layers int) {
	t.Helper()
	root := unpackedImage(t, layout, tag)
	files = map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if d.Type()&os.ModeSymlink != 0 {
			files[name], err = os.Readlink(path)
			return err
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, len(layersOf(t, layout, tag))
}

func TestAnImageOfAnEnvironmentHasItsPackagesAsIfTheyWereInstalledThere(t *testing.T) {
	t.Parallel()
	s := newToys(12)
	cache := dirCache(t)
	pushToys(t, s, cache, 100, buildcache.Options{})
	m := toyMachine(t, s, cache, `root = "/opt/sw"`, toyImage("oci:dist/lab:1"))
	m.apply()
	m.wantNothingToDo()

	files, layers := filesIn(t, m.path("dist/lab"), "1")
	if layers != 13 {
		t.Errorf("%d layers for 12 packages and what Spack knows, want 13", layers)
	}
	_, lock := s.lock(t)
	for _, p := range lock.Specs {
		prefix := "/opt/sw/linux-x86_64_v3/" + p.ID()
		if got, want := files[prefix+"/bin/"+p.Name], "#!/bin/sh\n# "+prefix+"/share\n"; !strings.HasPrefix(got, want) {
			t.Errorf("bin/%s is %q, want %q…", p.Name, got, want)
		}
		if got, want := files[prefix+"/bin/"+p.Name+"-link"], prefix+"/bin/"+p.Name; got != want {
			t.Errorf("a link of %s leads to %s, want %s", p.Name, got, want)
		}
		for _, e := range p.Dependencies {
			if want := "/opt/sw/linux-x86_64_v3/" + lock.Specs[e.Hash].ID() + "/lib"; !strings.Contains(files[prefix+"/share/"+p.Name+"/needs"], want) {
				t.Errorf("%s does not find %s", p.Name, e.Name)
			}
		}
	}
	var database struct {
		Database struct {
			Version  string
			Installs map[string]struct {
				Path                string
				Installed, Explicit bool
				References          int `json:"ref_count"`
			}
		}
	}
	if err := json.Unmarshal([]byte(files["/opt/sw/.spack-db/index.json"]), &database); err != nil {
		t.Fatal(err)
	}
	if d := database.Database; d.Version != "8" || len(d.Installs) != 12 {
		t.Errorf("the database is of version %s with %d records", d.Version, len(d.Installs))
	}
	for h, r := range database.Database.Installs {
		users, needed := 0, false
		for _, p := range lock.Specs {
			for _, e := range p.Dependencies {
				if string(e.Hash) == h {
					users, needed = users+1, true
				}
			}
		}
		if _, there := files[r.Path+"/.spack/spec.json"]; !there || !r.Installed || r.Explicit == needed || r.References != users {
			t.Errorf("%s: %+v, and is needed by %d", h, r, users)
		}
	}
	if files["/opt/sw/bin/sbang"] == "" || len(files["/opt/sw/.spack-db/index_verifier"]) != 36 {
		t.Error("sbang, or the verifier of the database, is missing")
	}
}

func TestAnImageOfAnEnvironmentIsTheSameToTheBitFromEveryKindOfCache(t *testing.T) {
	t.Parallel()
	s := newToys(10)
	v3 := dirCache(t)
	from := pushToys(t, s, v3, 3000, buildcache.Options{})
	entries, err := from.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	registry := newRegistry(t, nil)
	locations := map[string]string{"v3": v3, "a registry": "oci+http://" + registry + "/esd/buildcache"}
	to, err := buildcache.Open(t.Context(), locations["a registry"], buildcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := buildcache.Copy(t.Context(), to, from, entries, buildcache.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	digests := map[string]string{}
	for name, location := range locations {
		m := toyMachine(t, s, location, "", toyImage("oci:dist/lab:1"))
		m.apply()
		digests[name] = m.output("digest")
	}
	again := toyMachine(t, s, v3, "", toyImage("oci:dist/elsewhere:2"))
	again.apply("--jobs=1")
	digests["v3 once more"] = again.output("digest")
	for name, digest := range digests {
		if digest != digests["v3"] {
			t.Errorf("from %s the image is %s, want %s", name, digest, digests["v3"])
		}
	}
}

// counted serves a directory and counts the bytes of what is asked for.
type counted struct {
	url          string
	bytes, files atomic.Int64
	archives     atomic.Int64 // requests for whole blobs that are large
	payload      int64
	refuse       atomic.Pointer[string] // a part of the path
}

func serveCache(t testing.TB, dir string, payload int) *counted {
	t.Helper()
	c := &counted{payload: int64(payload)}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.files.Add(1)
		if refused := c.refuse.Load(); refused != nil && strings.Contains(r.URL.Path, *refused) {
			http.Error(w, "not today", http.StatusForbidden)
			return
		}
		counter := &countingResponse{ResponseWriter: w}
		files.ServeHTTP(counter, r)
		c.bytes.Add(counter.n)
		if counter.n >= c.payload {
			c.archives.Add(1)
		}
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *counted) reset() { c.bytes.Store(0); c.files.Store(0); c.archives.Store(0) }

type countingResponse struct {
	http.ResponseWriter
	n int64
}

// Write counts what is written.
func (c *countingResponse) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n += int64(n)
	return n, err
}

// changedToys publishes an image of n packages, changes some, and measures what
// the second apply costs on another machine, which has nothing.
func changedToys(t testing.TB, n, change, payload int) (first, second toyTraffic) {
	t.Helper()
	dir := dirCache(t)
	cache := serveCache(t, dir, payload)
	images := newProxy(t, newRegistry(t, nil), nil)
	apply := func(s *toys) toyTraffic {
		pushToys(t, s, dir, payload, buildcache.Options{})
		m := toyMachine(t, s, cache.url, "", toyImage(images.host+"/esd/lab:1"))
		images.reset()
		cache.reset()
		m.apply()
		out := toyTraffic{
			cacheBytes: cache.bytes.Load(), archives: cache.archives.Load(), cacheRequests: cache.files.Load(),
			sent: images.in.Load(), received: images.out.Load(), uploads: images.requested("PUT blobs/uploads"),
			compressed: strings.Count(m.logs("assemble"), "esd: layer of "),
		}
		m.wantNothingToDo()
		return out
	}
	s := newToys(n)
	first = apply(s)
	s.change(change)
	return first, apply(s)
}

type toyTraffic struct {
	cacheBytes, archives, cacheRequests int64
	sent, received                      int64
	uploads, compressed                 int
}

func (f toyTraffic) String() string {
	return fmt.Sprintf("build cache: %d archives, %d bytes, %d requests; %d layers made; image: %d bytes sent in %d blobs, %d received",
		f.archives, f.cacheBytes, f.cacheRequests, f.compressed, f.sent, f.uploads, f.received)
}

func TestThreeOfManyCachedPackagesAreAllThatIsReadCompressedAndSent(t *testing.T) {
	t.Parallel()
	n, payload := 150, 64<<10
	if testing.Short() {
		n = 120
	}
	first, second := changedToys(t, n, 3, payload)
	t.Logf("%d packages of %d bytes.\nat first: %v\n3 changed, on a machine that has nothing: %v", n, payload, first, second)
	if second.archives != 3 || second.compressed != 3 || second.uploads != 5 {
		t.Errorf("%d archives were read, %d layers made, %d blobs sent; want 3, 3, and 5 with the database and the configuration",
			second.archives, second.compressed, second.uploads)
	}
	// Beside the three: what caches say of packages, the first bytes of archives,
	// the database of the stack, manifest and configuration.
	if slack := int64(n) * 1500; second.cacheBytes > 3*int64(payload)+slack || second.sent > 3*int64(payload)+slack {
		t.Errorf("%d bytes were read and %d sent, want those of 3 packages and at most %d", second.cacheBytes, second.sent, slack)
	}
}

// BenchmarkChangeThreeCachedPackages tells what three changed packages of an
// image of 150 cost. What it measures is bytes, not time.
func BenchmarkChangeThreeCachedPackages(b *testing.B) {
	payload := 1 << 20
	for b.Loop() {
		_, second := changedToys(b, 150, 3, payload)
		b.ReportMetric(float64(second.cacheBytes)/float64(payload), "packages-read/op")
		b.ReportMetric(float64(second.sent)/float64(payload), "packages-sent/op")
		b.ReportMetric(float64(second.compressed), "layers-made/op")
		b.ReportMetric(float64(second.cacheBytes-3*int64(payload)), "other-bytes-read/op")
		b.ReportMetric(float64(second.sent-3*int64(payload)), "other-bytes-sent/op")
	}
}

func TestASecondDestinationGetsLayersFromTheFirst(t *testing.T) {
	t.Parallel()
	s := newToys(8)
	dir := dirCache(t)
	cache := serveCache(t, dir, 1000)
	pushToys(t, s, dir, 1000, buildcache.Options{})
	one := newProxy(t, newRegistry(t, nil), nil)
	two := newProxy(t, newRegistry(t, nil), nil)
	m := toyMachine(t, s, cache.url, "", toyImage(one.host+"/esd/lab:1"))
	m.apply()

	fresh := toyMachine(t, s, cache.url, "", toyImage(one.host+"/esd/lab:1", one.host+"/other/lab:1", two.host+"/esd/lab:1"))
	cache.reset()
	one.reset()
	fresh.apply()
	if n := cache.archives.Load(); n != 0 {
		t.Errorf("%d archives were read from the build cache, and the first destination has all layers", n)
	}
	if sent := one.requested("PUT blobs/uploads"); sent != 1 {
		t.Errorf("%d blobs were sent within a registry, want the configuration alone: %v", sent, one)
	}
	if fresh.output("digest") != m.output("digest") {
		t.Errorf("the image is %s, want %s", fresh.output("digest"), m.output("digest"))
	}
	fresh.wantNothingToDo()
}

func TestPlansSayWhichPackageOfAnImageChanges(t *testing.T) {
	t.Parallel()
	s := newToys(8)
	dir := dirCache(t)
	pushToys(t, s, dir, 100, buildcache.Options{})
	m := toyMachine(t, s, dir, "", toyImage("oci:dist/lab:1"))
	m.apply()
	name := s.change(1)[0]
	pushToys(t, s, dir, 100, buildcache.Options{})
	m.writeToys(s, dir, "", toyImage("oci:dist/lab:1"))
	_, lock := s.lock(t)
	hash := ""
	for _, p := range lock.Specs {
		if p.Name == name {
			hash = p.Hash.Short()
		}
	}
	wantSays(t, m.want(0, "plan"), "package "+name+" 1.0/", "→ 1.1/"+hash)
	m.write(map[string]string{"esd.hcl": s.environment("sim", dir, `root = "/opt/other"`) + toyImage("oci:dist/lab:1")})
	if e := m.esd("plan", "--detailed-exitcode"); e.code != 2 {
		t.Errorf("another root changes nothing: %s", e.all())
	}
}

func TestTwoEnvironmentsAndARecipeShareAnImage(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	s := newToys(9)
	other := &toys{names: slices.Clone(s.names[:6]), versions: slices.Clone(s.versions[:6]), needs: s.needs[:6], target: s.target}
	other.add("zed", 2, 3)
	dir := dirCache(t)
	pushToys(t, s, dir, 100, buildcache.Options{})
	pushToys(t, other, dir, 100, buildcache.Options{})
	text, _ := other.lock(t)
	files := greeting("", "oci:dist/unused:1")
	recipes, _, _ := strings.Cut(files["esd.hcl"], `target "image"`)
	stack := func(root string) string {
		return s.environment("sim", dir, "") + other.environment("other", dir, root) + recipes + `
target "image" "lab" {
  packages = [environment.sim, environment.other, recipe.greet]
  files    = { "/etc/about" = "about.txt" }
  publish  = ["oci:dist/lab:1"]
  check "greets" { command = ["${recipe.greet.prefix}/bin/greet"] }
}
output "digest" { value = target.image.lab.digest }
`
	}
	m := newMachine(t, files)
	simText, _ := s.lock(t)
	m.write(map[string]string{"esd.hcl": stack(""), "locks/sim.spack.lock": simText, "locks/other.spack.lock": text})
	m.want(0, "lock", "--adopt", "--auto-approve")
	m.apply()
	m.wantNothingToDo()
	content, layers := filesIn(t, m.path("dist/lab"), "1")
	if want := 10 + 1 + 1 + 1; layers != want { // packages of Spack, of the recipe, the trees, the files
		t.Errorf("%d layers, want %d", layers, want)
	}
	if n := strings.Count(content["/opt/software/.spack-db/index.json"], `"installed":true`); n != 10 {
		t.Errorf("Spack would see %d packages, want 10", n)
	}
	t.Run("unless different packages stand at one place", func(t *testing.T) {
		m.write(map[string]string{"esd.hcl": stack(`projection = "{name}"`) + ""})
		m.write(map[string]string{"esd.hcl": strings.Replace(stack(`projection = "all/in/one"`), "", "", 1)})
		wantSays(t, m.want(1, "plan"), "would both stand at")
	})
	t.Run("unless one package has two places below one root", func(t *testing.T) {
		m.write(map[string]string{"esd.hcl": stack(`projection = "{name}/{hash}"`)})
		wantSays(t, m.want(1, "plan"), "two places below /opt/software")
	})
	t.Run("at a root of its own each", func(t *testing.T) {
		m.write(map[string]string{"esd.hcl": stack(`root = "/opt/more"`)})
		m.apply()
		content, _ := filesIn(t, m.path("dist/lab"), "1")
		for root, want := range map[string]int{"/opt/software": 9, "/opt/more": 7} {
			if n := strings.Count(content[root+"/.spack-db/index.json"], `"installed":true`); n != want {
				t.Errorf("below %s Spack would see %d packages, want %d", root, n, want)
			}
		}
	})
}

func TestPackagesForAnotherProcessorAreRefused(t *testing.T) {
	t.Parallel()
	s := newToys(3)
	for target, platform := range map[string]string{"zen3": "linux/arm64", "neoverse_v1": "linux/amd64", "x86_64_v3": "linux/ppc64le"} {
		s.target = target
		image := strings.Replace(toyImage("oci:dist/lab:1"), "publish ", "platform = \""+platform+"\"\n  publish ", 1)
		m := newMachine(t, nil)
		text, _ := s.lock(t)
		m.write(map[string]string{"esd.hcl": s.environment("sim", dirCache(t), "") + image, "locks/sim.spack.lock": text})
		m.esd("lock", "--adopt", "--auto-approve")
		wantSays(t, m.want(1, "plan"), "Package for another platform", target)
	}
}

// blobsOf lists the archives in a cache of layout v3, largest first.
func blobsOf(t testing.TB, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*", "*"))
	if err != nil || len(list) == 0 {
		t.Fatal("no blobs", err)
	}
	size := func(name string) int64 {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	slices.SortFunc(list, func(a, b string) int { return int(size(b) - size(a)) })
	return list
}

func TestBadArchivesGiveAnErrorAndNoImage(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage     func(t *testing.T, dir string)
		attributes string
		want       []string
	}{
		"one that lies about its content": {func(t *testing.T, dir string) {
			blob := blobsOf(t, dir)[0]
			data, err := os.ReadFile(blob)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(blob, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "", []string{"toy"}},
		"one that is cut short": {func(t *testing.T, dir string) {
			blob := blobsOf(t, dir)[0]
			info, err := os.Stat(blob)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(blob, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}, "", []string{"toy"}},
		"one that is gone after the plan": {func(t *testing.T, dir string) {
			if err := os.Remove(blobsOf(t, dir)[0]); err != nil {
				t.Fatal(err)
			}
		}, "", []string{"toy"}},
		"all of them gone after the plan": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, "", []string{"is in no build cache any more; the next plan will build it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newToys(6)
			dir := dirCache(t)
			pushToys(t, s, dir, 20000, buildcache.Options{})
			m := toyMachine(t, s, dir, test.attributes, toyImage("oci:dist/lab:1"))
			applied, err := openStack(t, m.dir).Apply(t.Context(), workspace.ApplyOptions{Confirm: func(*workspace.Planned) (bool, error) {
				test.damage(t, dir) // after the plan was made
				return true, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if applied.Report.OK() || len(applied.Report.Failed) != 1 {
				t.Fatalf("%+v", applied.Report)
			}
			said := applied.Report.Failed[0].Err.Error()
			for _, want := range test.want {
				if !strings.Contains(said, want) {
					t.Errorf("the error is %s, and should say %q", said, want)
				}
			}
			t.Log(said)
			if _, err := os.Stat(m.path("dist/lab/index.json")); err == nil {
				t.Error("there is an image")
			}
			if left, _ := filepath.Glob(m.path(".esd/tmp/*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestManyPackagesOfAnEnvironmentFitIntoTheLayersThatEnginesAccept(t *testing.T) {
	t.Parallel()
	s := newToys(140)
	dir := dirCache(t)
	pushToys(t, s, dir, 10, buildcache.Options{})
	for _, compression := range []string{"zstd", "gzip"} {
		m := toyMachine(t, s, dir, "", strings.Replace(toyImage("oci:dist/lab:1"), "publish ", "compression = \""+compression+"\"\n  publish ", 1))
		m.apply()
		files, layers := filesIn(t, m.path("dist/lab"), "1")
		if layers != 101 {
			t.Errorf("%d layers with %s, want 100 for packages and one", layers, compression)
		}
		n := 0
		for name := range files {
			if strings.HasSuffix(name, "/.spack/spec.json") {
				n++
			}
		}
		if n != 140 {
			t.Errorf("%d packages are in the image, want 140", n)
		}
	}
}

func TestLayersArePublishedOnceAndServeChecksOnOtherMachines(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	s := newToys(6)
	dir := dirCache(t)
	cache := serveCache(t, dir, 1000)
	pushToys(t, s, dir, 1000, buildcache.Options{})
	registry := newRegistry(t, nil)
	files := greeting("", "oci:dist/unused:1")
	recipes, _, _ := strings.Cut(files["esd.hcl"], `recipe "data"`)
	image := recipes + `
target "image" "lab" {
  packages = [environment.sim, recipe.greet]
  files    = { "/etc/about" = "about.txt" }
  publish  = ["` + registry + `/esd/lab:1"]
  check "greets" { command = ["${recipe.greet.prefix}/bin/greet"] }
}
`
	one := newMachine(t, files)
	one.writeToys(s, cache.url, "", image)
	one.apply()
	two := newMachine(t, files)
	two.write(map[string]string{"about.txt": "something else\n"})
	two.writeToys(s, cache.url, "", image)
	cache.reset()
	told := two.apply()
	if built := told.completed("build"); len(built) != 0 || cache.archives.Load() != 0 {
		t.Errorf("%v were built, %d archives read: the layers are published", built, cache.archives.Load())
	}
	if done := told.completed("check"); len(done) != 1 {
		t.Errorf("checked were %v", done)
	}
	two.wantNothingToDo()
}

func TestLayersThatAreGoneAfterThePlanAreMadeAnew(t *testing.T) {
	t.Parallel()
	s := newToys(5)
	dir := dirCache(t)
	pushToys(t, s, dir, 100, buildcache.Options{})
	m := toyMachine(t, s, dir, "", toyImage("oci:dist/lab:1"))
	m.apply()
	digest := m.output("digest")
	m.writeToys(s, dir, "", toyImage("oci:dist/lab:1", "oci:dist/more:1"))
	if err := os.RemoveAll(m.path(".esd/cache")); err != nil {
		t.Fatal(err)
	}
	applied, err := openStack(t, m.dir).Apply(t.Context(), workspace.ApplyOptions{Confirm: func(*workspace.Planned) (bool, error) {
		return true, os.RemoveAll(m.path("dist"))
	}})
	if err != nil || !applied.Report.OK() {
		t.Fatalf("%v %+v", err, applied.Report)
	}
	if got := layoutTag(t, m.path("dist/more"), "1"); got != digest {
		t.Errorf("the image is %s, want %s", got, digest)
	}
}

func TestAnImageThatIsReplacedIsMadeFromTheArchives(t *testing.T) {
	t.Parallel()
	s := newToys(5)
	dir := dirCache(t)
	pushToys(t, s, dir, 100, buildcache.Options{})
	m := toyMachine(t, s, dir, "", toyImage("oci:dist/lab:1"))
	m.apply()
	digest := m.output("digest")
	m.apply("--replace", "target.image.lab")
	if n := strings.Count(m.logs("assemble"), "esd: layer of "); n != 10 {
		t.Errorf("%d layers were made in two runs, want 10", n)
	}
	if got := m.output("digest"); got != digest {
		t.Errorf("the image is %s, want %s", got, digest)
	}
	m.wantNothingToDo()
}

func TestThePlanForecastsWhatIsReadOfDistantArchives(t *testing.T) {
	t.Parallel()
	s := newToys(6)
	dir := dirCache(t)
	cache := serveCache(t, dir, 1000)
	pushToys(t, s, dir, 5000, buildcache.Options{})
	m := toyMachine(t, s, cache.url, "", toyImage("oci:dist/lab:1"))
	var plan struct {
		Steps []struct {
			Op       string
			Download int64
		}
	}
	if err := json.Unmarshal([]byte(m.want(0, "plan", "--format=json").stdout), &plan); err != nil {
		t.Fatal(err)
	}
	var want int64
	for _, blob := range blobsOf(t, dir)[:6] {
		info, err := os.Stat(blob)
		if err != nil {
			t.Fatal(err)
		}
		want += info.Size()
	}
	if len(plan.Steps) != 2 || plan.Steps[0].Download != want {
		t.Errorf("%+v, want to assemble from %d bytes", plan.Steps, want)
	}
}
