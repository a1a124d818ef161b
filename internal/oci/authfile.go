package oci

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"oras.land/oras-go/v2/registry/remote/credentials"
)

// maxAuthFile bounds a credential file; real ones have a few KiB.
const maxAuthFile = 1 << 20

// AuthFiles lists the credential files of container tools in the order in which they
// are searched: REGISTRY_AUTH_FILE, podman's for this login and for this user, then
// Docker's.
//
// Sources: containers-auth.json(5) for the first three, docker login for the last.
func AuthFiles(getenv func(string) string, home string, uid int) []string {
	var files []string
	if f := getenv("REGISTRY_AUTH_FILE"); f != "" {
		files = append(files, f)
	}
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	} else {
		files = append(files, filepath.Join("/run/containers", strconv.Itoa(uid), "auth.json"))
	}
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "auth.json"))
	} else if home != "" {
		files = append(files, filepath.Join(home, ".config", "containers", "auth.json"))
	}
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		files = append(files, filepath.Join(dir, "config.json"))
	} else if home != "" {
		files = append(files, filepath.Join(home, ".docker", "config.json"))
	}
	return files
}

// DefaultCredentials finds what `podman login`, `skopeo login` and `docker login`
// stored for this user, credential helpers included.
func DefaultCredentials() Credentials {
	home, _ := os.UserHomeDir()
	return FileCredentials(AuthFiles(os.Getenv, home, os.Getuid()))
}

// FileCredentials are credential files, searched in order. Within a file the entry
// with the longest prefix of registry/repository wins.
type FileCredentials []string

// authFile is the part of containers-auth.json(5) and of Docker's config.json that
// both share.
type authFile struct {
	Auths       map[string]authEntry `json:"auths"`
	CredHelpers map[string]string    `json:"credHelpers"`
	CredsStore  string               `json:"credsStore"`
}

type authEntry struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// Lookup implements Credentials. A file that is missing is passed over; one that
// cannot be read or parsed is an error, which does not quote it.
func (files FileCredentials) Lookup(ctx context.Context, registry, repository string) (Credential, []string, error) {
	var looked []string
	for _, name := range files {
		looked = append(looked, name)
		f, err := readAuthFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Credential{}, looked, err
		}
		cred, notes, err := f.lookup(ctx, name, registry, repository)
		looked = append(looked, notes...)
		if err != nil || !cred.Empty() {
			return cred, looked, err
		}
	}
	return Credential{}, looked, nil
}

func readAuthFile(name string) (*authFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxAuthFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	if len(content) > maxAuthFile {
		return nil, fmt.Errorf("reading credentials: %s is larger than %d bytes", name, maxAuthFile)
	}
	var parsed authFile
	if len(content) > 0 && json.Unmarshal(content, &parsed) != nil {
		return nil, fmt.Errorf("reading credentials: %s is not valid JSON of the kind container tools write", name)
	}
	return &parsed, nil
}

// lookup tries the most specific key first. notes name the helpers that failed.
func (f *authFile) lookup(ctx context.Context, file, registry, repository string) (cred Credential, notes []string, err error) {
	for _, key := range credentialKeys(registry, repository) {
		if helper := f.CredHelpers[key]; helper != "" {
			cred, err := askHelper(ctx, helper, key)
			if err != nil {
				notes = append(notes, err.Error())
			} else if !cred.Empty() {
				return cred, notes, nil
			}
		}
		if entry, ok := f.Auths[key]; ok {
			cred, err := entry.credential(file, key)
			if err != nil || !cred.Empty() {
				return cred, notes, err
			}
		}
	}
	if f.CredsStore == "" {
		return Credential{}, notes, nil
	}
	for _, key := range helperKeys(registry) {
		cred, err := askHelper(ctx, f.CredsStore, key)
		if err != nil {
			return Credential{}, append(notes, err.Error()), nil
		}
		if !cred.Empty() {
			return cred, notes, nil
		}
	}
	return Credential{}, notes, nil
}

func (e authEntry) credential(file, key string) (Credential, error) {
	cred := Credential{
		Username: e.Username, Password: e.Password,
		IdentityToken: e.IdentityToken, AccessToken: e.RegistryToken,
		Source: file + " (" + key + ")",
	}
	if e.Auth == "" {
		return cred, nil
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(e.Auth))
	user, password, found := strings.Cut(string(plain), ":")
	if err != nil || !found {
		return Credential{}, fmt.Errorf("reading credentials: the entry %q in %s is not base64 of user:password; log in again", key, file)
	}
	cred.Username, cred.Password = user, strings.TrimRight(password, "\x00")
	return cred, nil
}

// credentialKeys lists the keys under which an entry may stand, the longest prefix
// first. Docker wrote whole URLs once.
func credentialKeys(registry, repository string) []string {
	var keys []string
	for path := repository; path != ""; {
		keys = append(keys, registry+"/"+path)
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			break
		}
		path = path[:i]
	}
	for _, host := range registryNames(registry) {
		keys = append(keys, host)
		for _, scheme := range []string{"https://", "http://"} {
			keys = append(keys, scheme+host, scheme+host+"/", scheme+host+"/v1/", scheme+host+"/v2/")
		}
	}
	return keys
}

// helperKeys lists the names under which a helper is asked for a registry.
func helperKeys(registry string) []string {
	if registry == defaultRegistry {
		return []string{"https://index.docker.io/v1/", registry}
	}
	return []string{registry}
}

func registryNames(registry string) []string {
	if registry == defaultRegistry {
		return []string{registry, "index.docker.io", "registry-1.docker.io"}
	}
	return []string{registry}
}

// askHelper runs docker-credential-NAME. Its output never gets into an error.
func askHelper(ctx context.Context, name, key string) (Credential, error) {
	program := "docker-credential-" + name
	if strings.ContainsAny(name, "/\\ ") {
		return Credential{}, fmt.Errorf("credential helper %q: not a plain name", name)
	}
	c, err := credentials.NewNativeStore(name).Get(ctx, key)
	if err != nil {
		return Credential{}, fmt.Errorf("credential helper %s (it failed)", program)
	}
	return Credential{
		Username: c.Username, Password: c.Password, IdentityToken: c.RefreshToken,
		AccessToken: c.AccessToken, Source: program,
	}, nil
}
