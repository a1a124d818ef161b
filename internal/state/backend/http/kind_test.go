package httpstate_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/http/testserver"
)

// openKind opens what a state block and an environment describe.
func openKind(block map[string]cty.Value, env map[string]string) (backend.Backend, error) {
	kind := httpstate.Kind()
	getenv := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	settings, err := kind.Decode(cty.ObjectVal(block), getenv)
	if err != nil {
		return nil, err
	}
	return kind.Open(settings, backend.Env{Getenv: getenv, UserAgent: "esd/0.1.0"})
}

func TestTheBlockComesBeforeOurVariablesAndThoseBeforeTerraforms(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["GitLab"]
	good := map[string]string{"TF_HTTP_ADDRESS": url + path, "TF_HTTP_USERNAME": testUser, "TF_HTTP_PASSWORD": testPassword}
	for name, tc := range map[string]struct {
		block map[string]cty.Value
		env   map[string]string
	}{
		"Terraform's variables alone": {nil, good},
		"with the addresses of the lock as GitLab's templates set them": {nil, with(good, "TF_HTTP_LOCK_ADDRESS", url+path+"/lock",
			"TF_HTTP_UNLOCK_ADDRESS", url+path+"/lock", "TF_HTTP_LOCK_METHOD", "POST", "TF_HTTP_UNLOCK_METHOD", "DELETE", "TF_HTTP_RETRY_WAIT_MIN", "5")},
		"ours before them": {nil, with(good, "TF_HTTP_PASSWORD", "wrong", "ESD_HTTP_PASSWORD", testPassword)},
		"the block before both": {map[string]cty.Value{"password": cty.StringVal(testPassword)},
			with(good, "TF_HTTP_PASSWORD", "wrong", "ESD_HTTP_PASSWORD", "wrong too")},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.block == nil {
				tc.block = map[string]cty.Value{}
			}
			b, err := openKind(tc.block, tc.env)
			if err != nil {
				t.Fatal(err)
			}
			l := mustLock(t, b)
			if id := server.HolderID(path); id != l.Info().ID {
				t.Errorf("%s holds the lock", id)
			}
			if err := l.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func with(env map[string]string, pairs ...string) map[string]string {
	m := map[string]string{}
	for name, value := range env {
		m[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestBadSettingsAreRefusedWithoutTellingThem(t *testing.T) {
	t.Parallel()
	text := cty.StringVal
	for name, tc := range map[string]struct {
		block map[string]cty.Value
		says  string
	}{
		"no address":               {nil, "ESD_HTTP_ADDRESS"},
		"an address without https": {map[string]cty.Value{"address": text("gitlab.example.org/s3cr3t")}, "https://"},
		"an address of a file":     {map[string]cty.Value{"address": text("file:///s3cr3t")}, "https://"},
		"an address that is none":  {map[string]cty.Value{"address": text("https://u:s3cr3t@host:port/x")}, "no URL"},
		"half a lock":              {map[string]cty.Value{"lock_address": text("https://h/l")}, "unlock_address"},
		"a lease in the state":     {map[string]cty.Value{"lock_address": text("https://h/l"), "unlock_address": text("https://h/l"), "lease_address": text("https://h/s")}, "lease_address"},
		"a path of certificates":   {map[string]cty.Value{"client_ca_certificate_pem": text("/s3cr3t.pem")}, "not a path"},
		"a certificate alone":      {map[string]cty.Value{"client_certificate_pem": text("s3cr3t")}, "client_private_key_pem"},
		"a key that is none":       {map[string]cty.Value{"client_certificate_pem": text("x"), "client_private_key_pem": text("s3cr3t")}, "PEM"},
		"negative retries":         {map[string]cty.Value{"retry_max": cty.NumberIntVal(-1)}, "retry_max"},
		"a lease of no length":     {map[string]cty.Value{"lease": text("1s")}, "lease"},
		"an unknown attribute":     {map[string]cty.Value{"addresses": text("x")}, "it has address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block := map[string]cty.Value{}
			if tc.block != nil {
				block["address"] = text("https://h/s")
			}
			for name, v := range tc.block {
				block[name] = v
			}
			_, err := openKind(block, nil)
			if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheJobTokenGoesToTheGitLabOfTheJobAlone(t *testing.T) {
	t.Parallel()
	const token = "s3cr3t-job-token"
	var got []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got = append(got, user+":"+password)
		http.NotFound(w, r)
	})
	host, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	job := map[string]string{"CI_JOB_TOKEN": token, "CI_SERVER_HOST": host, "CI_SERVER_PORT": port, "CI_SERVER_PROTOCOL": "http"}
	address := map[string]cty.Value{"address": cty.StringVal(url + paths["GitLab"])}
	for name, tc := range map[string]struct {
		block map[string]cty.Value
		env   map[string]string
		want  string
	}{
		"in a job of that GitLab":           {address, job, "gitlab-ci-token:" + token},
		"with its user name":                {also(address, "username", "gitlab-ci-token"), job, "gitlab-ci-token:" + token},
		"with a password of one's own":      {also(address, "password", "x"), job, ":x"},
		"as another user":                   {also(address, "username", "me"), job, "me:"},
		"outside a job":                     {address, nil, ":"},
		"in a job of another host":          {address, with(job, "CI_SERVER_HOST", "gitlab.example.org"), ":"},
		"in a job of another port":          {address, with(job, "CI_SERVER_PORT", "1"), ":"},
		"in the clear":                      {address, with(job, "CI_SERVER_PROTOCOL", "https"), ":"},
		"for what is no state of a project": {map[string]cty.Value{"address": cty.StringVal(url + "/state/x")}, job, ":"},
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			b, err := openKind(tc.block, tc.env)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := b.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0] != tc.want {
				t.Errorf("sent %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("with the lock on another host", func(t *testing.T) {
		other := ""
		lock := serve(t, func(w http.ResponseWriter, r *http.Request) {
			other = r.Header.Get("Authorization")
			w.WriteHeader(http.StatusForbidden)
		})
		b, err := openKind(also(also(address, "lock_address", lock), "unlock_address", lock), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Lock(t.Context(), request("apply")); err == nil || other != "" {
			t.Errorf("%v; sent %q", err, other)
		}
	})
}

func also(block map[string]cty.Value, name, value string) map[string]cty.Value {
	m := map[string]cty.Value{name: cty.StringVal(value)}
	for name, v := range block {
		m[name] = v
	}
	return m
}

func TestTLSIsVerifiedBothWays(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(&testserver.Server{})
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	certificate := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := func(kind string, der []byte) cty.Value {
		return cty.StringVal(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	}
	block := map[string]cty.Value{
		"address":                   cty.StringVal(server.URL + paths["GitLab"]),
		"client_ca_certificate_pem": asPEM("CERTIFICATE", certificate.Certificate[0]),
		"client_certificate_pem":    asPEM("CERTIFICATE", certificate.Certificate[0]),
		"client_private_key_pem":    asPEM("PRIVATE KEY", key),
		"retry_max":                 cty.NumberIntVal(0),
	}
	for name, tc := range map[string]struct {
		without []string
		skip    bool
		ok      bool
	}{
		"with all":                         {nil, false, true},
		"with an authority nobody knows":   {[]string{"client_ca_certificate_pem"}, false, false},
		"which is not asked for":           {[]string{"client_ca_certificate_pem"}, true, true},
		"without a certificate of our own": {[]string{"client_certificate_pem", "client_private_key_pem"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := map[string]cty.Value{"skip_cert_verification": cty.BoolVal(tc.skip)}
			for name, v := range block {
				b[name] = v
			}
			for _, name := range tc.without {
				delete(b, name)
			}
			opened, err := openKind(b, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = opened.Read(t.Context())
			if tc.ok != (err == nil) {
				t.Errorf("got %v", err)
			}
			if !tc.ok {
				isFor(t, err, "unreachable")
			}
		})
	}
}
