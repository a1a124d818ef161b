package environment

import (
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
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	instance "esd/internal/providers/spack"
	"esd/internal/schema"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// keyVersion is raised whenever the same inputs begin to give other products.
const keyVersion = 1

// maxLock bounds a spack.lock: 256 MiB are some 200,000 packages.
const maxLock = 256 << 20

// defaultTimeout is how long a build may take that says nothing.
const defaultTimeout = 24 * time.Hour

// Resolve reads what the environment was concretized to and brings its packages
// along.
func (p *Provider) Resolve(ctx context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	e := &env{
		address: req.Address, specs: values.Strings("specs"), root: values.String("root"), paddedLength: values.Int("padded_length"),
		buildDirectory: values.String("build_directory"), lockFile: LockPath(req.ModuleDir, req.Address),
	}
	e.lockPath = inDir("", e.lockFile)
	o := &providers.Object{
		Address: req.Address, Kind: Kind, Dependencies: req.Dependencies, Range: req.Range, Spec: e, Title: "environment " + req.Address.Name,
	}
	diags := p.resolveInputs(req, values, e)
	if diags.HasErrors() {
		return o, diags
	}
	p.resolveCaches(req, values, e)
	var more hcl.Diagnostics
	e.resources, more = rules(req, values)
	if diags = append(diags, more...); diags.HasErrors() {
		return o, diags
	}
	problem := p.resolveLock(ctx, req, e, values.String("projection"))
	if problem != nil {
		o.Unlocked = problem.Error()
		o.Attributes = exported(req, "", placeholders(e))
		return o, diags
	}
	if err := p.bringPackages(req, e, o); err != nil {
		return o, append(diags, failure(req, "Packages without a place", err.Error(), "projection"))
	}
	roots, err := keyOf(e, o)
	if err != nil {
		return o, append(diags, failure(req, "Packages without a place", err.Error(), "projection"))
	}
	o.Attributes = exported(req, o.Key, roots)
	return o, diags
}

// LockPath is where the spack.lock of an environment stands.
func LockPath(dir string, a addr.Address) string {
	name := a.Name
	if a.Keyed {
		name += "-" + strings.Map(func(r rune) rune {
			if r == '/' || r == '\\' || r == ' ' || r < ' ' {
				return '-'
			}
			return r
		}, a.Key)
	}
	return filepath.Join(dir, "locks", name+".spack.lock")
}

// resolveInputs reads what is concretized.
func (p *Provider) resolveInputs(req providers.ResolveRequest, values providers.Values, e *env) hcl.Diagnostics {
	from := values.String("from")
	switch {
	case (from == "") == (len(e.specs) == 0):
		return hcl.Diagnostics{failure(req, "Specs or a spack.yaml", "An environment has either specs, or from: the spack.yaml of an environment that exists.", "specs")}
	case from != "":
		e.from = inDir(req.ModuleDir, from)
		if info, err := os.Stat(e.from); err == nil && info.IsDir() {
			e.from = filepath.Join(e.from, "spack.yaml")
		}
		var err error
		if e.existing, err = readExisting(e.from); err != nil {
			return hcl.Diagnostics{failure(req, "Unreadable spack.yaml", fmt.Sprintf("%v.", err), "from")}
		}
		e.inputs.From = e.existing.digest
	}
	config := req.Config.GetAttr("config")
	if !config.IsNull() {
		if t := config.Type(); !t.IsObjectType() && !t.IsMapType() {
			return hcl.Diagnostics{failure(req, "Invalid configuration of Spack", "The configuration is an object with a member for each section, as in { packages = { … } }.", "config")}
		}
		var err error
		if e.config, err = ctyjson.Marshal(config, config.Type()); err != nil {
			return hcl.Diagnostics{failure(req, "Invalid configuration of Spack", err.Error(), "config")}
		}
		e.inputs.Config = providers.ShortDigest(string(e.config))
	}
	for _, a := range values.Addresses("spack") {
		if o := req.Object(a); o != nil {
			e.instance = o.Spec.(instance.Instance)
		}
	}
	e.inputs.Spack = providers.ShortDigest(e.instance.Identity())
	e.inputs.Specs = e.specs
	e.network = values.Bool("network")
	return nil
}

// resolveCaches finds the caches that serve the environment.
func (p *Provider) resolveCaches(req providers.ResolveRequest, values providers.Values, e *env) {
	for _, a := range values.Addresses("caches") {
		o := req.Object(a)
		if o == nil {
			continue // reported where it went wrong
		}
		switch s := o.Spec.(type) {
		case cache.Buildcache:
			e.caches = append(e.caches, s)
		case cache.Sources:
			e.sources = append(e.sources, s)
		}
	}
	for _, a := range values.Addresses("quarantine") {
		if o := req.Object(a); o != nil {
			s := o.Spec.(cache.Buildcache)
			e.quarantine = &s
		}
	}
	own := cache.Buildcache{Name: "default", URL: "file://" + filepath.Join(p.opts.WorkDir, "buildcache"), Push: true, Index: true}
	switch {
	case len(e.caches) == 0:
		e.caches = []cache.Buildcache{own}
	case len(e.writable()) == 0:
		e.quarantine = &own // what is built goes there, and nothing else
	}
	if !values.IsSet("network") {
		e.network = !takesSources(e.sources)
	}
}

// rules reads the resources of packages; what comes later goes before.
func rules(req providers.ResolveRequest, values providers.Values) ([]rule, hcl.Diagnostics) {
	list := []rule{{resources: resourcesOf(values)}}
	var diags hcl.Diagnostics
	blocks := values.Blocks("package")
	for _, spec := range slices.Sorted(maps.Keys(blocks)) {
		match, err := spack.Match(spec)
		if err != nil {
			diags = append(diags, failure(req, "Invalid spec", err.Error(), "package", spec))
			continue
		}
		list = append(list, rule{match.Matches, resourcesOf(blocks[spec])})
	}
	return list, diags
}

func resourcesOf(values providers.Values) providers.Resources {
	r := providers.Resources{CPUs: 1, Timeout: defaultTimeout}
	block, ok := values.Block("resources")
	if !ok {
		return r
	}
	r.CPUs = max(block.Int("cpus"), 1)
	r.Memory, _ = schema.ParseSize(block.String("memory"))
	if perCore, err := schema.ParseSize(block.String("memory_per_core")); err == nil && r.Memory == 0 {
		r.Memory = perCore * int64(r.CPUs)
	}
	if t := block.String("timeout"); t != "" {
		r.Timeout, _ = schema.ParseDuration(t)
	}
	return r
}

func (e *env) resourcesOf(s *spack.Spec) providers.Resources {
	for _, r := range slices.Backward(e.resources) {
		if r.match == nil || r.match(s, e.lock.Specs) {
			return r.resources
		}
	}
	return providers.Resources{}
}

// resolveLock reads the lock and says why it does not do.
func (p *Provider) resolveLock(ctx context.Context, req providers.ResolveRequest, e *env, projection string) error {
	lock, sum, err := p.read(ctx, e.lockPath)
	written := LockPath("", e.address)
	locked, known := req.Pins.Environment(e.address.String())
	if known {
		e.locked = &locked
	}
	switch {
	case errors.Is(err, fs.ErrNotExist) && !known:
		return errors.New("it was never concretized")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing", written)
	case err != nil:
		return fmt.Errorf("%s: %w", written, err)
	case !known:
		return fmt.Errorf("%s stands there, but the lock file of the configuration says nothing of it (`esd lock --adopt` takes it as it is)", written)
	case locked.SHA256 != sum:
		return fmt.Errorf("%s is not the file that was locked: restore it from version control, or", written)
	}
	if what := changedInput(locked, e.inputs); what != "" {
		return errors.New(what)
	}
	e.lock, e.sha256 = lock, sum
	e.projection = spack.Projection(projection)
	if projection == "" {
		e.projection = defaultProjection(lock)
	}
	return nil
}

// defaultProjection is that of the Spack that wrote a lock.
func defaultProjection(lock *lockfile.Lock) spack.Projection {
	if lock.SpecfileVersion < 5 {
		return spack.DefaultProjection023
	}
	return spack.DefaultProjection
}

// changedInput says in words what differs from what was locked: all about the
// specs, as one of them often takes the place of another, or else the first
// other input.
func changedInput(locked, now providers.LockedEnvironment) string {
	changes := append(specsOnlyIn(now.Specs, locked.Specs, "added"), specsOnlyIn(locked.Specs, now.Specs, "removed")...)
	switch {
	case len(changes) > 0:
		return strings.Join(changes, "; ")
	case locked.From != now.From:
		return "its spack.yaml changed"
	case locked.Config != now.Config:
		return "its config changed"
	case locked.Spack != now.Spack:
		return "it is to be concretized by another Spack"
	}
	return ""
}

// specsOnlyIn says what happened to the specs that only one of two lists has.
func specsOnlyIn(specs, other []string, what string) []string {
	var only []string
	for _, s := range specs {
		if !slices.Contains(other, s) {
			only = append(only, s)
		}
	}
	switch len(only) {
	case 0:
		return nil
	case 1:
		return []string{"spec " + what + ": " + only[0]}
	}
	return []string{"specs " + what + ": " + abridged(only)}
}

// placeholders stand for the prefixes of an environment that is not locked: what
// refers to them can be resolved as far as `esd lock` needs it, and nothing can be
// planned.
func placeholders(e *env) cty.Value {
	names := map[string]cty.Value{}
	for _, spec := range e.specs {
		for _, name := range nameOf(spec) {
			names[name] = cty.StringVal(e.root + "/not-locked/" + name)
		}
	}
	if e.existing != nil {
		for _, name := range e.existing.names {
			names[name] = cty.StringVal(e.root + "/not-locked/" + name)
		}
	}
	if len(names) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(names)
}

func exported(req providers.ResolveRequest, key string, packages cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(req.Address.Name),
		"key": cty.StringVal(key), "packages": packages,
	})
}

func failure(req providers.ResolveRequest, summary, detail string, path ...string) *hcl.Diagnostic {
	rng := req.AttributeRange(path...)
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Size() > maxLock:
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxLock>>20)
	}
	return os.ReadFile(path)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
