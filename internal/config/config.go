package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// Options says what to load and with which values.
type Options struct {
	// Path is a directory, all *.hcl files of which (without *.lock.hcl and
	// without subdirectories) are one configuration, or one file.
	Path string
	// Schemas are the kinds of block that there are, by kind: "recipe",
	// "target.image".
	Schemas map[string]*schema.Block
	// Vars are values of variables from the command line, NAME=VALUE.
	Vars []string
	// VarFiles are files with values of variables, in the order given.
	VarFiles []string
	// Environ looks up an environment variable, for ESD_VAR_name and for the
	// function env. Nil is an empty environment.
	Environ func(name string) (string, bool)
	// EnvironAll lists the environment as NAME=VALUE, for suggestions only.
	EnvironAll []string
	// Version is the version of esd, for required_version. Empty skips the
	// check.
	Version string
}

// Config is a loaded configuration.
type Config struct {
	// Path is what was loaded, as it was given.
	Path string
	// Dir is the directory of the root module.
	Dir string
	// Name is the base name of the file without .hcl, or "esd" for a directory:
	// the stem of the names of the lock file and of variable files.
	Name string
	// State says where the state is kept; nil where nothing is said.
	State *StateBlock

	opts   Options
	files  map[string]*hcl.File
	root   *module
	inputs map[string]input // values of the root module's variables
	bad    map[hclsyntax.Expression]bool
}

// StateBlock is the state block within the esd block.
type StateBlock struct {
	// Kind is its label.
	Kind string
	// Config is an object of the attributes set, known and without marks: it
	// may hold secrets from the environment and must not be shown or stored.
	Config cty.Value
	Range  hcl.Range
}

// Sensitive marks values that must not be shown or stored.
const Sensitive = mark("sensitive")

type mark string

// GoString names the mark in messages of cty.
func (m mark) GoString() string { return "config." + string(m) }

// Files holds the files read so far by name, for snippets in diagnostics.
func (c *Config) Files() map[string]*hcl.File { return c.files }
