package importer

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// notCarried are the sections that have no counterpart, and why.
var notCarried = map[string]string{
	"bootstrap":        "how Spack gets its own tools is a matter of the Spack in use, not of the environment",
	"cdash":            "esd reports to no dashboard",
	"ci":               "no pipeline has to be generated: esd apply runs in a job, and builds only what is missing",
	"develop":          "packages that are built of a working directory cannot be reproduced; make it a recipe with source { path = … }, or use --keep",
	"env_vars":         "environments are not activated; a target sets variables of its own (env)",
	"include_concrete": "an environment is concretized by itself; share packages by the same caches",
	"modules":          "no module files are written yet",
	"upstreams":        "packages come from caches, not from other install trees",
}

// section carries over one section.
func (i *spackImport) section(e yamlnode.Entry) error {
	if why, ok := notCarried[e.Key]; ok {
		if !isNothing(e.Value) {
			i.lose(e.Position, e.Name(), "%s", why)
		}
		return nil
	}
	switch e.Key {
	case "specs", "definitions", "include": // elsewhere
	case "view":
		i.view(e)
	case "mirrors":
		return i.mirrors(e)
	case "repos":
		return i.repos()
	case "container":
		i.container(e)
	case "config":
		i.configSection(e)
	case "concretizer":
		i.concretizer(e)
	default: // packages, compilers, toolchains
		i.replacePlaceholders(e.Value)
		if !isNothing(e.Value) {
			i.env.config.members = append(i.env.config.members, i.converter.entry(e))
			i.env.config.kind = yamlnode.Map
		}
	}
	return nil
}

func isNothing(n *yamlnode.Node) bool {
	return n == nil || n.Kind == yamlnode.Null || (n.Kind == yamlnode.Map || n.Kind == yamlnode.List) && len(n.Items)+len(n.Entries) == 0
}

// replacePlaceholders puts in what the tool around Spack would have put in.
func (i *spackImport) replacePlaceholders(n *yamlnode.Node) {
	if n == nil || len(i.placeholders) == 0 {
		return
	}
	for _, placeholder := range slices.Sorted(maps.Keys(i.placeholders)) {
		if to := i.placeholders[placeholder]; n.Kind == yamlnode.String && strings.Contains(n.Text, placeholder) {
			n.Text = strings.ReplaceAll(n.Text, placeholder, to)
			i.note(n.Position, placeholder, "it became %q", to)
		}
	}
	for _, item := range n.Items {
		i.replacePlaceholders(item)
	}
	for _, e := range n.Entries {
		i.replacePlaceholders(e.Value)
	}
}

func (i *spackImport) view(e yamlnode.Entry) {
	if e.Value.Kind == yamlnode.Null || e.Value.Kind == yamlnode.Bool && !e.Value.True() {
		return
	}
	if e.Value.Kind == yamlnode.Map {
		for _, v := range e.Value.Entries {
			i.lose(v.Position, "view:"+v.Key, "views are not made yet; packages stand below the environment's root, each in a directory of its own")
		}
		return
	}
	i.lose(e.Position, "view", "views are not made yet; packages stand below the environment's root, each in a directory of its own")
}

// concretizer leaves out reuse: what comes of a lock must not depend on what
// happens to be in a cache.
func (i *spackImport) concretizer(e yamlnode.Entry) {
	m := i.converter.entry(e)
	if reuse := e.Value.Get("reuse"); reuse != nil {
		m.value.remove("reuse")
		if reuse.Kind != yamlnode.Bool || reuse.True() {
			i.lose(reuse.Position, "concretizer:reuse", "esd lock gives the same result whatever is in the caches; it never reuses")
		}
	}
	if !m.value.isEmpty() {
		i.env.config.kind = yamlnode.Map
		i.env.config.members = append(i.env.config.members, m)
	}
}

// ofThisMachine are settings of the section config that are paths on a machine
// or a matter of how Spack itself runs.
var ofThisMachine = map[string]string{
	"environments_root": "environments are directories with a configuration",
	"extensions":        "it is a path on one machine",
	"license_dir":       "it is a path on one machine",
	"misc_cache":        "Spack's working files lie below .esd",
	"source_cache":      "sources are kept in a cache \"sources\"",
	"template_dirs":     "it is a path on one machine",
	"test_stage":        "tests are checks of a target",
}

func (i *spackImport) configSection(e yamlnode.Entry) {
	m := i.converter.entry(e)
	for _, setting := range e.Value.Entries {
		why, known := ofThisMachine[setting.Key]
		what := "config:" + setting.Key
		switch {
		case known:
			i.lose(setting.Position, what, "%s", why)
		case setting.Key == "install_tree":
			i.installTree(setting)
		case setting.Key == "build_stage":
			i.buildStage(setting)
		case setting.Key == "build_jobs":
			if n, err := strconv.Atoi(setting.Value.Text); err == nil && n > 0 && n <= 4096 {
				i.env.cpus = setting.Value.Text
			} else {
				i.lose(setting.Position, what, "it is no number of processors")
			}
		default:
			continue
		}
		m.value.remove(setting.Name())
	}
	if !m.value.isEmpty() {
		i.env.config.kind = yamlnode.Map
		i.env.config.members = append(i.env.config.members, m)
	}
}

// installTree becomes root, padded_length and projection.
func (i *spackImport) installTree(e yamlnode.Entry) {
	if e.Value.IsScalar() {
		i.root(e.Value)
		return
	}
	for _, setting := range e.Value.Entries {
		v := setting.Value
		switch {
		case setting.Key == "root":
			i.root(v)
		case setting.Key == "padded_length" && v.Kind == yamlnode.Integer && paddingFits(v.Text):
			i.env.attributes = append(i.env.attributes, member{key: "padded_length", value: number(v.Text)})
		case setting.Key == "projections" && v.Kind == yamlnode.Map:
			for _, p := range v.Entries {
				if p.Key == "all" && p.Value.IsScalar() {
					i.env.attributes = append(i.env.attributes, member{key: "projection", value: text(p.Value.Text)})
					continue
				}
				i.lose(p.Position, "config:install_tree:projections:"+p.Key, "an environment has one projection for all its packages")
			}
		default:
			i.lose(setting.Position, "config:install_tree:"+setting.Name(), "the store in which packages are built is padded to 256 characters unless padded_length says otherwise")
		}
	}
}

func paddingFits(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && (n == 0 || n >= 64 && n <= 1024)
}

func (i *spackImport) root(n *yamlnode.Node) {
	if !isPlainPath(n.Text) {
		i.lose(n.Position, "config:install_tree", "%s is a place on one machine; in deployments packages stand below root, which is /opt/software unless it is set", n.Text)
		return
	}
	i.env.attributes = append(i.env.attributes, member{key: "root", value: text(n.Text)})
}

func isPlainPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && p != "/" && !strings.ContainsAny(p, "$~ \t\"'\\")
}

// buildStage becomes build_directory: the first plain path of the list.
func (i *spackImport) buildStage(e yamlnode.Entry) {
	paths, err := e.Value.Strings(i.m.Name, "build_stage")
	found := slices.IndexFunc(paths, isPlainPath)
	if err != nil || found < 0 {
		i.lose(e.Position, "config:build_stage", "where to build is said by build_directory, with a plain path")
		return
	}
	i.env.attributes = append(i.env.attributes, member{key: "build_directory", value: text(paths[found])})
	if len(paths) > 1 {
		i.note(e.Position, "config:build_stage", "of several directories, %s is taken", paths[found])
	}
}
