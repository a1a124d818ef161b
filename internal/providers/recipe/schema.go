package recipe

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// Kind is the kind of the block.
const Kind = "recipe"

// DefaultRoot is the directory below which packages stand unless the recipe
// says otherwise.
const DefaultRoot = "/opt/esd"

var blockSchema = &schema.Block{
	Kind:    Kind,
	Summary: "A package that esd builds from a script, without Spack.",
	Doc: `The script runs with ` + "`/bin/sh -e`" + ` (or with the interpreter of its first line, if that begins with ` + "`#!`" + `) in a
writable copy of the source. It finds

| variable | meaning |
|---|---|
| ` + "`$prefix`" + ` | where it must install; the same path in every build, image and machine |
| ` + "`$source`" + ` | the copy of the source, also the working directory |
| ` + "`$jobs`" + ` | how many processors it may use |
| ` + "`$NAME`" + ` | for each needed recipe, its prefix; ` + "`-`" + ` in a name becomes ` + "`_`" + ` |
| ` + "`$SOURCE_DATE_EPOCH`" + ` | a fixed time, so that builds can be repeated to the bit |
| ` + "`$PATH`, `$PKG_CONFIG_PATH`, `$CMAKE_PREFIX_PATH`" + ` | contain the needed recipes |

and otherwise an empty environment, an empty ` + "`$HOME`" + ` and, unless ` + "`network = true`" + `, no network. Nothing but ` + "`$prefix`" + `
and the copy of the source can be written where the machine allows that to be enforced (` + "`esd doctor`" + ` tells).

The content key of a recipe covers its name, version, script, source, environment, platform and the keys of all that it
needs. A product with that key in any cache is used; it is never built twice.`,
	Example: `recipe "greet" {
  version = "1.2.0"
  source  { path = "src/greet" }
  needs   = [recipe.libgreet]
  script  = "make install PREFIX=$prefix LIBGREET=$libgreet"
  resources {
    cpus   = 2
    memory = "1GiB"
  }
}`,
	Attributes: []schema.Attribute{
		{Name: "version", Type: cty.String, Required: true, Check: schema.CheckVersion, Doc: "The version; part of the prefix."},
		{Name: "script", Type: cty.String, Required: true, Check: checkScript, Doc: "The shell script that builds the package and installs it into `$prefix`."},
		{Name: "needs", Type: cty.DynamicPseudoType, References: []string{Kind},
			Doc: "Recipes that are needed to build this one and to run it; they come along into images."},
		{Name: "build_needs", Type: cty.DynamicPseudoType, References: []string{Kind},
			Doc: "Recipes that are needed to build this one only."},
		{Name: "env", Type: cty.Map(cty.String), Check: checkEnv, Doc: "More variables for the script."},
		{Name: "network", Type: cty.Bool, Default: cty.False, Doc: "Whether the script may use the network. What it fetches is then not covered by the content key."},
		{Name: "root", Type: cty.String, Default: cty.StringVal(DefaultRoot), Check: checkRoot,
			Doc: "The directory below which the package stands, as `ROOT/NAME-VERSION-KEY`. Recipes that need each other must have the same."},
		{Name: "platform", Type: cty.String,
			Doc: "What the product is good for, as system/architecture/distribution: `linux/amd64/debian-12`. The default is this machine. Say it where plans are made on other machines than builds."},
	},
	Blocks: []schema.Nested{
		{Name: "source", Nesting: schema.Single, Block: schema.Block{
			Summary: "Where the source comes from: `path`, or `url` with `sha256`, or `git` with `commit` or `ref`.",
			Attributes: []schema.Attribute{
				{Name: "path", Type: cty.String, Check: schema.CheckPath, Doc: "A directory, relative to the module. Its content is part of the content key."},
				{Name: "url", Type: cty.String, Check: checkURL, Doc: "An archive (tar with gzip, bzip2, xz or zstd, or zip) to download; a single directory at its top is left out."},
				{Name: "sha256", Type: cty.String, Check: checkSHA256, Doc: "The checksum of the archive, 64 hexadecimal digits."},
				{Name: "git", Type: cty.String, Check: schema.CheckRepository, Doc: "A git repository. Its address must not contain a password or a token; git's own credential helpers and ssh keys are used."},
				{Name: "ref", Type: cty.String, Check: schema.CheckPath, Doc: "A branch or tag; `esd lock` pins its commit."},
				{Name: "commit", Type: cty.String, Check: checkCommit, Doc: "A commit, 40 hexadecimal digits."},
			},
		}},
		{Name: "resources", Nesting: schema.Single, Block: schema.Block{
			Summary: "What building occupies. It is not part of the content key.",
			Attributes: []schema.Attribute{
				{Name: "cpus", Type: cty.Number, Default: cty.NumberIntVal(1), Check: checkCPUs, Doc: "Processors; the script gets as many as `$jobs`."},
				{Name: "memory", Type: cty.String, Check: schema.CheckSize, Doc: "Memory of the whole build: `4GiB`."},
				{Name: "memory_per_core", Type: cty.String, Check: schema.CheckSize, Doc: "Memory for each processor, if `memory` is not set."},
				{Name: "timeout", Type: cty.String, Default: cty.StringVal("6h"), Check: schema.CheckDuration, Doc: "How long the build may take: `4h30m`."},
			},
		}},
	},
	Exports: []schema.Export{
		{Name: "name", Type: cty.String, Doc: "The name of the recipe."},
		{Name: "version", Type: cty.String, Doc: "The version."},
		{Name: "prefix", Type: cty.String, Doc: "Where the package stands, in builds and in images."},
		{Name: "key", Type: cty.String, Doc: "The content key."},
	},
	Repeats: true,
}

func checkScript(v cty.Value) error {
	s := v.AsString()
	if strings.TrimSpace(s) == "" {
		return errors.New("a script must not be empty")
	}
	if strings.ContainsRune(s, 0) {
		return errors.New("a script must not contain NUL")
	}
	return nil
}

func checkRoot(v cty.Value) error {
	s := v.AsString()
	if !path.IsAbs(s) || path.Clean(s) != s || s == "/" || !only(s, letters+digits+"/._+-") {
		return fmt.Errorf("%q is not fit for a root: give an absolute path without . or .. or special characters, such as %s", s, DefaultRoot)
	}
	return nil
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// only reports whether s has no other characters than those.
func only(s, characters string) bool { return strings.Trim(s, characters) == "" }

// isHex reports whether s is so many hexadecimal digits in lower case.
func isHex(s string, n int) bool { return len(s) == n && only(s, digits+"abcdef") }

func isCommit(s string) bool { return isHex(s, 40) || isHex(s, 64) }

func isIdentifier(s string) bool {
	return s != "" && only(s, letters+digits+"_") && !only(s[:1], digits)
}

func checkURL(v cty.Value) error {
	s := v.AsString()
	// Secrets come first: the other error quotes the URL.
	if err := schema.CheckNoSecret(s, "have the file in a place that can be read without, or fetch it beforehand and name it by file://"); err != nil {
		return err
	}
	for _, scheme := range []string{"https://", "http://", "file://"} {
		if rest, ok := strings.CutPrefix(s, scheme); ok && rest != "" {
			return nil
		}
	}
	return fmt.Errorf("%q is not a URL that can be downloaded: it must begin with https://, http:// or file://", s)
}

func checkSHA256(v cty.Value) error {
	if !isHex(v.AsString(), 64) {
		return fmt.Errorf("%q is not a sha256 checksum: 64 hexadecimal digits in lower case are expected (`sha256sum FILE` prints it)", v.AsString())
	}
	return nil
}

func checkCommit(v cty.Value) error {
	if !isCommit(v.AsString()) {
		return fmt.Errorf("%q is not a commit: 40 hexadecimal digits are expected; for a branch or a tag use ref, which `esd lock` pins", v.AsString())
	}
	return nil
}

func checkCPUs(v cty.Value) error {
	f := v.AsBigFloat()
	if n, _ := f.Int64(); !f.IsInt() || n < 1 || n > 4096 {
		return errors.New("the number of processors is a whole number from 1 to 4096")
	}
	return nil
}

// reserved are the variables that a script finds already set.
var reserved = map[string]bool{
	"prefix": true, "source": true, "jobs": true, "PATH": true, "HOME": true, "TMPDIR": true, "SOURCE_DATE_EPOCH": true,
	"PKG_CONFIG_PATH": true, "CMAKE_PREFIX_PATH": true, "LC_ALL": true, "TZ": true, "USER": true, "LOGNAME": true, "SHELL": true,
}

func checkEnv(v cty.Value) error {
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name := k.AsString()
		switch {
		case !isIdentifier(name):
			return fmt.Errorf("%q is not a name for a variable of a shell", name)
		case name == "prefix" || name == "source" || name == "jobs" || name == "SOURCE_DATE_EPOCH":
			return fmt.Errorf("%s is set by esd", name)
		case e.IsNull():
			return fmt.Errorf("%s is null", name)
		case strings.ContainsRune(e.AsString(), 0):
			return fmt.Errorf("the value of %s contains NUL", name)
		}
	}
	return nil
}
