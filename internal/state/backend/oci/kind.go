package oci

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	registry "esd/internal/oci"
	"esd/internal/schema"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// Kind describes state "oci".
func Kind() backend.Kind {
	return backend.Kind{
		Name:    "oci",
		Summary: "In a repository of an OCI registry, beside the images.",
		Doc: "Each version is a tag of its own, `NAME.state.…`, and is never changed; the newest ones are kept. Registries cannot " +
			"compare and swap, so the lock is made of tags as well, and needs two things of the registry: its list of tags shows what was " +
			"pushed before, and it removes tags. The first holds for registries as such, not for a cache before one; the second has " +
			"to be enabled in some (`storage.delete.enabled` of a docker-registry) and is missing in others (Docker Hub, GitHub's registry). Where it is missing, " +
			"`lock = false` leaves the lock out: of two runs at the same time one then fails when it writes. A fork that comes about in spite of " +
			"all this is reported, and one that cannot be decided is not read. Taking the lock, reading and writing are about twenty requests.\n\n" +
			"Credentials are those of Docker and Podman, as everywhere.",
		Example: `state "oci" {
  repository = "registry.example.org/team/states"
  name       = "production"
}`,
		Attributes: []backend.Attribute{
			{Attribute: schema.Attribute{
				Name: "repository", Type: cty.String, Required: true,
				Doc: "The repository, `HOST/PATH`, or `oci:DIRECTORY` for a layout directory.", Check: checkRepository,
			}, Variables: []string{"ESD_STATE_REPOSITORY"}},
			{Attribute: schema.Attribute{
				Name: "name", Type: cty.String, Check: func(v cty.Value) error { return checkName(v.AsString()) },
				Doc: "Tells several states of a repository apart: up to 32 letters, digits, `_` and `-`. Default: the name of the configuration.",
			}},
			lease.Attribute(lease.DefaultDuration),
			{Attribute: schema.Attribute{Name: "lock", Type: cty.Bool, Doc: "`false` does without a lock. Default `true`."}},
			{Attribute: schema.Attribute{
				Name: "keep", Type: cty.Number, Check: checkKeep,
				Doc: fmt.Sprintf("How many versions are kept. Default %d.", DefaultKeep),
			}},
			{Attribute: schema.Attribute{
				Name: "plain_http", Type: cty.Bool,
				Doc: "Speak HTTP, not HTTPS. Registries on the loopback interface are spoken to in HTTP anyway.",
			}},
			{Attribute: schema.Attribute{Name: "ca_file", Type: cty.String, Doc: "A file of PEM certificates to trust beside the system's."}},
		},
		Open: open,
	}
}

func open(s backend.Settings, env backend.Env) (backend.Backend, error) {
	ref, err := registry.ParseRef(s.String("repository"))
	if err != nil {
		return nil, err
	}
	absolute := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(env.Dir, path)
	}
	if ref.Layout != "" {
		ref.Layout = absolute(ref.Layout)
	}
	store, err := registry.Open(context.Background(), ref, registry.Options{
		PlainHTTP: s.Bool("plain_http", false), CAFile: absolute(s.String("ca_file")), UserAgent: env.UserAgent,
	})
	if err != nil {
		return nil, err
	}
	name := s.String("name")
	if name == "" {
		name = env.Name
	}
	return New(store, Options{
		Name: name, Lease: lease.TermsOf(s, lease.DefaultDuration),
		Unlocked: !s.Bool("lock", true), Keep: int(s.Int("keep", DefaultKeep)),
	})
}

func checkRepository(v cty.Value) error {
	ref, err := registry.ParseRef(v.AsString())
	if err == nil && (ref.Tag != "" || ref.Digest != "") {
		err = fmt.Errorf("it names a tag or digest; a state has tags of its own, give the repository alone and say `name`")
	}
	return err
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || name[0] == '-' {
		return fmt.Errorf("name %.40q of a state must have 1 to %d letters, digits, _ and -, and not begin with -", name, maxName)
	}
	return nil
}

func checkKeep(v cty.Value) error {
	if n, _ := v.AsBigFloat().Int64(); n < 2 || n > 1000 || !v.AsBigFloat().IsInt() {
		return fmt.Errorf("keep 2 to 1000 versions")
	}
	return nil
}
