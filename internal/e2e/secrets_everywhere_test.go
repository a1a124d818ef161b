package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"esd/internal/state/backend/http/testserver"
)

// needles are the forms in which a secret could get out: as it is, encoded in
// any of the usual ways, alone or within something longer, and as a digest, by
// which a short one can be guessed.
func needles(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	sum, quotedSum := sha256.Sum256([]byte(secret)), sha256.Sum256(quoted)
	forms := map[string]string{
		"as it is": secret, "in hex": hex.EncodeToString([]byte(secret)), "in a URL": url.QueryEscape(secret), "in a path of a URL": url.PathEscape(secret),
		"as JSON": strings.Trim(string(quoted), `"`), "as a digest": hex.EncodeToString(sum[:8]), "as a digest of JSON": hex.EncodeToString(quotedSum[:8]),
	}
	for before := range 3 { // where it stands decides how it is encoded
		text := strings.Repeat("x", before) + secret
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64 for URLs": base64.RawURLEncoding} {
			encoded := encoding.EncodeToString([]byte(text))
			first, last := (before*8+5)/6, len(text)*8/6 // the digits that are of the secret alone
			forms[fmt.Sprintf("in %s, %d behind the beginning", name, before)] = encoded[first:last]
		}
	}
	return forms
}

// haystack looks for secrets in all that is put into it, also inside of what is
// compressed and of what JSON has escaped.
type haystack struct {
	t       testing.TB
	needles map[string]map[string]string // by what is secret, by form
	pieces  int
	bytes   int
}

func newHaystack(t testing.TB, secrets map[string]string) *haystack {
	h := &haystack{t: t, needles: map[string]map[string]string{}}
	for what, value := range secrets {
		h.needles[what] = needles(value)
	}
	return h
}

func (h *haystack) add(where string, data []byte) {
	h.t.Helper()
	h.pieces++
	h.bytes += len(data)
	h.search(where, data)
	if inner := decompressed(data); inner != nil {
		h.add(where+", decompressed", inner)
		return
	}
	var unescaped bytes.Buffer
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		t, err := d.Token()
		if err != nil {
			break
		}
		if s, ok := t.(string); ok {
			unescaped.WriteString(s + "\n")
		}
	}
	h.search(where+", unescaped", unescaped.Bytes())
}

func (h *haystack) search(where string, data []byte) {
	h.t.Helper()
	for what, forms := range h.needles {
		for form, needle := range forms {
			if i := bytes.Index(data, []byte(needle)); i >= 0 {
				h.t.Errorf("%s is in %s, %s: …%q…", what, where, form, data[max(i-60, 0):min(i+60, len(data))])
			}
		}
	}
}

func decompressed(data []byte) []byte {
	var r io.Reader
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		r = unzipped
	case bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		defer d.Close()
		r = d
	default:
		return nil
	}
	inner, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return nil
	}
	return inner
}

// tree adds all files below a directory, and their names; but for those that
// the test itself has put there.
func (h *haystack) tree(dir string, own ...string) {
	h.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, o := range own {
			if path == o {
				return nil
			}
		}
		h.add("the name of "+path, []byte(path))
		if !d.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		h.add(path, data)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// recorder keeps what is sent to a server, but for the headers by which one logs
// in: those are the place where secrets belong.
type recorder struct {
	mu   sync.Mutex
	sent map[string][]byte
}

func (r *recorder) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		header := req.Header.Clone()
		for _, name := range []string{"Authorization", "Private-Token", "Proxy-Authorization"} {
			header.Del(name)
		}
		r.mu.Lock()
		place := fmt.Sprintf("what was sent to %s (%s %s, request %d)", req.Host, req.Method, req.URL.Path, len(r.sent))
		r.sent[place] = append(fmt.Appendf(nil, "%s %v\n", req.URL, header), body...)
		r.sent[place+", its body"] = body
		r.mu.Unlock()
		next.ServeHTTP(w, req)
	})
}

// withToken is a registry that hands out a token for a name and a password.
func withToken(next http.Handler, name, password, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if n, p, ok := r.BasicAuth(); !ok || n != name || p != password {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 300})
			return
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test",scope="repository:esd/lab:pull,push"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// everySecret is what the run of the test knows, by what it is. Some have
// characters that are written otherwise in JSON, in URLs and in HTML; some are
// so short that a digest of them could be turned back.
func everySecret() map[string]string {
	return map[string]string{
		"a variable from the environment":      `hush"from<the>&environment\4711`,
		"a variable from the command line":     "hush+from/the=command-line 4712",
		"a variable from a file":               "hush-from-a-file-4713-ü",
		"a variable from a file that is found": "hush-from-a-found-file-4714",
		"a member of a variable":               "hush-member-4715",
		"what a function reads":                "hush-env-function-4716",
		"a short one":                          "q7%Zk!",
		"the password of the registry":         "hush-password-of-the-registry-4717",
		"the token of the registry":            "hush-token-of-the-registry-4718",
		"the password of the state":            "hush-password-of-the-state-4719",
		"a header of the state":                "hush-header-of-the-state-4720",
		"the secret key of S3":                 "hushKeyOfS3aaaaaaaaaaaaaaaaaaaaaaaaa4721",
		"the job token":                        "hush-glcbt-job-token-4722",
		"the passphrase of a key":              "hush-passphrase-4723",
		"the password of the proxy":            "hush-proxy-4724",
	}
}

// everyConfiguration knows all of the secrets, and uses them in all places
// where that is allowed.
func everyConfiguration(host, stateHost, name string) map[string]string {
	files := smallStack("one", host+"/esd/lab:"+name, "oci:dist/lab:v1")
	files["secret.hcl"] = `
esd {
  state "http" {
    address  = "http://` + stateHost + `/api/v4/projects/42/terraform/state/` + name + `"
    username = "builder"
    headers  = { "PRIVATE-TOKEN" = env("STATE_HEADER") }
  }
}
cache "artifact" "here" { url = "cache" }
cache "artifact" "shared" { url = "oci://` + host + `/esd/lab" }
cache "buildcache" "b" {
  url                 = "spackcache"
  passphrase_variable = "PASSPHRASE"
}
variable "environment" {
  type      = string
  sensitive = true
}
variable "line" {
  type      = string
  sensitive = true
  validation {
    condition     = length(var.line) > 3
    error_message = "${var.line} is too short."
  }
}
variable "file" {
  type      = string
  sensitive = true
}
variable "found" {
  type      = string
  sensitive = true
}
variable "members" {
  type      = map(object({ password = string }))
  sensitive = true
}
variable "short" {
  type      = string
  sensitive = true
}
locals {
  all = [var.environment, var.line, var.file, var.found, var.members.a.password, var.short, env("FUNCTION")]
}
output "all" {
  value     = local.all
  sensitive = true
}
output "keys" {
  value     = { for s in local.all : s => length(s) }
  sensitive = true
}
output "short" {
  value     = var.short
  sensitive = true
}
output "count" { value = nonsensitive(length(local.all)) }
recipe "environment" {
  version = "1"
  script  = "mkdir -p $prefix; env > $prefix/env; env; set > $prefix/set; ls -a ~ > $prefix/home"
}
target "image" "environment" {
  packages = [recipe.environment]
  publish  = ["oci:dist/environment:v1"]
}
`
	return files
}

func TestNoSecretIsAnywhere(t *testing.T) {
	t.Parallel()
	secrets := everySecret()
	sent := &recorder{sent: map[string][]byte{}}
	host := newRegistry(t, func(next http.Handler) http.Handler {
		return sent.wrap(withToken(next, "builder", secrets["the password of the registry"], secrets["the token of the registry"]))
	})
	states := httptest.NewServer(sent.wrap(&testserver.Server{Username: "builder", Password: secrets["the password of the state"]}))
	t.Cleanup(states.Close)
	m := newMachine(t, everyConfiguration(host, strings.TrimPrefix(states.URL, "http://"), "v1"))
	m.logIn(host, "builder", secrets["the password of the registry"])
	varFile, found := m.path("../given.esdvars"), m.path("found.auto.esdvars")
	m.write(map[string]string{"../given.esdvars": fmt.Sprintf("file = %q\n", secrets["a variable from a file"]),
		"found.auto.esdvars": fmt.Sprintf("found = %q\nmembers = { a = { password = %q } }\n", secrets["a variable from a file that is found"], secrets["a member of a variable"])})
	for name, what := range map[string]string{
		"ESD_VAR_environment": "a variable from the environment", "ESD_VAR_short": "a short one", "FUNCTION": "what a function reads",
		"ESD_HTTP_PASSWORD": "the password of the state", "STATE_HEADER": "a header of the state", "AWS_SECRET_ACCESS_KEY": "the secret key of S3",
		"CI_JOB_TOKEN": "the job token", "PASSPHRASE": "the passphrase of a key",
	} {
		m.env[name] = secrets[what]
	}
	m.env["AWS_ACCESS_KEY_ID"] = "known-to-all"
	m.env["HTTP_PROXY"] = "http://user:" + secrets["the password of the proxy"] + "@127.0.0.1:1"
	m.env["NO_PROXY"] = "127.0.0.1,localhost"

	h := newHaystack(t, secrets)
	run := func(code int, args ...string) ended {
		t.Helper()
		e := m.esd(args...)
		if e.code != code {
			t.Errorf("esd %s exits with %d, want %d:\n%s", strings.Join(args, " "), e.code, code, e.all())
		}
		h.add("what esd "+args[0]+" prints", []byte(e.stdout))
		h.add("what esd "+args[0]+" says", []byte(e.stderr))
		return e
	}
	line := "line=" + secrets["a variable from the command line"]
	given := []string{"--var", line, "--var-file", varFile}
	with := func(args ...string) []string { return append(args, given...) }

	run(0, with("validate")...)
	run(0, with("plan", "--out", "plan.file", "--json-into", "plan.json", "--markdown-into", "plan.md", "--gitlab-report", "gitlab.json")...)
	run(0, with("plan", "--format=json")...)
	run(0, with("plan", "--format=markdown")...)
	for _, format := range []string{"--format=json", "--format=markdown"} {
		run(0, "show", format, "plan.file")
	}
	run(0, "show", "plan.file")
	run(1, "apply", "plan.file") // without the variable that the plan does not hold
	run(0, "apply", "--var", line, "--format=json", "--json-into", "events.json", "--junit", "junit.xml", "--summary", "summary.json", "plan.file")
	run(0, "apply", "--var", line, "plan.file")
	for _, args := range [][]string{
		{"output"}, {"output", "--format=json"}, {"graph"}, {"lock"},
		{"apply", "--auto-approve", "--replace", "recipe.moving"},
	} {
		run(0, with(args...)...)
	}
	for _, args := range [][]string{{"state", "list"}, {"state", "pull"}, {"state", "show", "target.image.lab"}, {"show"}, {"show", "--format=json"}, {"logs"}, {"doctor"}} {
		run(0, args...)
	}
	run(0, with("plan", "--replace", "recipe.fixed", "--out", "stale.file")...)
	m.write(map[string]string{"esd.hcl": strings.Replace(smallStack("two", host+"/esd/lab:v2")["esd.hcl"], "echo fixed", "echo again", 1)})
	run(5, "apply", "--var", line, "stale.file")
	if e := m.want(0, with("output", "--raw", "short")...); e.stdout != secrets["a short one"] {
		t.Errorf("what is asked for by name is %q", e.stdout)
	}
	run(0, with("destroy", "--auto-approve")...)
	for name, password := range map[string]string{"ESD_HTTP_PASSWORD": "wrong", "STATE_HEADER": secrets["a header of the state"]} {
		before := m.env[name]
		m.env[name] = password
		if e := m.esd(with("plan")...); e.code == 0 && password == "wrong" {
			t.Errorf("a wrong password is accepted")
		} else {
			h.add("what is said of a wrong password", []byte(e.all()))
		}
		m.env[name] = before
	}

	h.tree(m.dir, varFile, found)
	for place, data := range sent.sent {
		h.add(place, data)
	}
	if h.pieces < 100 || len(sent.sent) < 20 {
		t.Errorf("only %d pieces were looked at, %d requests among them", h.pieces, len(sent.sent))
	}
	t.Logf("%d secrets, each in %d forms, in none of %d pieces with %d bytes", len(secrets), len(needles("secret")), h.pieces, h.bytes)
}

func TestSecretsWouldBeFound(t *testing.T) {
	t.Parallel()
	secret := `hush"4711<&>`
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, _ = w.Write([]byte("within " + secret))
	_ = w.Close()
	quoted, _ := json.Marshal(map[string]any{"a": []string{"x " + secret}})
	for name, data := range map[string][]byte{
		"as it is": []byte("a " + secret + " b"), "as JSON": quoted, "compressed": zipped.Bytes(), "in a URL": []byte("?a=" + url.QueryEscape(secret)),
		"in base64": []byte(base64.StdEncoding.EncodeToString([]byte("name:" + secret + ":more"))),
		"in hex":    []byte(hex.EncodeToString([]byte("name:" + secret))),
	} {
		spy := &spy{TB: t}
		newHaystack(spy, map[string]string{"it": secret}).add("a piece", data)
		if !spy.failed {
			t.Errorf("it is not found %s", name)
		}
	}
}

// spy takes note of errors instead of failing.
type spy struct {
	testing.TB
	failed bool
}

func (s *spy) Errorf(string, ...any) { s.failed = true }
func (s *spy) Helper()               {}

// TestSignedAddressesAreNotTold is about servers that send esd on to an address
// with a signature, as registries do that keep blobs in S3: whoever reads it in
// a log can read what is behind it.
func TestSignedAddressesAreNotTold(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{"the signature": "hush-signature-4725"}
	signed := func(to string) string {
		return to + "/blob?X-Amz-Signature=" + secrets["the signature"] + "&X-Amz-Date=1"
	}
	gone := "http://" + freePort(t) // nobody answers there
	angry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(angry.Close)
	for name, to := range map[string]string{"where nobody answers": gone, "where it is refused": angry.URL} {
		t.Run("an archive in a cache is "+name, func(t *testing.T) {
			t.Parallel()
			var redirect atomic.Bool
			host := newRegistry(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if redirect.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
						http.Redirect(w, r, signed(to), http.StatusTemporaryRedirect)
						return
					}
					next.ServeHTTP(w, r)
				})
			})
			config := map[string]string{"cache.hcl": "cache \"artifact\" \"shared\" {\n  url = \"oci://" + host + "/esd/cache\"\n}\n"}
			maps.Copy(config, smallStack("one", host+"/esd/lab:v1"))
			newMachine(t, config).apply()
			redirect.Store(true)
			config["esd.hcl"] = strings.Replace(config["esd.hcl"], "echo one", "echo two", 1) // needs what is in the cache
			m := newMachine(t, config)
			h := newHaystack(t, secrets)
			for _, args := range [][]string{{"plan"}, applyJSON, {"apply", "--auto-approve"}} {
				e := m.esd(args...)
				h.add("what esd "+args[0]+" prints", []byte(e.all()))
				if args[0] == "apply" && e.code == 0 {
					t.Errorf("it succeeds: %s", e.all())
				}
			}
			h.tree(m.dir)
		})
		t.Run("a source is "+name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, signed(to), http.StatusFound)
			}))
			t.Cleanup(server.Close)
			m := newMachine(t, map[string]string{"esd.hcl": `
recipe "a" {
  version = "1"
  source {
    url    = "` + server.URL + `/a.tar.gz"
    sha256 = "` + strings.Repeat("0", 64) + `"
  }
  script = "true"
}
`})
			h := newHaystack(t, secrets)
			for _, args := range [][]string{applyJSON, {"apply", "--auto-approve"}} {
				e := m.esd(args...)
				h.add("what esd prints", []byte(e.all()))
				if e.code == 0 {
					t.Errorf("it succeeds: %s", e.all())
				}
			}
			h.tree(m.dir)
		})
	}
}
