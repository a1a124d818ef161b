package image

import (
	"fmt"
	"path"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/oci"
	"esd/internal/providers/environment"
	"esd/internal/providers/recipe"
	"esd/internal/schema"
)

// Kind is the kind of the block.
const Kind = "target.image"

var blockSchema = &schema.Block{
	Kind:    Kind,
	Summary: "A container image, put together without a container runtime and without root, and published.",
	Doc: `An image is its base, one layer for each package (and for each package that those need to run), and one layer with the
files. It is the same to the bit wherever and whenever it is put together from the same products. Layers of recipes come
from the cache as they are; a layer that an image at one of the destinations already has is neither read nor made nor sent.

The packages of an environment come from its build caches: each archive becomes a layer in one pass, relocated to the
` + "`root`" + ` of the environment, without Spack and without an install tree in between. Layers are kept in the artifact caches, so
that other images share them. A small layer more has what Spack knows of its install tree: a Spack in the container that uses
this root sees what is installed. Two environments may share an image; the same package at the same place is there once.

With more than 100 packages, packages share layers. Those that the fewest others need keep layers of their own; the ones that
most others need, which change only together with these, share. What changes least lies lowest, since engines unpack
anew what lies upon a layer that changed.

Every layer and the image itself carry their content keys as annotations (` + "`dev.esd.key`" + `): what is published says what it is
made of, even where no state is left. So who may write to a destination of a target decides what is in layers that are taken
from there.

Publishing moves the tag last, and only when all checks have passed. Destinations are not part of the content key. A
destination that is taken out of the list keeps what it has; destroying the target removes what was published.`,
	Example: `target "image" "lab" {
  packages   = [environment.sim, recipe.greet]
  base       = "debian:12-slim"
  files      = { "/opt/entry.sh" = "files/entry.sh" }
  entrypoint = ["/opt/entry.sh"]
  publish    = ["registry.example.org/esd/lab:${var.release}", "oci:dist/lab:${var.release}"]

  check "greets" {
    command = ["/opt/entry.sh", "--version"]
  }
}`,
	Attributes: []schema.Attribute{
		{Name: "packages", Type: cty.DynamicPseudoType, References: []string{recipe.Kind, environment.Kind},
			Doc: "The recipes and environments whose products go into the image, together with all that they need to run."},
		{Name: "publish", Type: cty.List(cty.String), Required: true, Check: checkPublish,
			Doc: "Where the image goes: `REGISTRY/REPOSITORY:TAG`, or `oci:DIRECTORY:TAG` for an OCI layout on disk (relative to the module)."},
		{Name: "base", Type: cty.String, Check: checkBase,
			Doc: "The image to build upon, in a registry or an OCI layout (`oci:DIRECTORY:TAG`). `esd lock` pins its digest. Without it, the image starts empty."},
		{Name: "files", Type: cty.Map(cty.String), Check: checkFiles,
			Doc: "Files and directories to add: the absolute path in the image, and where the content comes from, relative to the module."},
		{Name: "entrypoint", Type: cty.List(cty.String), Doc: "The program that the image runs, with its first arguments."},
		{Name: "cmd", Type: cty.List(cty.String), Doc: "The arguments that are used when none are given."},
		{Name: "env", Type: cty.Map(cty.String), Check: checkEnv, Doc: "Environment variables, over those of the base."},
		{Name: "labels", Type: cty.Map(cty.String), Doc: "Labels, over those of the base."},
		{Name: "user", Type: cty.String, Doc: "The user that the program runs as: `NAME`, `UID` or `UID:GID`."},
		{Name: "workdir", Type: cty.String, Check: checkAbsolute, Doc: "The working directory of the program."},
		{Name: "platform", Type: cty.String, Check: checkPlatform, Doc: "The platform, as `linux/amd64`. The default is this machine's."},
		{Name: "compression", Type: cty.String, Default: cty.StringVal("zstd"), Check: checkCompression,
			Doc: "How layers are compressed: `zstd`, which caches use too, or `gzip`, for container engines older than 2023."},
		{Name: "plain_http", Type: cty.Bool, Default: cty.False, Doc: "Speak HTTP, not HTTPS, to the registries of this image. Registries on the loopback interface are spoken to in HTTP anyway."},
		{Name: "ca_file", Type: cty.String, Doc: "A file of PEM certificates to trust beside the system's."},
	},
	Blocks: []schema.Nested{
		{Name: "check", Label: "what is checked", Nesting: schema.Map, Block: schema.Block{
			Summary: "A command that must succeed inside the image before it is published.",
			Attributes: []schema.Attribute{
				{Name: "command", Type: cty.List(cty.String), Required: true, Check: checkCommand, Doc: "The program and its arguments; no shell, and the entrypoint is not used."},
				{Name: "timeout", Type: cty.String, Default: cty.StringVal("10m"), Check: schema.CheckDuration, Doc: "How long it may take."},
			},
		}},
	},
	Exports: []schema.Export{
		{Name: "name", Type: cty.String, Doc: "The name of the target."},
		{Name: "key", Type: cty.String, Doc: "The content key."},
		{Name: "digest", Type: cty.String, AfterApply: true, Doc: "The digest of the image's manifest."},
		{Name: "size", Type: cty.Number, AfterApply: true, Doc: "The size of the image in bytes, compressed, with its base."},
		{Name: "references", Type: cty.List(cty.String), Doc: "Where the image is published."},
	},
	Repeats:   true,
	Lifecycle: true,
}

func checkPublish(v cty.Value) error {
	if v.LengthInt() == 0 {
		return fmt.Errorf("an image is published to at least one place, such as \"oci:dist/lab:latest\"")
	}
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() {
			return fmt.Errorf("a place to publish to is null")
		}
		ref, err := parseRef(e.AsString())
		switch {
		case err != nil:
			return err
		case ref.Tag == "" || ref.Digest != "":
			return fmt.Errorf("%q has no tag to publish under; write it as REPOSITORY:TAG", e.AsString())
		case seen[ref.String()]:
			return fmt.Errorf("%q is listed twice", e.AsString())
		}
		seen[ref.String()] = true
	}
	return nil
}

func checkBase(v cty.Value) error {
	_, err := parseRef(v.AsString())
	return err
}

// parseRef reads a reference without showing a secret in it.
func parseRef(s string) (oci.Ref, error) {
	if !strings.HasPrefix(s, "oci:") || strings.HasPrefix(s, "oci://") {
		if err := schema.CheckNoSecret(s, "log in with docker login or podman login instead"); err != nil {
			return oci.Ref{}, err
		}
	}
	return oci.ParseRef(s)
}

func checkFiles(v cty.Value) error {
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		p := k.AsString()
		if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
			return fmt.Errorf("%q is no place in an image; give an absolute path that has no . or .. in it", p)
		}
		if e.IsNull() || e.AsString() == "" {
			return fmt.Errorf("the content of %q is not given", p)
		}
	}
	return nil
}

// isIdentifier reports whether s can be the name of an environment variable.
func isIdentifier(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '.' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

func checkEnv(v cty.Value) error {
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !isIdentifier(k.AsString()) {
			return fmt.Errorf("%q is not a name for an environment variable", k.AsString())
		}
		if e.IsNull() {
			return fmt.Errorf("%s is null", k.AsString())
		}
	}
	return nil
}

func checkAbsolute(v cty.Value) error {
	if !path.IsAbs(v.AsString()) {
		return fmt.Errorf("%q is not an absolute path", v.AsString())
	}
	return nil
}

func checkPlatform(v cty.Value) error {
	parts := strings.Split(v.AsString(), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "linux" || parts[1] == "" {
		return fmt.Errorf("%q is not a platform; write it as linux/amd64 or linux/arm64/v8", v.AsString())
	}
	return nil
}

func checkCompression(v cty.Value) error {
	if s := v.AsString(); s != "zstd" && s != "gzip" {
		return fmt.Errorf("%q is not a compression of layers; zstd and gzip are", s)
	}
	return nil
}

func checkCommand(v cty.Value) error {
	if v.LengthInt() == 0 {
		return fmt.Errorf("a command has at least the name of a program")
	}
	return nil
}
