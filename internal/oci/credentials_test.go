package oci

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func writeAuth(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAuthFilesAreSearchedInTheOrderOfContainerTools(t *testing.T) {
	t.Parallel()
	env := map[string]string{"REGISTRY_AUTH_FILE": "/a.json", "XDG_RUNTIME_DIR": "/run/user/7", "XDG_CONFIG_HOME": "/cfg", "DOCKER_CONFIG": "/docker"}
	tests := map[string]struct {
		env  map[string]string
		want []string
	}{
		"all set":  {env, []string{"/a.json", "/run/user/7/containers/auth.json", "/cfg/containers/auth.json", "/docker/config.json"}},
		"none set": {nil, []string{"/run/containers/7/auth.json", "/home/x/.config/containers/auth.json", "/home/x/.docker/config.json"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := AuthFiles(func(k string) string { return test.env[k] }, "/home/x", 7)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheMostSpecificCredentialWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := writeAuth(t, filepath.Join(dir, "first.json"), fmt.Sprintf(`{"auths":{
		"registry.example.org":         {"auth":%q},
		"registry.example.org/esd":     {"auth":%q},
		"registry.example.org/esd/lab": {"auth":%q},
		"https://old.example.org/v1/":  {"auth":%q},
		"token.example.org":            {"identitytoken":"refresh"},
		"https://index.docker.io/v1/":  {"auth":%q}}}`,
		basic("host", "1"), basic("namespace", "2"), basic("repository", "3"), basic("old", "4"), basic("hub", "5")))
	second := writeAuth(t, filepath.Join(dir, "second.json"), fmt.Sprintf(
		`{"auths":{"registry.example.org/esd/lab/deep":{"auth":%q},"second.example.org":{"auth":%q}}}`, basic("deep", "6"), basic("second", "p:w")))
	files := FileCredentials{filepath.Join(dir, "missing.json"), first, second}
	tests := map[string]struct{ registry, repository, user, password, token string }{
		"repository":              {"registry.example.org", "esd/lab", "repository", "3", ""},
		"below the repository":    {"registry.example.org", "esd/lab/deep", "repository", "3", ""},
		"namespace":               {"registry.example.org", "esd/other", "namespace", "2", ""},
		"only whole parts match":  {"registry.example.org", "esdx/lab", "host", "1", ""},
		"an old URL":              {"old.example.org", "x", "old", "4", ""},
		"Docker Hub":              {"docker.io", "library/debian", "hub", "5", ""},
		"an identity token":       {"token.example.org", "x", "", "", "refresh"},
		"the second file":         {"second.example.org", "x", "second", "p:w", ""},
		"another port is another": {"registry.example.org:5000", "esd/lab", "", "", ""},
		"none where nothing fits": {"elsewhere.example.org", "x", "", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, looked, err := files.Lookup(t.Context(), test.registry, test.repository)
			if err != nil {
				t.Fatal(err)
			}
			if got.Username != test.user || got.Password != test.password || got.IdentityToken != test.token {
				t.Errorf("got user %q, password %q, token %q", got.Username, got.Password, got.IdentityToken)
			}
			if got.Empty() && len(looked) != 3 {
				t.Errorf("looked in %v", looked)
			}
			if !got.Empty() && !strings.Contains(got.Source, ".json") {
				t.Errorf("source %q", got.Source)
			}
		})
	}
}

func TestBrokenCredentialFileIsNamedButNotQuoted(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"no JSON":   `{"auths":{"r.example.org":{"auth":"c2VjcmV0`,
		"no base64": `{"auths":{"r.example.org":{"auth":"s3cret!"}}}`,
		"no colon":  `{"auths":{"r.example.org":{"auth":"c2VjcmV0"}}}`,
		"too large": strings.Repeat(" ", maxAuthFile+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := writeAuth(t, filepath.Join(t.TempDir(), "auth.json"), content)
			_, _, err := FileCredentials{file}.Lookup(t.Context(), "r.example.org", "x")
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Fatalf("got %v", err)
			}
			for _, leak := range []string{"s3cret", "secret", "c2VjcmV0"} {
				if strings.Contains(err.Error(), leak) {
					t.Errorf("quotes the file: %v", err)
				}
			}
		})
	}
}

// TestCredentialHelpersAreAsked changes PATH, so it does not run in parallel.
func TestCredentialHelpersAreAsked(t *testing.T) {
	dir := t.TempDir()
	helper := "#!/bin/sh\nread server\n" +
		`case "$server" in h.example.org) echo '{"Username":"helped","Secret":"s"}';; ` +
		`*) echo "credentials not found in native keychain"; exit 1;; esac` + "\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, content := range map[string]string{
		"for the registry": `{"credHelpers":{"h.example.org":"test"}}`,
		"for all":          `{"credsStore":"test","auths":{"h.example.org":{}}}`,
	} {
		file := writeAuth(t, filepath.Join(t.TempDir(), "config.json"), content)
		got, _, err := FileCredentials{file}.Lookup(t.Context(), "h.example.org", "x")
		if err != nil || got.Username != "helped" || got.Source != "docker-credential-test" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		got, _, err = FileCredentials{file}.Lookup(t.Context(), "other.example.org", "x")
		if err != nil || !got.Empty() {
			t.Errorf("%s: another registry: %v, %v", name, got, err)
		}
	}
	file := writeAuth(t, filepath.Join(t.TempDir(), "config.json"), `{"credsStore":"missing"}`)
	got, looked, err := FileCredentials{file}.Lookup(t.Context(), "h.example.org", "x")
	if err != nil || !got.Empty() || !strings.Contains(strings.Join(looked, " "), "docker-credential-missing") {
		t.Errorf("a helper that is not installed: %v, %v, %v", got, looked, err)
	}
}
