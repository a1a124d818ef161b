package oci

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

// startDistribution runs the reference registry, as Debian packages it, and gives its
// address. auth is a section of its configuration.
func startDistribution(t *testing.T, auth string) string {
	t.Helper()
	needs(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %q}\n%s\n", filepath.Join(dir, "data"), host, auth)
	file := writeAuth(t, filepath.Join(dir, "config.yml"), config)
	cmd := exec.Command("docker-registry", "serve", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", host); err == nil {
			conn.Close()
			return host
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the registry does not answer")
	return ""
}

func TestDistributionRegistry(t *testing.T) {
	t.Parallel()
	host := startDistribution(t, "")
	var meter Meter
	s := mustOpen(t, host+"/esd/lab", Options{Meter: &meter})
	img := mustAssemble(t, AssembleOptions{Layers: packages(100, -1), Key: "whole"})
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})

	meter.Reset()
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	if got := meter.Snapshot().Total(); got != 1 {
		t.Errorf("publishing again took %d requests", got)
	}
	meter.Reset()
	stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(100, 7)}), s, PublishOptions{Tag: "v1"})
	if got := meter.Snapshot().Total(); got != 9 || stats.BlobsSent != 2 {
		t.Errorf("a changed layer took %d requests, %+v", got, stats)
	}

	t.Run("mounts from another repository", func(t *testing.T) {
		layers := packages(3, -1)
		for i := range layers {
			layers[i].Mounts = []MountSource{{Registry: host, Repository: "esd/lab"}}
		}
		other := mustOpen(t, host+"/esd/other", Options{})
		stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: layers}), other, PublishOptions{Tag: "v1"})
		if stats.BlobsMounted != 3 {
			t.Errorf("stats: %+v", stats)
		}
	})
	t.Run("sends again what was lost", func(t *testing.T) {
		if err := s.Delete(t.Context(), img.Layers[3].Descriptor); err != nil {
			t.Fatal(err)
		}
		stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(100, 8)}), s, PublishOptions{Tag: "v1"})
		if stats.BlobsSent < 3 {
			t.Errorf("stats: %+v", stats)
		}
	})
	t.Run("cannot remove a tag", func(t *testing.T) {
		if err := s.Untag(t.Context(), "v1"); !errors.Is(err, ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("knows what is missing", func(t *testing.T) {
		if _, err := s.Resolve(t.Context(), "none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
		none := mustOpen(t, host+"/esd/none", Options{})
		if tags, err := none.Tags(t.Context()); err != nil || len(tags) != 0 {
			t.Errorf("tags %v, %v", tags, err)
		}
	})
}

func TestDistributionRegistryWithPasswords(t *testing.T) {
	t.Parallel()
	needs(t, "htpasswd")
	file := filepath.Join(t.TempDir(), "htpasswd")
	if out, err := exec.Command("htpasswd", "-Bbnc", "esd", "s3cret").CombinedOutput(); err == nil {
		writeAuth(t, file, string(out))
	} else if out, err := exec.Command("htpasswd", "-Bbn", "esd", "s3cret").Output(); err == nil {
		writeAuth(t, file, string(out))
	} else {
		t.Skip("htpasswd does not work:", err)
	}
	host := startDistribution(t, fmt.Sprintf("auth: {htpasswd: {realm: esd, path: %s}}", file))
	checkAccess(t, host)
}

// checkAccess tries no, wrong and right credentials at a registry that wants esd:s3cret.
func checkAccess(t *testing.T, host string) {
	t.Helper()
	dir := t.TempDir()
	right := writeAuth(t, filepath.Join(dir, "right.json"), fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host+"/esd", basic("esd", "s3cret")))
	wrong := writeAuth(t, filepath.Join(dir, "wrong.json"), fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, basic("esd", "hunter2")))
	img := mustAssemble(t, AssembleOptions{Layers: packages(3, -1)})
	for _, file := range []string{filepath.Join(dir, "none.json"), wrong} {
		var meter Meter
		s := mustOpen(t, host+"/esd/lab", Options{Credentials: FileCredentials{file}, Meter: &meter})
		_, err := Publish(t.Context(), img, s, PublishOptions{Tag: "v1"})
		var denied *AuthError
		if !errors.As(err, &denied) || !errors.Is(err, ErrUnauthorized) {
			t.Fatalf("with %s: %v", file, err)
		}
		for _, part := range []string{host + "/esd/lab", file, "login " + host} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in: %v", part, err)
			}
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), basic("esd", "hunter2")) {
			t.Errorf("shows the password: %v", err)
		}
	}
	s := mustOpen(t, host+"/esd/lab", Options{Credentials: FileCredentials{right}})
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	if got, err := Inspect(t.Context(), s, "v1"); err != nil || len(got.Layers) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	layers := packages(3, -1)
	for i := range layers {
		layers[i].Mounts = []MountSource{{Registry: host, Repository: "esd/lab"}}
	}
	other := mustOpen(t, host+"/esd/other", Options{Credentials: FileCredentials{right}})
	if stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: layers}), other, PublishOptions{Tag: "v1"}); stats.BlobsMounted != 3 {
		t.Errorf("mounting with credentials: %+v", stats)
	}
}

func TestDistributionRegistryWithTokens(t *testing.T) {
	t.Parallel()
	needs(t, "docker-registry")
	tokens := newTokenServer(t)
	host := startDistribution(t, fmt.Sprintf("auth: {token: {realm: %q, service: esd-registry, issuer: esd-issuer, rootcertbundle: %s}}", tokens.url, tokens.bundle))
	checkAccess(t, host)
	if n := tokens.issued.Load(); n == 0 || n > 30 {
		t.Errorf("%d tokens were issued", n)
	}
}

// tokenServer issues bearer tokens as the distribution specification's companion,
// "Docker Registry v2 authentication via central service", describes.
type tokenServer struct {
	url, bundle string
	issued      atomic.Int32
	key         *rsa.PrivateKey
	chain       string
}

func newTokenServer(t *testing.T) *tokenServer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &tokenServer{key: key, chain: base64.StdEncoding.EncodeToString(der), bundle: filepath.Join(t.TempDir(), "root.pem")}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(s.bundle, block, 0o600); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/token"
	return s
}

// ServeHTTP grants everything to esd:s3cret, nothing to the nameless, and turns all
// others away.
func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	if given && (user != "esd" || password != "s3cret") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	access := []map[string]any{}
	for _, scope := range strings.Fields(strings.Join(r.URL.Query()["scope"], " ")) {
		if parts := strings.SplitN(scope, ":", 3); given && len(parts) == 3 {
			access = append(access, map[string]any{"type": parts[0], "name": parts[1], "actions": strings.Split(parts[2], ",")})
		}
	}
	now := time.Now().Unix()
	token, err := s.sign(
		map[string]any{"typ": "JWT", "alg": "RS256", "x5c": []string{s.chain}},
		map[string]any{
			"iss": "esd-issuer", "aud": "esd-registry", "sub": user, "jti": fmt.Sprint(s.issued.Add(1)),
			"iat": now, "nbf": now - 10, "exp": now + 60, "access": access,
		})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 60})
}

func (s *tokenServer) sign(parts ...map[string]any) (string, error) {
	var texts []string
	for _, p := range parts {
		content, err := json.Marshal(p)
		if err != nil {
			return "", err
		}
		texts = append(texts, base64.RawURLEncoding.EncodeToString(content))
	}
	text := strings.Join(texts, ".")
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// skopeo runs the program without anybody's configuration.
func skopeo(t *testing.T, args ...string) string {
	t.Helper()
	needs(t, "skopeo")
	dir := t.TempDir()
	policy := writeAuth(t, filepath.Join(dir, "policy.json"), `{"default":[{"type":"insecureAcceptAnything"}]}`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "skopeo", append([]string{"--policy", policy, "--tmpdir", dir}, args...)...)
	cmd.Env = append(os.Environ(), "REGISTRY_AUTH_FILE="+filepath.Join(dir, "auth.json"), "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// realImage has layers that are archives, since skopeo looks into them.
func realImage(t *testing.T) *Assembled {
	t.Helper()
	layer := textLayer("recipe.empty", string(make([]byte, 1024))) // the end of an archive without files
	layer.Descriptor.MediaType = ocispec.MediaTypeImageLayer
	layer.DiffID = layer.Descriptor.Digest
	return mustAssemble(t, AssembleOptions{Layers: []Layer{layer}, Key: "whole", Created: time.Unix(1_700_000_000, 0)})
}

func TestSkopeoReadsWhatWePublishToALayout(t *testing.T) {
	t.Parallel()
	needs(t, "skopeo")
	s, dir := newLayout(t)
	img := realImage(t)
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	if out := skopeo(t, "inspect", "--format", "{{.Digest}} {{.Created.Unix}}", "oci:"+dir+":v1"); strings.TrimSpace(out) != img.ManifestDescriptor.Digest.String()+" 1700000000" {
		t.Errorf("skopeo sees %s", out)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	skopeo(t, "copy", "--preserve-digests", "oci:"+dir+":v1", "oci:"+copied+":v2") // it compresses layers otherwise
	got, err := Inspect(t.Context(), mustOpen(t, "oci:"+copied, Options{}), "v2")
	if err != nil || got.Key != "whole" || got.Descriptor.Digest != img.ManifestDescriptor.Digest {
		t.Errorf("%+v, %v", got, err)
	}
	mustPublish(t, img, s, PublishOptions{})
	skopeo(t, "inspect", "oci:"+dir+":v1")
}

func TestSkopeoCopiesBetweenRegistriesAndLayoutsOfOurs(t *testing.T) {
	t.Parallel()
	needs(t, "skopeo")
	host := startDistribution(t, "")
	s := mustOpen(t, host+"/esd/lab", Options{})
	img := realImage(t)
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	dir := filepath.Join(t.TempDir(), "layout")
	skopeo(t, "copy", "--src-tls-verify=false", "docker://"+host+"/esd/lab:v1", "oci:"+dir+":v1")
	skopeo(t, "copy", "--dest-tls-verify=false", "--format", "v2s2", "oci:"+dir+":v1", "docker://"+host+"/esd/docker:v1")

	// What skopeo converted to Docker's format serves as a base.
	docker := mustOpen(t, host+"/esd/docker", Options{})
	base, err := LoadImage(t.Context(), docker, "v1", linuxAMD64)
	if err != nil {
		t.Fatal(err)
	}
	if base.Descriptor.MediaType != mediaTypeDockerManifest {
		t.Errorf("it is a %s", base.Descriptor.MediaType)
	}
	derived := mustAssemble(t, AssembleOptions{Base: base, Layers: realImage(t).Layers})
	mustPublish(t, derived, s, PublishOptions{Tag: "v2"})
	skopeo(t, "inspect", "--tls-verify=false", "docker://"+host+"/esd/lab:v2")
}
