package recipe

import (
	"context"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/providers"
	"esd/internal/schema"
)

// keyVersion is raised whenever the same inputs begin to give another product.
const keyVersion = 1

// spec is a decoded recipe.
type spec struct {
	name, version string
	root, base    string // the prefix is root/base
	script        string
	env           map[string]string
	network       bool
	platform      string
	source        source
	needs         []addr.Address // run and build
	buildNeeds    []addr.Address
	resources     providers.Resources
}

func (s *spec) prefix() string { return path.Join(s.root, s.base) }

// source says where a source comes from. One of the three is set, or none.
type source struct {
	Path       string `json:"path,omitempty"` // absolute
	TreeDigest string `json:"tree_digest,omitempty"`
	URL        string `json:"url,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
	Git        string `json:"git,omitempty"`
	Commit     string `json:"commit,omitempty"`
}

// Spec is what other providers may know of a recipe.
type Spec interface {
	// Prefix is where the package stands.
	Prefix() string
	// Name and Version of the package.
	Name() string
	Version() string
	// Needs are the packages that this one needs to run.
	Needs() []addr.Address
	// Platform is what the product is good for.
	Platform() string
}

type public struct{ *spec }

func (p public) Prefix() string        { return p.prefix() }
func (p public) Name() string          { return p.name }
func (p public) Version() string       { return p.version }
func (p public) Needs() []addr.Address { return p.needs }
func (p public) Platform() string      { return p.platform }

// SpecOf reads what may be known of a resolved recipe; false if o is none.
func SpecOf(o *providers.Object) (Spec, bool) {
	s, ok := o.Spec.(*spec)
	return public{s}, ok
}

// Resolve computes the content key of a recipe.
func (p *Provider) Resolve(ctx context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := &spec{
		name: packageName(req.Address), version: values.String("version"), root: values.String("root"),
		script: values.String("script"), env: values.StringMap("env"), network: values.Bool("network"),
		platform: values.String("platform"), needs: values.Addresses("needs"), buildNeeds: values.Addresses("build_needs"),
	}
	if s.platform == "" {
		s.platform = p.opts.Platform
	}
	s.resources = resources(values)
	o := &providers.Object{
		Address: req.Address, Kind: Kind, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Title: s.name + " " + s.version, Needs: slices.Concat(s.needs, s.buildNeeds),
	}
	key := providers.NewKey(Kind, keyVersion)
	key.AddValue("name", s.name)
	key.AddValue("version", s.version)
	prefixes := neededPrefixes(req, s)
	key.AddExplained("script", s.script, prefixes.Replace(s.script))
	diags := p.resolveSource(ctx, req, values, s, o, key)
	for _, name := range slices.Sorted(maps.Keys(s.env)) {
		key.AddExplained("env "+name, s.env[name], prefixes.Replace(s.env[name]))
	}
	key.AddValue("root", s.root)
	key.AddValue("platform", s.platform)
	key.AddValue("network", fmt.Sprint(s.network))
	diags = append(diags, checkNames(req, s)...)
	diags = append(diags, addNeeds(req, key, "needs", s, s.needs)...)
	diags = append(diags, addNeeds(req, key, "build_needs", s, s.buildNeeds)...)
	o.Key, o.Inputs = key.Sum()
	s.base = s.name + "-" + s.version + "-" + providers.ShortKey(o.Key)
	o.Attributes = cty.ObjectVal(map[string]cty.Value{
		"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(s.name), "version": cty.StringVal(s.version),
		"prefix": cty.StringVal(s.prefix()), "key": cty.StringVal(o.Key),
	})
	return o, diags
}

// neededPrefixes puts addresses in place of the prefixes of needed recipes: a
// prefix that changes is explained by its recipe and need not be told again.
func neededPrefixes(req providers.ResolveRequest, s *spec) *strings.Replacer {
	var replace []string
	for _, a := range slices.Concat(s.needs, s.buildNeeds) {
		if o := req.Object(a); o != nil {
			if r, ok := SpecOf(o); ok {
				replace = append(replace, r.Prefix(), a.String())
			}
		}
	}
	return strings.NewReplacer(replace...)
}

// packageName is the name of the package: that of the block, with the key of
// the instance where that is fit for a path, so that variants can be told
// apart.
func packageName(a addr.Address) string {
	if a.Keyed && schema.CheckVersion(cty.StringVal(a.Key)) == nil && len(a.Key) <= 24 {
		return a.Name + "-" + a.Key
	}
	return a.Name
}

func resources(values providers.Values) providers.Resources {
	out := providers.Resources{CPUs: 1, Timeout: 6 * time.Hour}
	r, ok := values.Block("resources")
	if !ok {
		return out
	}
	out.CPUs = r.Int("cpus")
	out.Timeout, _ = schema.ParseDuration(r.String("timeout")) // checked by the schema
	if r.IsSet("memory") {
		out.Memory, _ = schema.ParseSize(r.String("memory"))
	} else if r.IsSet("memory_per_core") {
		perCore, _ := schema.ParseSize(r.String("memory_per_core"))
		out.Memory = perCore * int64(out.CPUs)
	}
	return out
}

func addNeeds(req providers.ResolveRequest, key *providers.KeyBuilder, attribute string, s *spec, needs []addr.Address) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, a := range needs {
		dep := req.Object(a)
		if dep == nil {
			continue // its own error was reported
		}
		key.AddObject(attribute+" "+variableName(a.Name), dep)
		if d, ok := dep.Spec.(*spec); ok && d.root != s.root {
			diags = append(diags, problem(req, "Different roots", fmt.Sprintf(
				"%s stands below %s, and %s, which it needs, below %s. Recipes that need each other must have the same root.",
				req.Address, s.root, a, d.root), attribute))
		}
	}
	return diags
}

// checkNames refuses needed recipes whose variables would hide each other or
// what esd sets.
func checkNames(req providers.ResolveRequest, s *spec) hcl.Diagnostics {
	var diags hcl.Diagnostics
	seen := map[string]addr.Address{}
	for _, a := range slices.Concat(s.needs, s.buildNeeds) {
		name := variableName(a.Name)
		_, inEnv := s.env[name]
		switch other, twice := seen[name]; {
		case reserved[name]:
			diags = append(diags, problem(req, "Reserved name", fmt.Sprintf(
				"The script finds the prefix of each needed recipe in a variable with its name, but $%s is set by esd. Rename %s.", name, a), "needs"))
		case inEnv:
			diags = append(diags, problem(req, "Variable set twice", fmt.Sprintf("env sets $%s, which is the prefix of %s.", name, a), "env"))
		case twice && other == a:
			diags = append(diags, problem(req, "Needed twice", fmt.Sprintf("%s is listed more than once in needs and build_needs.", a), "needs"))
		case twice:
			diags = append(diags, problem(req, "Variable set twice", fmt.Sprintf("The prefixes of both %s and %s would be in $%s.", other, a, name), "needs"))
		}
		seen[name] = a
	}
	return diags
}

func variableName(name string) string { return strings.ReplaceAll(name, "-", "_") }

func problem(req providers.ResolveRequest, summary, detail string, path ...string) *hcl.Diagnostic {
	rng := req.AttributeRange(path...)
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}

// resolveSource enters the source into the key.
func (p *Provider) resolveSource(ctx context.Context, req providers.ResolveRequest, values providers.Values, s *spec, o *providers.Object, key *providers.KeyBuilder) hcl.Diagnostics {
	block, ok := values.Block("source")
	if !ok {
		return nil
	}
	set := 0
	for _, name := range []string{"path", "url", "git"} {
		if block.IsSet(name) {
			set++
		}
	}
	if set != 1 {
		return hcl.Diagnostics{problem(req, "Ambiguous source", "A source has exactly one of path, url and git.", "source")}
	}
	switch {
	case block.IsSet("path"):
		return p.resolvePath(ctx, req, block, s, key)
	case block.IsSet("url"):
		if !block.IsSet("sha256") {
			return hcl.Diagnostics{problem(req, "Missing checksum", "A source that is downloaded must have its sha256: it is what makes the build repeatable, "+
				"and what keeps a changed download out. `curl -L URL | sha256sum` prints it.", "source", "url")}
		}
		s.source.URL, s.source.SHA256 = block.String("url"), block.String("sha256")
		key.AddDigest("source sha256", s.source.SHA256)
		return nil
	default:
		return resolveGit(req, block, s, o, key)
	}
}

func resolveGit(req providers.ResolveRequest, block providers.Values, s *spec, o *providers.Object, key *providers.KeyBuilder) hcl.Diagnostics {
	s.source.Git, s.source.Commit = block.String("git"), block.String("commit")
	if strings.HasPrefix(s.source.Git, "-") {
		return hcl.Diagnostics{problem(req, "Invalid repository", "The address of a git repository must not begin with a dash.", "source", "git")}
	}
	ref := block.String("ref")
	switch {
	case s.source.Commit == "" && ref == "":
		return hcl.Diagnostics{problem(req, "Missing commit", "A git source has a commit, or a ref that `esd lock` pins to a commit.", "source", "git")}
	case s.source.Commit == "":
		pin := providers.Pin{Repository: s.source.Git, Ref: ref}
		o.Pins = append(o.Pins, pin)
		commit, pinned := req.Pins.Commit(pin.Repository, pin.Ref)
		if !pinned {
			o.Unpinned = append(o.Unpinned, pin)
		}
		s.source.Commit = commit
	}
	key.AddDigest("source commit", s.source.Commit)
	return nil
}

// maxExplained is how many files of a source are recorded one by one, so that
// a plan can name the one that changed. Of larger sources directories are, and
// of very large ones only the whole.
const maxExplained = 12

func (p *Provider) resolvePath(ctx context.Context, req providers.ResolveRequest, block providers.Values, s *spec, key *providers.KeyBuilder) hcl.Diagnostics {
	written := block.String("path")
	dir := written
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(req.ModuleDir, dir)
	}
	tree, err := p.hashTree(ctx, dir)
	if err != nil {
		return hcl.Diagnostics{problem(req, "Unreadable source", fmt.Sprintf("The source of %s cannot be read: %v.", req.Address, err), "source", "path")}
	}
	if len(tree.Files) == 0 {
		return hcl.Diagnostics{problem(req, "Empty source", fmt.Sprintf("The directory %s has no files.", written), "source", "path")}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	s.source.Path, s.source.TreeDigest = abs, tree.Digest
	key.Quiet("source", tree.Digest)
	for _, in := range explainTree(tree) {
		key.Explain(in)
	}
	return nil
}

// explainTree names the parts of a source by which a difference is told.
func explainTree(tree archive.Tree) []providers.Input {
	groups := func(name func(string) string) map[string][]byte {
		m := map[string][]byte{}
		for _, f := range tree.Files {
			n := name(f.Path)
			m[n] = fmt.Appendf(m[n], "%s %s %v\n", f.Path, f.Digest, f)
		}
		return m
	}
	what := "source file "
	m := groups(func(p string) string { return p })
	if len(m) > maxExplained {
		what = "source directory "
		m = groups(func(p string) string {
			first, _, nested := strings.Cut(p, "/")
			if !nested {
				return "."
			}
			return first
		})
	}
	if len(m) > maxExplained {
		return []providers.Input{{Name: "source", Text: providers.ShortDigest(tree.Digest)}}
	}
	inputs := make([]providers.Input, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		inputs = append(inputs, providers.Input{Name: what + name, Text: providers.ShortDigest(string(m[name]))})
	}
	return inputs
}
