package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secrets are what a test knows and nobody else may find, in the forms in
// which they could get out.
type secrets map[string]string

func (s secrets) add(what, value string) {
	s[what] = value
	s[what+" in base64"] = base64.StdEncoding.EncodeToString([]byte(value))
}

// wantKept expects none of the secrets in what a run printed.
func (s secrets) wantKept(t testing.TB, e ended) {
	t.Helper()
	for what, value := range s {
		if strings.Contains(e.all(), value) {
			t.Errorf("%s is printed:\n%s", what, e.all())
		}
	}
}

// wantNowhere expects none of the secrets in any file, nor in a name of one,
// below directories.
func (s secrets) wantNowhere(t testing.TB, dirs ...string) {
	t.Helper()
	files := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			files++
			data, err := os.ReadFile(path)
			for what, value := range s {
				if bytes.Contains(data, []byte(value)) || strings.Contains(path, value) {
					t.Errorf("%s is in %s", what, path)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d secrets in none of %d files", len(s), files)
}

const token = "t0ken-that-nobody-may-see-4711"

// secretStack knows a token from the environment and from a variable. It says
// what depends on it, without telling it.
func secretStack(host, repository, more string) map[string]string {
	files := smallStack("one", host+"/"+repository+":v1", "oci:dist/lab:v1")
	files["secret.hcl"] = `
cache "artifact" "here" {
  url = "cache"
}
cache "artifact" "shared" {
  url = "oci://` + host + `/` + repository + `-cache"
}
variable "token" {
  type      = string
  sensitive = true
  default   = null
}
locals {
  token  = env("TOKEN")
  length = length(split("", local.token))
}
output "token" {
  value     = "${local.token}/${coalesce(var.token, "none")}"
  sensitive = true
}
` + more
	return files
}

func TestSecretsAreNowhere(t *testing.T) {
	t.Parallel()
	s := secrets{}
	s.add("the password of the registry", "p4ssword-of-the-registry")
	s.add("the login of the registry", "builder:p4ssword-of-the-registry")
	s.add("the token", token)
	s.add("the token of the variable", token+"-variable")
	host := startDistribution(t, passwords(t, "builder", "p4ssword-of-the-registry"))
	m := newMachine(t, secretStack(host, "esd/lab", ""))
	m.logIn(host, "builder", "p4ssword-of-the-registry")
	m.env["TOKEN"] = token
	m.env["ESD_VAR_token"] = token + "-variable"

	commands := [][]string{
		{"validate"}, {"plan"}, {"plan", "--format=json"}, {"plan", "--format=markdown"},
		{"plan", "--out", "plan.file"}, {"show", "plan.file"}, {"apply", "--format=json", "plan.file"},
		{"output"}, {"output", "--format=json"}, {"state", "list"}, {"state", "show", "target.image.lab"}, {"state", "pull"},
		{"graph"}, {"logs"}, {"doctor"}, {"apply", "--auto-approve", "--replace=recipe.moving"}, {"destroy", "--auto-approve"},
		{"apply", "--auto-approve", "--var", "token=" + token + "-variable"},
	}
	for _, args := range commands {
		e := m.esd(args...)
		if e.code != 0 {
			t.Errorf("esd %s exits with %d:\n%s", strings.Join(args, " "), e.code, e.all())
		}
		s.wantKept(t, e)
	}
	if got := m.want(0, "output", "--raw", "token").stdout; got != token+"/"+token+"-variable" {
		t.Errorf("asked for by name, the token is %q", got)
	}
	s.wantNowhere(t, m.dir)
}

func TestSecretsAreNotToldInMistakes(t *testing.T) {
	t.Parallel()
	s := secrets{"the token": token}
	host := freePort(t)
	mistakes := map[string]string{
		"where it is an index": `
output "wrong" {
  value     = { a = 1 }[local.token]
  sensitive = true
}`,
		"in a condition": `
variable "checked" {
  type      = string
  sensitive = true
  default   = "x"
  validation {
    condition     = var.checked == "y"
    error_message = "It is ${var.checked}."
  }
}
`,
		"in an output that is not sensitive": `
output "wrong" { value = local.token }
`,
		"in the environment of a build": `
recipe "leak" {
  version = "1.0"
  env     = { TOKEN = local.token }
  script  = "mkdir -p $prefix; echo $TOKEN > $prefix/token"
}`,
		"in a script": `
recipe "leak" {
  version = "1.0"
  script  = "mkdir -p $prefix; echo ${local.token} > $prefix/token"
}`,
		"in the environment of an image": `
target "image" "leak" {
  packages = [recipe.fixed]
  env      = { TOKEN = local.token }
  publish  = ["oci:dist/leak:v1"]
}`,
		"in a label": `
target "image" "leak" {
  packages = [recipe.fixed]
  labels   = { token = local.token }
  publish  = ["oci:dist/leak:v1"]
}`,
		"in a tag": `
target "image" "leak" {
  packages = [recipe.fixed]
  publish  = ["oci:dist/leak:${local.token}"]
}`,
		"as a key of instances": `
recipe "leak" {
  for_each = toset([local.token])
  version  = "1.0"
  script   = "mkdir -p $prefix; touch $prefix/x"
}`,
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := secretStack(host, "esd/lab", mistake)
			files["secret.hcl"] = strings.Replace(files["secret.hcl"], "oci://"+host+"/esd/lab-cache", "cache2", 1)
			m := newMachine(t, files)
			files["esd.hcl"] = strings.Replace(files["esd.hcl"], host+"/esd/lab", "oci:dist/other", 1)
			m.write(files)
			m.env["TOKEN"] = token
			for _, args := range [][]string{{"validate"}, {"plan"}, {"plan", "--format=json", "--out", "plan.file"}, applyJSON} {
				e := m.esd(args...)
				if e.code != 1 {
					t.Errorf("esd %s exits with %d, want a mistake:\n%s", strings.Join(args, " "), e.code, e.all())
				}
				s.wantKept(t, e)
			}
			s.wantNowhere(t, filepath.Dir(m.dir))
		})
	}
}

func TestARegistryThatRepeatsThePasswordDoesNotGetItShown(t *testing.T) {
	t.Parallel()
	s := secrets{}
	s.add("the password", "p4ssword-of-the-registry")
	s.add("the login", "builder:p4ssword-of-the-registry")
	host := newRegistry(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			name, password, ok := r.BasicAuth()
			if !ok {
				w.Header().Set("WWW-Authenticate", `Basic realm="esd"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"errors": [{"code": "DENIED", "message": "%s %s is wrong", "detail": "%s"}]}`, name, password, r.Header.Get("Authorization"))
		})
	})
	m := newMachine(t, smallStack("one", host+"/esd/lab:v1"))
	m.logIn(host, "builder", "p4ssword-of-the-registry")
	for _, args := range [][]string{{"plan"}, applyJSON, {"apply", "--auto-approve", "--refresh=false"}} {
		e := m.esd(args...)
		if e.code == 0 {
			t.Errorf("esd %s succeeds", strings.Join(args, " "))
		}
		s.wantKept(t, e)
	}
	s.wantNowhere(t, m.dir)
}
