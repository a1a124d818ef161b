package oci

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsStayOutOfErrors(t *testing.T) {
	t.Parallel()
	secret := Credential{Username: "esd", Password: "hunter2", Source: "a test"}
	echo := func(status int) func(http.Handler) http.Handler {
		return inject(method("GET", ""), func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Header.Get("Authorization") == "" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{
				{"code": "TEST", "message": "you sent " + r.Header.Get("Authorization") + ", that is hunter2"},
			}})
			return true
		})
	}
	for _, status := range []int{400, 401, 403, 503} {
		s := mustOpen(t, newRegistry(t, echo(status))+"/esd/lab", Options{Credentials: StaticCredential(secret)})
		_, err := s.Fetch(t.Context(), Describe(testBlobType, []byte("x")))
		if err == nil {
			t.Fatal("want an error")
		}
		for _, leak := range secret.secrets() {
			if strings.Contains(err.Error(), leak) {
				t.Errorf("%d: %v", status, err)
			}
		}
	}
	for _, text := range []string{fmt.Sprint(secret), fmt.Sprintf("%+v", secret), fmt.Sprintf("%#v", secret)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("prints as %s", text)
		}
	}
}

func TestRegistryThatSpeaksHTTPIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, nil)
	// Not verifying certificates asks for HTTPS even on a loopback address.
	s := mustOpen(t, host+"/esd/lab", Options{Insecure: true})
	_, err := s.Resolve(t.Context(), "v1")
	if !errors.Is(err, ErrPlainHTTP) {
		t.Errorf("got %v", err)
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(srv.Close)
	srv.Config.ErrorLog = nil
	host := strings.TrimPrefix(srv.URL, "https://")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.pem")
	if err := os.WriteFile(other, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	resolve := func(opts Options) error {
		_, err := mustOpen(t, host+"/esd/lab", opts).Resolve(t.Context(), "v1")
		return err
	}
	if err := resolve(Options{CAFile: ca}); !errors.Is(err, ErrNotFound) {
		t.Errorf("with its authority: %v", err)
	}
	if err := resolve(Options{Insecure: true}); !errors.Is(err, ErrNotFound) {
		t.Errorf("without verifying: %v", err)
	}
	ref, _ := ParseRef(host + "/esd/lab")
	if _, err := Open(t.Context(), ref, Options{CAFile: other}); err == nil {
		t.Error("a file without certificates was accepted")
	}
}
