package e2e

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"esd/internal/archive"
	"esd/internal/sandbox"
)

// greeting is a stack with a program that runs without anything else, in an
// image that is published to several places.
func greeting(options string, publish ...string) map[string]string {
	return map[string]string{
		"esd.hcl": `
recipe "greet" {
  version = "1.0"
  source { path = "src" }
  script = "mkdir -p $prefix/bin; cc -static -s -o $prefix/bin/greet greet.c"
}
recipe "data" {
  version = "1.0"
  needs   = [recipe.greet]
  script  = "mkdir -p $prefix/share; $greet/bin/greet > $prefix/share/greeting"
}
target "image" "lab" {
  packages   = [recipe.data]
  files      = { "/etc/about" = "about.txt" }
  entrypoint = ["${recipe.greet.prefix}/bin/greet"]
  publish    = ["` + strings.Join(publish, `", "`) + `"]
  check "greets" {
    command = ["${recipe.greet.prefix}/bin/greet"]
  }
  ` + options + `
}
output "digest" { value = target.image.lab.digest }
`,
		"src/greet.c": "#include <stdio.h>\nint main(void) { puts(\"hello from the image\"); return 0; }\n",
		"about.txt":   "about this image\n",
	}
}

// skopeo runs skopeo and gives what it prints.
func skopeo(t testing.TB, args ...string) string {
	t.Helper()
	need(t, "skopeo")
	dir := scratch(t)
	cmd := exec.Command("skopeo", append([]string{"--insecure-policy", "--tmpdir", dir}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_RUNTIME_DIR=" + dir}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestARealRegistryHoldsWhatOthersCanReadAndRun(t *testing.T) {
	t.Parallel()
	need(t, "cc", "skopeo")
	host := startDistribution(t, "")
	m := newMachine(t, greeting("", host+"/esd/lab:v1"))
	m.apply()
	m.wantNothingToDo()
	digest := m.output("digest")

	if got := skopeo(t, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+host+"/esd/lab:v1"); got != digest {
		t.Errorf("skopeo reads %s, want %s", got, digest)
	}
	layout := filepath.Join(scratch(t), "copy")
	skopeo(t, "copy", "--src-tls-verify=false", "--preserve-digests", "docker://"+host+"/esd/lab:v1", "oci:"+layout+":v1")
	if got := layoutTag(t, layout, "v1"); got != digest {
		t.Errorf("the copy of skopeo is %s, want %s", got, digest)
	}
	if got := runImage(t, layout, digest); got != "hello from the image" {
		t.Errorf("the image says %q", got)
	}
}

// runImage runs the image in a layout: with podman where that works, else
// unpacked in a sandbox.
func runImage(t *testing.T, layout, digest string) string {
	t.Helper()
	if said, ok := runWithPodman(t, layout); ok {
		return said
	}
	var manifest struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	var config struct {
		Config struct{ Entrypoint, Env []string }
	}
	read := func(digest string, v any) {
		data, err := os.ReadFile(blobOf(layout, digest))
		if err == nil {
			err = json.Unmarshal(data, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read(digest, &manifest)
	read(manifest.Config.Digest, &config)
	root := filepath.Join(scratch(t), "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, l := range manifest.Layers {
		f, err := os.Open(blobOf(layout, l.Digest))
		if err != nil {
			t.Fatal(err)
		}
		_, err = archive.UnpackLayer(t.Context(), f, archive.LayerOptions{Dest: root})
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	_, err := sandbox.RunInRoot(t.Context(), sandbox.RootSpec{Rootfs: root, Argv: config.Config.Entrypoint, Env: config.Config.Env, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("ran in a sandbox")
	return strings.TrimSpace(out.String())
}

func blobOf(layout, digest string) string {
	return filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

// runWithPodman runs the image with settings that need little of the machine.
func runWithPodman(t *testing.T, layout string) (string, bool) {
	t.Helper()
	podman, err := exec.LookPath("podman")
	if err != nil || os.Getuid() != 0 {
		return "", false
	}
	dir := scratch(t)
	settings := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\nnetns = \"host\"\n" +
		"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n"
	policy := `{"default": [{"type": "insecureAcceptAnything"}]}`
	for name, text := range map[string]string{"containers.conf": settings, "policy.json": policy} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	common := []string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "vfs"}
	call := func(args ...string) (string, error) {
		cmd := exec.Command(podman, append(common, args...)...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "CONTAINERS_CONF=" + filepath.Join(dir, "containers.conf")}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if said, err := call("pull", "--signature-policy", filepath.Join(dir, "policy.json"), "oci:"+layout+":v1"); err != nil {
		t.Logf("podman does not work here: %v: %s", err, said)
		return "", false
	} else {
		lines := strings.Split(said, "\n")
		said, err = call("run", "--rm", lines[len(lines)-1])
		if err != nil {
			t.Logf("podman does not work here: %v: %s", err, said)
			return "", false
		}
		t.Log("ran in podman")
		return said, true
	}
}

func TestABaseThatOthersPublishedIsPinnedAndBuiltUpon(t *testing.T) {
	t.Parallel()
	need(t, "cc", "skopeo")
	host := startDistribution(t, "")
	maker := newMachine(t, greeting("", "oci:dist/base:v1"))
	maker.apply()
	skopeo(t, "copy", "--dest-tls-verify=false", "oci:"+maker.path("dist/base")+":v1", "docker://"+host+"/others/base:stable")
	base := skopeo(t, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+host+"/others/base:stable")

	m := newMachine(t, map[string]string{"esd.hcl": `
target "image" "upon" {
  base    = "` + host + `/others/base:stable"
  files   = { "/etc/more" = "more.txt" }
  publish = ["` + host + `/esd/upon:v1"]
}
output "digest" { value = target.image.upon.digest }
`, "more.txt": "more\n"})
	wantSays(t, m.want(1, "plan"), "esd lock")
	m.want(0, "lock")
	if text, err := os.ReadFile(m.path("esd.lock.hcl")); err != nil || !strings.Contains(string(text), base) {
		t.Errorf("the lock file does not pin %s: %v\n%s", base, err, text)
	}
	m.apply()
	digest := m.output("digest")
	layout := filepath.Join(scratch(t), "copy")
	skopeo(t, "copy", "--src-tls-verify=false", "docker://"+host+"/esd/upon:v1", "oci:"+layout+":v1")
	if got := runImage(t, layout, digest); got != "hello from the image" {
		t.Errorf("the image upon the base says %q", got)
	}

	// The tag moves on; what is pinned stays.
	maker.write(map[string]string{"about.txt": "another base\n"})
	maker.apply()
	skopeo(t, "copy", "--dest-tls-verify=false", "oci:"+maker.path("dist/base")+":v1", "docker://"+host+"/others/base:stable")
	m.wantNothingToDo()
	m.want(0, "lock", "--upgrade")
	if e := m.esd("plan", "--detailed-exitcode"); e.code != 2 {
		t.Errorf("plan exits with %d after the base has moved, want 2:\n%s", e.code, e.all())
	}
	m.apply()
	if got := m.output("digest"); got == digest {
		t.Error("the image upon another base is the same")
	}
}

// nobody is a user without rights.
func nobody(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("there is no other user: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid) // numbers on Linux
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// give makes another user the owner of a machine and its user.
func (m *machine) give(to *syscall.Credential) {
	m.t.Helper()
	m.as = to
	err := filepath.Walk(filepath.Dir(m.dir), func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(to.Uid), int(to.Gid))
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestAnotherUserInAnotherDirectoryMakesTheSameImage(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	other := nobody(t)
	host := startDistribution(t, "")
	mine := newMachine(t, greeting("", host+"/esd/mine:v1"))
	mine.apply()
	theirs := newMachine(t, greeting("", host+"/esd/theirs:v1"))
	theirs.give(other)
	if built := theirs.apply().completed("build"); len(built) != 2 {
		t.Errorf("the other user has built %v, want everything", built)
	}
	if mine.output("digest") != theirs.output("digest") {
		t.Errorf("the image is %s here and %s for another user", mine.output("digest"), theirs.output("digest"))
	}
}

func TestWhatARegistryHasIsMountedAndNotSentAgain(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	p := newProxy(t, startDistribution(t, ""), nil)
	shared := "cache \"artifact\" \"shared\" {\n  url = \"oci://" + p.host + "/esd/cache\"\n}\n"
	stack := func(publish ...string) map[string]string {
		files := greeting("", publish...)
		files["cache.hcl"] = shared
		return files
	}
	m := newMachine(t, stack(p.host+"/esd/one:v1", p.host+"/esd/two:v1"))
	m.apply()
	m.wantNothingToDo()
	logs := m.logs("publish")
	if n := strings.Count(logs, ", 3 mounted"); n != 2 {
		t.Errorf("%d of 2 publications have mounted all layers from the cache:\n%s", n, logs)
	}
	if n := p.requested("PUT blobs/uploads"); n > 6 {
		t.Errorf("%d blobs were sent, want 6: 3 layers, 2 configurations, and the empty one of the cache:\n%v", n, p)
	}
	t.Logf("3 packages' layers, 1 cache and 2 images in one registry: %v", p)

	t.Run("a second machine builds nothing", func(t *testing.T) {
		second := newMachine(t, stack(p.host+"/esd/second:v1"))
		p.reset()
		told := second.apply()
		if built, fetched := told.completed("build"), told.completed("fetch"); len(built)+len(fetched) != 0 {
			t.Errorf("built %v, fetched %v", built, fetched)
		}
		if second.output("digest") != m.output("digest") {
			t.Errorf("the image is %s, want %s", second.output("digest"), m.output("digest"))
		}
		t.Logf("a second machine: %v", p)
	})
	t.Run("without state, what is published is adopted", func(t *testing.T) {
		third := newMachine(t, stack(p.host+"/esd/one:v1", p.host+"/esd/two:v1"))
		p.reset()
		told := third.apply()
		for _, op := range []string{"build", "fetch", "assemble", "publish"} {
			if done := told.completed(op); len(done) != 0 {
				t.Errorf("%s of %v, want nothing but records", op, done)
			}
		}
		if third.output("digest") != m.output("digest") {
			t.Errorf("the image is %s, want %s", third.output("digest"), m.output("digest"))
		}
		if n := p.requested("GET blobs"); n != 0 {
			t.Errorf("%d blobs were read to adopt", n)
		}
		third.wantNothingToDo()
		t.Logf("adopting: %v", p)
	})
}

// logs reads the logs of all steps with an operation.
func (m *machine) logs(op string) string {
	m.t.Helper()
	files, _ := filepath.Glob(m.path(".esd/logs/*/*" + op + "*"))
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			m.t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// passwords makes a file of users for a registry.
func passwords(t testing.TB, name, password string) string {
	t.Helper()
	need(t, "htpasswd")
	out, err := exec.Command("htpasswd", "-Bbn", name, password).Output()
	if err != nil {
		t.Skip("htpasswd does not work:", err)
	}
	file := filepath.Join(scratch(t), "htpasswd")
	if err := os.WriteFile(file, out, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// logIn writes the credential of a registry where Docker keeps it.
func (m *machine) logIn(host, name, password string) {
	m.t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
	dir := filepath.Join(m.home, ".docker")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	text := `{"auths": {"` + host + `": {"auth": "` + auth + `"}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// withTLS puts TLS in front of a registry and gives its address and the file
// with the certificate to trust.
func withTLS(t testing.TB, target string) (host, ca string) {
	t.Helper()
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: target})
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewUnstartedServer(forward)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	ca = filepath.Join(scratch(t), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(server.URL, "https://"), ca
}

func TestARegistryWithPasswordsBehindTLS(t *testing.T) {
	t.Parallel()
	need(t, "cc")
	plain := startDistribution(t, passwords(t, "builder", "s3cret"))
	host, ca := withTLS(t, plain)
	stack := func(ca string) map[string]string {
		files := greeting(`ca_file = "`+ca+`"`, host+"/esd/lab:v1")
		files["cache.hcl"] = "cache \"artifact\" \"shared\" {\n  url     = \"oci://" + host + "/esd/cache\"\n  ca_file = \"" + ca + "\"\n}\n"
		return files
	}
	m := newMachine(t, stack(ca))

	refused := m.want(1, "apply", "--auto-approve")
	wantSays(t, refused, host)
	m.logIn(host, "builder", "wr0ng")
	wantSays(t, m.want(1, "apply", "--auto-approve"), host)
	m.logIn(host, "builder", "s3cret")
	m.apply()
	m.wantNothingToDo()

	stranger := newMachine(t, stack("/etc/hostname"))
	wantSays(t, stranger.want(1, "apply", "--auto-approve"), "/etc/hostname", "certificate")
	req, _ := http.NewRequest(http.MethodGet, "http://"+plain+"/v2/esd/lab/tags/list", nil)
	req.SetBasicAuth("builder", "s3cret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the registry says %s of what was published", resp.Status)
	}
}
