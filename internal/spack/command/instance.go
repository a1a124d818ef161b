package command

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Instance is a Spack with a configuration of its own. It may be used by
// several goroutines and processes at once.
type Instance struct {
	Spack    *Spack
	settings Settings
	scope    string // the caller's part of the configuration, as the user's scope
	override string // ours, above all others
	cache    string // SPACK_USER_CACHE_PATH
}

// New writes the configuration of an instance below its directory. The same
// settings give the same files.
func New(s *Spack, settings Settings) (*Instance, error) {
	if err := settings.complete(); err != nil {
		return nil, fmt.Errorf("setting up Spack: %w", err)
	}
	i := &Instance{Spack: s, settings: settings, cache: filepath.Join(settings.Dir, "cache", cacheKey(s, settings.Repositories))}
	given, err := settings.given()
	if err != nil {
		return nil, err
	}
	own, err := settings.own(s, hasInstallers(s.Root))
	if err != nil {
		return nil, err
	}
	if i.scope, err = writeScope(settings.Dir, "given", given); err != nil {
		return nil, err
	}
	if i.override, err = writeScope(settings.Dir, "own", own); err != nil {
		return nil, err
	}
	for _, dir := range append(i.writes(), i.home(), i.work()) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// complete fills in defaults and refuses what cannot be right.
func (s *Settings) complete() error {
	if s.Dir == "" || s.Store.Root == "" {
		return errors.New("the directory of the instance and the root of the store are needed")
	}
	for _, at := range []struct {
		path  *string
		below string
	}{{&s.Stage, "stage"}, {&s.SourceCache, "sources"}} {
		if *at.path == "" {
			*at.path = filepath.Join(s.Dir, at.below)
		}
	}
	for _, path := range []string{s.Dir, s.Store.Root, s.Stage, s.SourceCache} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%s is not an absolute path", path)
		}
	}
	if n := s.Store.PaddedLength; n != 0 && n <= len(s.Store.Root) {
		return fmt.Errorf("the store's root %s is longer than the padded length %d", s.Store.Root, n)
	}
	if s.Run == nil {
		s.Run = Exec
	}
	return nil
}

// hasInstallers reports whether this Spack knows the setting config:installer;
// older ones refuse it.
func hasInstallers(root string) bool {
	text, err := readBounded(filepath.Join(root, "lib", "spack", "spack", "schema", "config.py"), 1<<20)
	return err == nil && bytes.Contains(text, []byte(`"installer"`))
}

// cacheKey names what Spack learns from one set of recipes. Spack itself notices
// recipes that change; the key only keeps sets from displacing each other.
func cacheKey(s *Spack, repos []Repository) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%s\x00%s\n", s.Root, s.Version, s.Commit)
	for _, r := range repos {
		fmt.Fprintf(h, "%s\x00%s\n", r.Namespace, r.Path)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// writeScope writes a configuration scope into a directory that is named by its
// contents, so that it never changes below a Spack that reads it.
func writeScope(dir, kind string, files map[string][]byte) (string, error) {
	h := sha256.New()
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		fmt.Fprintf(h, "%s\x00%d\x00%s", name, len(files[name]), files[name])
	}
	scopes := filepath.Join(dir, "config")
	scope := filepath.Join(scopes, kind+"-"+hex.EncodeToString(h.Sum(nil))[:16])
	if isDir(scope) {
		return scope, nil
	}
	if err := os.MkdirAll(scopes, 0o755); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(scopes, "."+kind+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part)
	if err := os.Chmod(part, 0o755); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := writeFile(filepath.Join(part, name), files[name]); err != nil {
			return "", err
		}
	}
	if err := os.Rename(part, scope); err != nil && !errors.Is(err, fs.ErrExist) && !isDir(scope) {
		return "", err
	}
	return scope, nil
}

func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

func (i *Instance) home() string { return filepath.Join(i.settings.Dir, "home") }

// work is where environments live while they are used.
func (i *Instance) work() string { return filepath.Join(i.settings.Dir, "work") }

// writes are the directories that Spack writes to.
func (i *Instance) writes() []string {
	return []string{i.settings.Store.Root, i.settings.Stage, i.settings.SourceCache, i.cache}
}

// reads are the directories that Spack needs to see.
func (i *Instance) reads() []string {
	dirs := []string{i.Spack.Root, i.scope, i.override, i.home()}
	for _, r := range i.settings.Repositories {
		dirs = append(dirs, r.Path)
	}
	for _, m := range i.settings.Mirrors {
		if path, ok := strings.CutPrefix(m.URL, "file://"); ok && isDir(path) {
			dirs = append(dirs, path)
		}
	}
	return dirs
}

// CachePath is the directory with what this instance learned from recipes;
// worth keeping where machines are thrown away.
func (i *Instance) CachePath() string { return i.cache }

// defaultPath finds the tools of the system and nothing of the user.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// inherited are the variables that Spack gets from the environment of this
// process: ways to the network, and the place for temporary files.
var inherited = []string{"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "all_proxy",
	"ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "TMPDIR", "USER", "LOGNAME"}

// env is the whole environment of Spack. Later settings win.
func (i *Instance) env() []string {
	values := map[string]string{"PATH": defaultPath, "LC_ALL": "C.UTF-8"}
	for _, name := range inherited {
		if value, ok := os.LookupEnv(name); ok {
			values[name] = value
		}
	}
	for _, e := range i.settings.Env {
		if name, value, ok := strings.Cut(e, "="); ok && name != "" {
			values[name] = value
		}
	}
	if _, set := values["HOME"]; !set {
		values["HOME"] = i.home()
	}
	values["SPACK_ROOT"] = i.Spack.Root
	values["SPACK_USER_CONFIG_PATH"] = i.scope
	values["SPACK_SYSTEM_CONFIG_PATH"] = filepath.Join(i.settings.Dir, "nonexistent")
	values["SPACK_USER_CACHE_PATH"] = i.cache
	values["SPACK_COLOR"] = "never"
	values["PYTHONHASHSEED"] = "0"   // the order of sets shows in what Spack writes
	values["PYTHONUNBUFFERED"] = "1" // progress is to be seen when it is made
	if i.settings.Python != "" {
		values["SPACK_PYTHON"] = i.settings.Python
	}
	env := make([]string, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, name+"="+values[name])
	}
	return env
}

// command is a run of this Spack in an environment directory.
func (i *Instance) command(env string, args ...string) Command {
	argv := []string{i.Spack.Program(), "-C", i.override, "-D", env}
	return Command{
		Argv: append(argv, args...), Env: i.env(), Dir: env,
		Writes: append(i.writes(), env), Reads: i.reads(),
	}
}

// environment makes a directory with an environment for one run, so that runs
// never share one and its locks; remove it afterwards.
func (i *Instance) environment(ctx context.Context, manifest, lock []byte) (dir string, remove func(), err error) {
	if err := ctx.Err(); err != nil {
		return "", nil, context.Cause(ctx)
	}
	dir, err = os.MkdirTemp(i.work(), "env-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	files := map[string][]byte{"spack.yaml": manifest}
	if lock != nil {
		files["spack.lock"] = lock
	}
	for name, data := range files {
		if err := writeFile(filepath.Join(dir, name), data); err != nil {
			remove()
			return "", nil, err
		}
	}
	return dir, remove, nil
}
