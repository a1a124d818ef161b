package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
	"esd/internal/plan"
	"esd/internal/state"
)

// lab is a configuration of an image with two packages and a file.
func lab(attributes string) map[string]string {
	return map[string]string{"motd": "welcome", "main.hcl": `
recipe "lib" {
  version = "1"
  script  = "echo lib > $prefix/x"
}
recipe "app" {
  version = "1"
  needs   = [recipe.lib]
  script  = "echo app > $prefix/x"
}
target "image" "lab" {
  packages = [recipe.app]
  files    = { "/etc/motd" = "motd" }
` + attributes + "\n}\n"}
}

func (p *place) store(reference string) (oci.Store, oci.Ref) {
	p.Helper()
	if rest, ok := strings.CutPrefix(reference, "oci:"); ok && !filepath.IsAbs(rest) {
		reference = "oci:" + filepath.Join(p.dir, rest)
	}
	ref, err := oci.ParseRef(reference)
	if err != nil {
		p.Fatal(err)
	}
	s, err := oci.Open(context.Background(), ref, oci.Options{Credentials: oci.StaticCredential{}})
	if err != nil {
		p.Fatal(err)
	}
	return s, ref
}

// published reads an image from where it was published.
func (p *place) published(reference string) (ocispec.Manifest, ocispec.Image) {
	p.Helper()
	s, ref := p.store(reference)
	var manifest ocispec.Manifest
	var config ocispec.Image
	_, data, err := oci.FetchManifest(context.Background(), s, ref.Tag)
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	if err != nil {
		p.Fatal(err)
	}
	r, err := s.Fetch(context.Background(), manifest.Config)
	if err := json.Unmarshal(readAll(p, r, err), &config); err != nil {
		p.Fatal(err)
	}
	return manifest, config
}

func (p *place) tag(reference string) string {
	p.Helper()
	s, ref := p.store(reference)
	desc, err := s.Resolve(context.Background(), ref.Tag)
	if errors.Is(err, oci.ErrNotFound) {
		return ""
	}
	if err != nil {
		p.Fatal(err)
	}
	return string(desc.Digest)
}

func TestImages(t *testing.T) {
	needSandbox(t)
	t.Run("are the same to the bit, one layer a package and one with the files", func(t *testing.T) {
		f := lab(`publish = ["oci:dist/lab:1"]
  env = { B = "2", A = "1" }
  labels = { who = "us" }
  entrypoint = ["/e"]
  cmd = ["c"]
  user = "7"
  workdir = "/w"`)
		one, two := newPlace(t, f), newPlace(t, f)
		one.apply()
		two.apply()
		if one.tag("oci:dist/lab:1") != two.tag("oci:dist/lab:1") || one.digest("target.image.lab") != one.tag("oci:dist/lab:1") {
			t.Error("two images")
		}
		manifest, config := one.published("oci:dist/lab:1")
		if len(manifest.Layers) != 3 || manifest.Layers[0].Digest.String() != one.digest("recipe.app") || manifest.Layers[1].Digest.String() != one.digest("recipe.lib") {
			t.Errorf("%+v", manifest.Layers)
		}
		want := ocispec.ImageConfig{
			User: "7", Env: []string{"A=1", "B=2"}, Entrypoint: []string{"/e"}, Cmd: []string{"c"}, WorkingDir: "/w", Labels: map[string]string{"who": "us"},
		}
		if diff := cmp.Diff(want, config.Config, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == `["dev.esd.key"]` }, cmp.Ignore())); diff != "" {
			t.Error(diff)
		}
		one.nothingToDo()
	})
	t.Run("with gzip have layers that all engines know", func(t *testing.T) {
		p := newPlace(t, lab(`publish = ["oci:dist/lab:1"]
  compression = "gzip"`))
		p.apply()
		manifest, _ := p.published("oci:dist/lab:1")
		for _, l := range manifest.Layers {
			if l.MediaType != ocispec.MediaTypeImageLayerGzip {
				t.Error(l.MediaType)
			}
		}
		p.nothingToDo()
	})
	t.Run("with a changed file are put together anew, and say so", func(t *testing.T) {
		p := newPlace(t, lab(`publish = ["oci:dist/lab:1"]`))
		p.apply()
		p.write("motd", "hello")
		made := p.apply()
		if len(made.Changes) != 1 || made.Changes[0].Reason != "file motd changed" || made.Changes[0].Prior["digest"] == nil {
			t.Errorf("%+v", made.Changes)
		}
	})
	t.Run("are refused when a file changes between plan and apply", func(t *testing.T) {
		p := newPlace(t, lab(`publish = ["oci:dist/lab:1"]`))
		made, c, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		p.write("motd", "hello")
		wantError(t, p.carryOut(context.Background(), made, c).Failed[0].Err, "has changed since the plan was made: plan again")
	})
	t.Run("go to a registry as to a layout", func(t *testing.T) {
		host := newRegistry(t)
		p := newPlace(t, lab(fmt.Sprintf(`publish = ["oci:dist/lab:1", "%s/esd/lab:1", "%s/esd/lab:latest"]`, host, host)))
		p.apply()
		want := p.digest("target.image.lab")
		for _, ref := range []string{"oci:dist/lab:1", host + "/esd/lab:1", host + "/esd/lab:latest"} {
			if p.tag(ref) != want {
				t.Errorf("%s is %s, want %s", ref, p.tag(ref), want)
			}
		}
		p.nothingToDo()
	})
}

func TestImagesUponABase(t *testing.T) {
	needSandbox(t)
	p := newPlace(t, map[string]string{"passwd": "root:x:0:0::/:", "main.hcl": `
target "image" "base" {
  files   = { "/etc/passwd" = "passwd" }
  env     = { PATH = "/base/bin", KEPT = "yes" }
  cmd     = ["base"]
  workdir = "/base"
  publish = ["oci:dist/base:1"]
}
`})
	p.apply()
	digest := p.tag("oci:dist/base:1")
	p.write("main.hcl", p.read("main.hcl")+`
target "image" "lab" {
  base    = "oci:dist/base:1"
  files   = { "/etc/motd" = "passwd" }
  env     = { PATH = "/lab/bin" }
  cmd     = ["lab"]
  publish = ["oci:dist/lab:1"]
}
`)
	_, _, err := p.plan()
	var unpinned *plan.UnpinnedError
	if !errors.As(err, &unpinned) {
		t.Fatalf("a base that is not pinned: %v", err)
	}
	p.images = map[string]string{"oci:dist/base:1": digest}
	p.apply()
	manifest, config := p.published("oci:dist/lab:1")
	base, _ := p.published("oci:dist/base:1")
	if len(manifest.Layers) != 2 || manifest.Layers[0].Digest != base.Layers[0].Digest {
		t.Errorf("%+v", manifest.Layers)
	}
	if diff := cmp.Diff([]string{"KEPT=yes", "PATH=/lab/bin"}, config.Config.Env, cmp.Transformer("sorted", sorted)); diff != "" {
		t.Error(diff)
	}
	if config.Config.WorkingDir != "/base" || config.Config.Cmd[0] != "lab" {
		t.Errorf("%+v", config.Config)
	}
	p.nothingToDo()
}

func sorted(list []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}

// shell is a recipe with a shell that runs in an image that has nothing else.
const shell = `
recipe "shell" {
  version = "1"
  script  = <<-EOT
    mkdir $prefix/b
    cp -L /bin/sh $prefix/b/sh
    for f in $(ldd /bin/sh | grep -o '/[^ )]*'); do cp -L $f $prefix/b/; done
    mv $prefix/b/ld-* $prefix/b/ld.so
  EOT
}
locals {
  sh = ["${recipe.shell.prefix}/b/ld.so", "--library-path", "${recipe.shell.prefix}/b", "${recipe.shell.prefix}/b/sh", "-c"]
}
`

func TestChecks(t *testing.T) {
	needSandbox(t)
	config := func(command string) map[string]string {
		return map[string]string{"motd": "welcome", "main.hcl": shell + fmt.Sprintf(`
target "image" "lab" {
  packages = [recipe.shell]
  files    = { "/etc/motd" = "motd" }
  env      = { COLOR = "red" }
  workdir  = "/etc"
  publish  = ["oci:dist/lab:1"]
  check "works" {
    command = concat(local.sh, [%q])
  }
}
`, command)}
	}
	t.Run("that pass let the image be published", func(t *testing.T) {
		p := newPlace(t, config("read -r x < motd || [ -n \"$x\" ]; [ \"$x$COLOR\" = welcomered ]"))
		p.apply()
		p.nothingToDo()
	})
	t.Run("that fail keep it back", func(t *testing.T) {
		p := newPlace(t, config("echo it is bad; exit 4"))
		log, err := p.failure()
		wantError(t, err, "the check failed", "the image is not published")
		if !strings.Contains(log, "it is bad") {
			t.Errorf("log: %s", log)
		}
		if p.tag("oci:dist/lab:1") != "" || p.state.Get("target.image.lab") != nil {
			t.Error("it is published, or recorded")
		}
		if left, _ := filepath.Glob(filepath.Join(p.workDir(), "tmp", "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestManyPackagesShareLayers(t *testing.T) {
	needSandbox(t)
	config := func(changed string) map[string]string {
		return map[string]string{"main.hcl": fmt.Sprintf(`
recipe "p" {
  for_each = { for i in range(150) : "n${i}" => i }
  version  = "1"
  script   = "echo ${each.key}${each.key == "n7" ? %q : ""} > $prefix/x"
}
target "image" "lab" {
  packages = [recipe.p]
  publish  = ["oci:dist/lab:1"]
}
`, changed)}
	}
	p := newPlace(t, config(""))
	p.apply()
	before, _ := p.published("oci:dist/lab:1")
	p.write("main.hcl", config("changed")["main.hcl"])
	p.apply()
	after, _ := p.published("oci:dist/lab:1")
	if len(before.Layers) > 100 || len(before.Layers) != len(after.Layers) {
		t.Fatalf("%d and %d layers", len(before.Layers), len(after.Layers))
	}
	changed := 0
	for i := range before.Layers {
		if before.Layers[i].Digest != after.Layers[i].Digest {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d layers change with one package", changed)
	}
}

func TestDriftOfImages(t *testing.T) {
	needSandbox(t)
	host := newRegistry(t)
	p := newPlace(t, lab(fmt.Sprintf(`publish = ["%s/esd/lab:1", "%s/esd/lab:2"]`, host, host)))
	p.apply()
	one, two := host+"/esd/lab:1", host+"/esd/lab:2"
	s, _ := p.store(one)
	foreign := func(tag string) {
		config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
		desc := oci.Describe(ocispec.MediaTypeImageConfig, config)
		m, _ := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": desc, "layers": []any{}})
		if err := s.PushBytes(context.Background(), desc, config); err != nil {
			t.Fatal(err)
		}
		if err := oci.PushManifest(context.Background(), s, oci.Describe(ocispec.MediaTypeImageManifest, m), m, tag); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(action plan.Action, drift bool, reason string, steps int) {
		t.Helper()
		made, _, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		c, _ := made.Change("target.image.lab")
		if c.Action != action || c.Drift != drift || !strings.Contains(c.Reason, reason) || len(made.Steps) != steps {
			t.Errorf("%s drift=%v %q with %d steps, want %s %v %q %d", c.Action, c.Drift, c.Reason, len(made.Steps), action, drift, reason, steps)
		}
	}
	if err := s.Untag(context.Background(), "1"); err != nil {
		t.Skipf("this registry removes no tags: %v", err)
	}
	expect(plan.Update, true, one+" is gone", 2)
	p.apply()
	p.nothingToDo()
	foreign("2")
	expect(plan.Update, true, "which esd did not make", 2)
	p.apply()
	p.nothingToDo()
	t.Run("another place is news and no drift", func(t *testing.T) {
		p.write("main.hcl", lab(fmt.Sprintf(`publish = ["%s", "%s", "oci:dist/lab:3"]`, one, two))["main.hcl"])
		expect(plan.Update, false, "not published to oci:dist/lab:3 yet", 2)
		p.apply()
		p.nothingToDo()
	})
	t.Run("without a state what is published is adopted", func(t *testing.T) {
		recorded := p.state.Get("target.image.lab").Attributes
		p.state = state.New(state.NewID(), "1.0.0")
		expect(plan.Adopt, false, "exists as wanted", 0)
		p.apply()
		if diff := cmp.Diff(fmt.Sprint(recorded["published"], recorded["digest"], recorded["size"]), fmt.Sprint(p.state.Get("target.image.lab").Attributes["published"], p.state.Get("target.image.lab").Attributes["digest"], p.state.Get("target.image.lab").Attributes["size"])); diff != "" {
			t.Errorf("it is recorded otherwise than when it was made: %s", diff)
		}
		p.nothingToDo()
	})
}

// onlyManifests is a registry that removes manifests by digest, but no tags.
func onlyManifests(t *testing.T, host string) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: host})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && !strings.Contains(r.URL.Path, "/manifests/sha256:") {
			http.Error(w, "not a digest", http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func TestDestroyingImages(t *testing.T) {
	needSandbox(t)
	destroy := func(r *plan.Request) { r.Mode = plan.Destroy }
	t.Run("removes the tags that name them still", func(t *testing.T) {
		host := newRegistry(t)
		p := newPlace(t, lab(fmt.Sprintf(`publish = ["oci:dist/lab:1", "%s/esd/lab:1", "%s/esd/lab:2"]`, host, host)))
		p.apply()
		s, ref := p.store(host + "/esd/lab:2")
		other := newPlace(t, lab(fmt.Sprintf("cmd = [\"other\"]\n publish = [\"%s/esd/lab:2\"]", host)))
		other.apply() // takes the tag over
		moved, err := s.Resolve(context.Background(), ref.Tag)
		if err != nil {
			t.Fatal(err)
		}
		p.apply(destroy)
		if p.tag("oci:dist/lab:1") != "" || p.tag(host+"/esd/lab:1") != "" || p.state.Get("target.image.lab") != nil {
			t.Error("something is left")
		}
		if p.tag(host+"/esd/lab:2") != string(moved.Digest) {
			t.Error("it has removed what belongs to others")
		}
		if blobs, _ := filepath.Glob(filepath.Join(p.dir, "dist/lab/blobs/*/*")); len(blobs) > 0 {
			t.Errorf("the layout keeps %d blobs", len(blobs))
		}
	})
	t.Run("leaves the tag that another target has taken", func(t *testing.T) {
		p := newPlace(t, lab(`publish = ["oci:dist/lab:1", "oci:dist/lab:2"]`))
		p.apply()
		main := p.read("main.hcl")
		p.write("main.hcl", strings.NewReplacer(`"image" "lab"`, `"image" "new"`, `, "oci:dist/lab:2"`, "").Replace(main))
		p.apply()
		if p.tag("oci:dist/lab:1") == "" || p.tag("oci:dist/lab:2") != "" {
			t.Error("the wrong one is gone")
		}
		p.nothingToDo()
	})
	t.Run("leaves the tag that another target has taken under another name of the host", func(t *testing.T) {
		host := newRegistry(t)
		p := newPlace(t, lab(fmt.Sprintf(`publish = ["%s/esd/lab:1"]`, host)))
		p.apply()
		_, port, _ := strings.Cut(host, ":")
		p.write("main.hcl", strings.NewReplacer(`"image" "lab"`, `"image" "new"`, host, "localhost:"+port).Replace(p.read("main.hcl")))
		p.apply()
		if p.tag(host+"/esd/lab:1") == "" {
			t.Error("the tag is gone")
		}
	})
	t.Run("in a registry that removes no tags", func(t *testing.T) {
		host := onlyManifests(t, newRegistry(t))
		p := newPlace(t, lab(fmt.Sprintf(`publish = ["%s/esd/lab:1", "%s/esd/lab:latest"]`, host, host)))
		p.apply()
		s, ref := p.store(host + "/esd/lab:1")
		desc, err := s.Resolve(context.Background(), ref.Tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Tag(context.Background(), desc, "theirs"); err != nil {
			t.Fatal(err)
		}
		_, err = p.failure(destroy)
		wantError(t, err, `tag "theirs" names the same image`)
		two := newPlace(t, lab(fmt.Sprintf("cmd = [\"two\"]\n publish = [\"%s/esd/two:1\", \"%s/esd/two:latest\"]", host, host)))
		two.apply()
		two.apply(destroy)
		if two.tag(host+"/esd/two:1") != "" || two.tag(host+"/esd/two:latest") != "" {
			t.Error("a tag is left")
		}
	})
	t.Run("of a tag that is gone already is fine", func(t *testing.T) {
		p := newPlace(t, lab(`publish = ["oci:dist/lab:1"]`))
		p.apply()
		if err := os.RemoveAll(filepath.Join(p.dir, "dist")); err != nil {
			t.Fatal(err)
		}
		p.apply(destroy)
	})
}

func TestDestinationsBelongToOneImage(t *testing.T) {
	for name, publish := range map[string][2]string{
		"the same reference":                 {"oci:dist/lab:1", "oci:dist/lab:1"},
		"written in another way":             {"oci:dist/lab:1", "oci:./x/../dist/lab:1"},
		"with and without docker's registry": {"lab:1", "docker.io/library/lab:1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, map[string]string{"motd": "x", "main.hcl": fmt.Sprintf(`
target "image" "one" {
  files   = { "/etc/motd" = "motd" }
  publish = [%q]
}
target "image" "two" {
  files   = { "/etc/other" = "motd" }
  publish = [%q]
}
`, publish[0], publish[1])})
			_, _, err := p.plan()
			var conflict *plan.ConflictError
			if !errors.As(err, &conflict) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestKeysOfImages(t *testing.T) {
	for name, test := range map[string]struct {
		one, two string
		changes  bool
	}{
		"where it goes is no part": {`publish = ["oci:a:1"]`, `publish = ["oci:b:1"]`, false},
		"how long a check may take is no part": {
			"publish = [\"oci:a:1\"]\n check \"x\" {\n command = [\"a\"]\n}", "publish = [\"oci:a:1\"]\n check \"x\" {\n command = [\"a\"]\n timeout = \"1h\"\n}", false,
		},
		"no arguments and none":                  {"publish = [\"oci:a:1\"]\n cmd = []", `publish = ["oci:a:1"]`, false},
		"an empty argument and none":             {"publish = [\"oci:a:1\"]\n cmd = [\"\"]", `publish = ["oci:a:1"]`, true},
		"two arguments and one":                  {"publish = [\"oci:a:1\"]\n cmd = [\"a\", \"b\"]", "publish = [\"oci:a:1\"]\n cmd = [\"a b\"]", true},
		"arguments of the entrypoint and of cmd": {"publish = [\"oci:a:1\"]\n cmd = [\"a\"]", "publish = [\"oci:a:1\"]\n entrypoint = [\"a\"]", true},
		"a label":                                {"publish = [\"oci:a:1\"]\n labels = { a = \"1\" }", "publish = [\"oci:a:1\"]\n labels = { a = \"2\" }", true},
		"a label and a variable":                 {"publish = [\"oci:a:1\"]\n labels = { a = \"1\" }", "publish = [\"oci:a:1\"]\n env = { a = \"1\" }", true},
		"the compression":                        {"publish = [\"oci:a:1\"]\n compression = \"gzip\"", `publish = ["oci:a:1"]`, true},
		"the variant of the platform":            {"publish = [\"oci:a:1\"]\n platform = \"linux/" + runtime.GOARCH + "/v9\"", `publish = ["oci:a:1"]`, true},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := newPlace(t, lab(test.one)), newPlace(t, lab(test.two))
			if changed := one.key("target.image.lab") != two.key("target.image.lab"); changed != test.changes {
				t.Errorf("the key changes: %v", changed)
			}
		})
	}
}
