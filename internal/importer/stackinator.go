package importer

import (
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// recipe is the directory of a Stackinator recipe, being imported.
type recipe struct {
	*configuration
	dir  string
	opts Options
	// config.yaml, compilers.yaml and environments.yaml have to be there.
	config, compilers, environments *yamlnode.File
	packages                        *yamlnode.File // nil without
	store                           string
	// old tells of the first version of the format, for Spack 0.23 and before.
	old bool
}

// importStackinator makes environments and a file system of a recipe. What
// recipes mean is Stackinator's recipe.py and schema/*.json.
func importStackinator(path string, opts Options) (*configuration, error) {
	if isRecipeFile(path) {
		path = filepath.Dir(path)
	}
	r := &recipe{configuration: &configuration{source: filepath.Join(path, "config.yaml")}, dir: path, opts: opts}
	if err := r.read(); err != nil {
		return nil, err
	}
	if err := r.general(); err != nil {
		return nil, err
	}
	if err := r.allEnvironments(); err != nil {
		return nil, err
	}
	if err := r.mirrors(); err != nil {
		return nil, err
	}
	r.target()
	r.left()
	return r.configuration, nil
}

func (r *recipe) read() error {
	for name, to := range map[string]**yamlnode.File{"config.yaml": &r.config, "compilers.yaml": &r.compilers, "environments.yaml": &r.environments} {
		file, err := readYAML(filepath.Join(r.dir, name))
		if err != nil {
			return err
		}
		if err := file.Root.Expect(yamlnode.Map, file.Name, name); err != nil {
			return err
		}
		*to = file
	}
	if path := filepath.Join(r.dir, "packages.yaml"); exists(path) {
		var err error
		if r.packages, err = readYAML(path); err != nil {
			return err
		}
	}
	return nil
}

func (r *recipe) lose(file *yamlnode.File, at yamlnode.Position, what, why string, args ...any) {
	r.notes = append(r.notes, lost(file.Name, at, what, why, args...))
}

// scalar is the text of a value; empty for none.
func scalarText(n *yamlnode.Node) string {
	if n.IsScalar() {
		return n.Text
	}
	return ""
}

// general carries over config.yaml.
func (r *recipe) general() error {
	root := r.config.Root
	if len(root.Entries) > 0 {
		r.head = r.config.Above(root.Entries[0].Line)
	}
	if description := scalarText(root.Get("description")); description != "" {
		r.head = append(r.head, strings.Split(strings.TrimSpace(description), "\n")...)
	}
	r.name = label(firstOf(r.opts.Name, scalarText(root.Get("name")), filepath.Base(r.dir)))
	r.store = firstOf(scalarText(root.Get("store")), "/user-environment")
	version := firstOf(scalarText(root.Get("version")), "1")
	r.old = version == "1"
	for _, e := range root.Entries {
		switch e.Key {
		case "name", "store", "description", "version", "spack", "modules":
		case "default-view":
			if e.Value.IsScalar() {
				r.lose(r.config, e.Position, "default-view", "views are not made yet")
			}
		case "cleanup":
			if scalarText(e.Value) != "none" {
				r.lose(r.config, e.Position, "cleanup", "what a target has is its packages and what they need to run; nothing has to be cleaned")
			}
		default:
			r.lose(r.config, e.Position, e.Name(), "Stackinator has no such setting, as far as is known here")
		}
	}
	return r.spack(root.Get("spack"))
}

// spack carries over which Spack builds the recipe.
func (r *recipe) spack(n *yamlnode.Node) error {
	if err := n.Expect(yamlnode.Map, r.config.Name, "spack"); err != nil {
		return err
	}
	repository := scalarText(n.Get("repo"))
	if repository == "" {
		return r.config.Root.Errorf(r.config.Name, "spack:repo is missing: a recipe says which Spack builds it")
	}
	ref := firstOf(r.opts.SpackRef, scalarText(n.Get("commit")), "develop")
	s := &spackBlock{name: spackName(ref), repository: repository, ref: ref}
	r.spacks = append(r.spacks, s)
	packages := n.Get("packages")
	if err := packages.Expect(yamlnode.Map, r.config.Name, "spack:packages"); err != nil {
		return err
	}
	if repo := packages.Get("repo"); repo.IsScalar() {
		s.packages = append(s.packages, packageRepositoryOf("builtin", packages))
	} else if packages != nil {
		for _, e := range packages.Entries {
			s.packages = append(s.packages, packageRepositoryOf(e.Key, e.Value))
		}
		if len(packages.Entries) > 2 {
			r.notes = append(r.notes, changed(r.config.Name, packages.Position, "spack:packages", "package repositories are asked in the order of their names, builtin last"))
		}
	}
	r.ownRepository(s)
	return nil
}

func packageRepositoryOf(name string, n *yamlnode.Node) packageRepository {
	return packageRepository{
		name: label(name), repository: scalarText(n.Get("repo")), ref: firstOf(scalarText(n.Get("commit")), "develop"), directory: scalarText(n.Get("path")),
	}
}

// ownRepository are the package definitions in the recipe itself.
func (r *recipe) ownRepository(s *spackBlock) {
	repo := filepath.Join(r.dir, "repo")
	if !exists(repo, "packages") {
		return
	}
	s.packages = append(s.packages, packageRepository{name: "recipe", path: pathFor(r.opts.Dir, repo)})
	if !exists(repo, "repo.yaml") {
		r.notes = append(r.notes, changed(filepath.Join(repo, "packages"), yamlnode.Position{}, "repo",
			"Spack wants a repo.yaml beside it, which Stackinator writes: repo: {namespace: recipe}"))
	}
}

// target is the mounted image, as a file system of the same path.
func (r *recipe) target() {
	t := &targetBlock{kind: "filesystem", name: r.name}
	var names []string
	for _, e := range r.configuration.environments {
		names = append(names, "environment."+e.name)
	}
	t.attributes = []member{{key: "packages", value: expressions(names)}, {key: "path", value: text(r.store)}}
	t.notes = append(t.notes, changed(r.config.Name, yamlnode.Position{}, "store", "Stackinator makes a squashfs to be mounted at %s; this is a file system of that path", r.store))
	r.targets = append(r.targets, t)
}

// left says what else lies in the directory of the recipe.
func (r *recipe) left() {
	for _, f := range []struct{ name, why string }{
		{"modules.yaml", "no module files are written yet"},
		{"pre-install", "nothing is run before packages are built; make it a recipe, or part of the base"},
		{"post-install", "nothing is run on what was installed; make it a recipe whose product the target has too"},
		{"extra", "meta-data are not copied; a target can have files"},
	} {
		if path := filepath.Join(r.dir, f.name); exists(path) {
			r.notes = append(r.notes, lost(path, yamlnode.Position{}, f.name, "%s", f.why))
		}
	}
	r.notes = append(r.notes, lost(r.config.Name, yamlnode.Position{}, "the configuration of the cluster",
		"externals, the network and more come from the directory given to stack-config --system, not from the recipe; add its packages to config"))
}

// mirrors are not part of a recipe, but often stand beside one.
func (r *recipe) mirrors() error {
	path := filepath.Join(r.dir, "mirrors.yaml")
	if !exists(path) {
		return nil
	}
	file, err := readYAML(path)
	if err != nil {
		return err
	}
	m := &recipeMirrors{recipe: r, file: file}
	for _, e := range file.Root.Entries {
		switch e.Key {
		case "buildcache":
			m.buildcache(e)
		case "sourcemirror":
			for _, mirror := range e.Value.Entries {
				m.cache("sources", mirror.Key, mirror, scalarText(mirror.Value.Get("url")))
			}
		case "sourcecache":
			m.cache("sources", "sources", e, scalarText(e.Value.Get("path")))
		default:
			r.lose(file, e.Position, e.Name(), "how Spack gets its own tools and remembers results is its own matter")
		}
	}
	for _, env := range r.configuration.environments {
		env.caches = slices.Clone(m.addresses)
		if m.sources {
			env.attributes = append(env.attributes, member{key: "network", value: boolean(true), beside: "sources that no mirror has come from where they are published"})
		}
	}
	return nil
}

type recipeMirrors struct {
	*recipe
	file      *yamlnode.File
	addresses []string
	sources   bool
}

func (m *recipeMirrors) buildcache(e yamlnode.Entry) {
	mirror := readMirror(e.Value)
	c := m.cache("buildcache", firstOf(scalarText(e.Value.Get("name")), "buildcache"), e, mirror.url)
	if c == nil {
		return
	}
	key := scalarText(e.Value.Get("private_key"))
	if !strings.HasPrefix(mirror.url, "http") {
		c.attributes = append(c.attributes, member{key: "push", value: boolean(key != "")})
	}
	for _, k := range []struct{ from, to string }{{"private_key", "signing_key"}, {"public_key", "trusted_keys"}} {
		file := scalarText(e.Value.Get(k.from))
		if file == "" {
			continue
		}
		if !filepath.IsAbs(file) {
			file = pathFor(m.opts.Dir, filepath.Join(m.dir, file))
		}
		v := text(file)
		if k.to == "trusted_keys" {
			v = texts([]string{file})
		}
		c.attributes = append(c.attributes, member{key: k.to, value: v})
	}
	if e.Value.Get("mount_specific").True() {
		m.lose(m.file, e.Value.Get("mount_specific").Position, "buildcache:mount_specific", "packages are relocated, so a cache serves every path; where yours has a directory for each, add it to url")
	}
}

// cache writes a block; nil where the address cannot be one.
func (m *recipeMirrors) cache(kind, name string, e yamlnode.Entry, url string) *cacheBlock {
	i := &spackImport{configuration: m.configuration, opts: m.opts, path: m.file.Name}
	place, why := i.cacheURL(url)
	if why != "" {
		m.lose(m.file, e.Position, e.Key, "%s", why)
		return nil
	}
	c := &cacheBlock{kind: kind, name: m.cacheName(name), above: m.file.Above(e.Line), attributes: []member{{key: "url", value: text(place)}}}
	m.caches = append(m.caches, c)
	m.addresses = append(m.addresses, c.address())
	m.sources = m.sources || kind == "sources"
	return c
}
