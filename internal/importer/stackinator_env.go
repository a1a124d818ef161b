package importer

import (
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// stackEnvironment is one environment of a recipe being imported.
type stackEnvironment struct {
	*recipe
	*converter
	env    *environmentBlock
	seen   map[string]bool // specs that are there
	fields *yamlnode.Node
}

func (r *recipe) allEnvironments() error {
	c := newConverter(r.environments)
	for _, e := range r.environments.Root.Entries {
		if err := e.Value.Expect(yamlnode.Map, r.environments.Name, "the environment "+e.Key); err != nil {
			return err
		}
		s := &stackEnvironment{recipe: r, converter: c, fields: e.Value, seen: map[string]bool{}, env: &environmentBlock{
			name: label(e.Key), spack: r.spacks[0].name, above: r.environments.Above(e.Line),
		}}
		if err := s.all(); err != nil {
			return err
		}
		r.configuration.environments = append(r.configuration.environments, s.env)
	}
	return nil
}

func (s *stackEnvironment) lose(at yamlnode.Position, what, why string, args ...any) {
	s.env.notes = append(s.env.notes, lost(s.recipe.environments.Name, at, what, why, args...))
}

func (s *stackEnvironment) all() error {
	if err := s.specs(); err != nil {
		return err
	}
	s.concretizer()
	if err := s.preferences(); err != nil {
		return err
	}
	if err := s.network(); err != nil {
		return err
	}
	s.recipePackages()
	for _, e := range s.fields.Entries {
		switch e.Key {
		case "specs", "unify", "duplicates", "compiler", "variants", "prefer", "network", "mpi", "views":
		case "deprecated":
			if e.Value.True() {
				s.env.config.sub("config").set("deprecated", boolean(true))
			}
		case "packages":
			if !isNothing(e.Value) {
				s.lose(e.Position, "packages", "Stackinator asks the machine it runs on for these (spack external find); add them to config with where they are")
			}
		default:
			s.lose(e.Position, e.Name(), "Stackinator has no such setting, as far as is known here")
		}
	}
	s.views()
	return nil
}

// specs are the compilers of the recipe, then the packages.
func (s *stackEnvironment) specs() error {
	if _, err := s.fields.Get("specs").Strings(s.recipe.environments.Name, "specs"); err != nil {
		return err
	}
	compilers, err := s.compilerSpecs()
	if err != nil {
		return err
	}
	for n, spec := range compilers {
		m := member{value: text(spec)}
		if n == 0 {
			m.above = []string{"compilers"}
		}
		s.spec(m)
	}
	specs := s.fields.Get("specs")
	if specs.IsScalar() {
		s.spec(member{value: text(specs.Text)})
		return nil
	}
	if specs != nil {
		for n, m := range s.value(specs, false).members {
			m.value = text(specs.Items[n].Text)
			if n == 0 && len(compilers) > 0 && len(m.above) == 0 {
				m.above = []string{"packages"}
			}
			s.spec(m)
		}
	}
	return nil
}

// spec adds a spec unless it is there.
func (s *stackEnvironment) spec(m member) {
	if !s.seen[m.value.text] {
		s.seen[m.value.text] = true
		s.env.specs = append(s.env.specs, m)
	}
}

// usualVariants are those with which Stackinator builds compilers unless the
// recipe says otherwise (recipe.py, generate_compiler_specs).
var usualVariants = map[string]string{"gcc": "+bootstrap", "llvm": "+clang ~gold", "nvhpc": "~mpi~blas~lapack"}

// compilerSpecs are the compilers to build for the environment.
func (s *stackEnvironment) compilerSpecs() ([]string, error) {
	if s.old {
		return nil, s.oldCompilers()
	}
	names, err := s.fields.Get("compiler").Strings(s.recipe.environments.Name, "compiler")
	if err != nil {
		return nil, err
	}
	var specs []string
	for _, name := range names {
		c := s.compilers.Root.Get(name)
		version := scalarText(c.Get("version"))
		switch {
		case version == "":
			return nil, s.fields.Get("compiler").Errorf(s.recipe.environments.Name, "the compiler %s is used, and compilers.yaml does not say which version", name)
		case version != "system":
			variants := firstOf(scalarText(c.Get("spec")), usualVariants[name])
			specs = append(specs, strings.TrimSpace(name+"@"+version+" "+variants))
		}
	}
	if len(specs) > 0 {
		s.env.notes = append(s.env.notes, changed(s.compilers.Name, yamlnode.Position{}, strings.Join(specs, ", "),
			"Stackinator builds compilers before all else; here they are packages of environment.%s and concretized with it", s.env.name))
	}
	return specs, nil
}

// oldCompilers are those of the first version, whose Spack takes only
// compilers that are there.
func (s *stackEnvironment) oldCompilers() error {
	all := s.env.config.sub("packages").sub("all")
	var names []string
	if list := s.fields.Get("compiler"); list != nil && list.Kind == yamlnode.List {
		for _, item := range list.Items {
			if spec := firstOf(scalarText(item.Get("spec")), scalarText(item)); spec != "" {
				names = append(names, spec)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	all.set("compiler", texts(names))
	s.lose(s.fields.Get("compiler").Position, "compiler", "Spack before 1.0 takes only compilers that are there: give it %s in config.compilers, or go to Spack 1.x", strings.Join(names, ", "))
	return nil
}

func (s *stackEnvironment) concretizer() {
	c := s.env.config.sub("concretizer")
	unify := s.fields.Get("unify")
	if unify == nil {
		c.set("unify", boolean(true))
	} else {
		c.set("unify", s.value(unify, false))
	}
	if duplicates := s.fields.Get("duplicates"); duplicates != nil {
		c.set("duplicates", s.value(duplicates, false))
	}
}

// preferences are variants and what is preferred: the first compiler, unless
// the recipe says something else.
func (s *stackEnvironment) preferences() error {
	for _, key := range []string{"variants", "prefer"} {
		list, err := s.fields.Get(key).Strings(s.recipe.environments.Name, key)
		if err != nil {
			return err
		}
		if key == "prefer" && !s.fields.Has("prefer") && !s.old {
			list = s.usualPreference()
		}
		if len(list) > 0 {
			s.env.config.sub("packages").sub("all").set(key, texts(list))
		}
	}
	return nil
}

// usualPreference is what Stackinator writes where a recipe prefers nothing.
func (s *stackEnvironment) usualPreference() []string {
	names, err := s.fields.Get("compiler").Strings(s.recipe.environments.Name, "compiler")
	if err != nil || len(names) == 0 {
		return nil
	}
	name := names[0]
	version := scalarText(s.compilers.Root.Get(name).Get("version"))
	if name == "intel-oneapi-compilers" {
		name = "oneapi"
	}
	if version != "" && version != "system" {
		name += "@" + version
	}
	return []string{"%[when=%c] c=" + name + " %[when=%cxx] cxx=" + name + " %[when=%fortran] fortran=" + name}
}

// network adds MPI and what it needs.
func (s *stackEnvironment) network() error {
	mpi := s.fields.Get("network").Get("mpi")
	spec := strings.TrimSpace(scalarText(mpi))
	if old := s.fields.Get("mpi"); old.Has("spec") {
		mpi = old.Get("spec")
		spec = strings.TrimSpace(scalarText(mpi))
		if gpu := scalarText(old.Get("gpu")); gpu != "" {
			spec += " +" + gpu
		}
	}
	specs, err := s.fields.Get("network").Get("specs").Strings(s.recipe.environments.Name, "network:specs")
	if err != nil || spec == "" {
		return err
	}
	for n, text := range append([]string{spec}, specs...) {
		m := member{value: texts([]string{text}).members[0].value}
		if n == 0 {
			m.above = []string{"network"}
		}
		s.spec(m)
	}
	require := spec[:strings.IndexFunc(spec+"@", func(r rune) bool { return strings.ContainsRune("@+~%^ =", r) })]
	if s.old {
		require = scalarText(mpi)
	}
	s.env.config.sub("packages").sub("mpi").set("require", text(require))
	if len(specs) == 0 && !s.old {
		s.lose(mpi.Position, "network", "what else %s needs is said by network.yaml of the cluster; add it to specs", require)
	}
	return nil
}

// recipePackages puts packages.yaml under what the environment says itself.
func (s *stackEnvironment) recipePackages() {
	if s.recipe.packages == nil {
		return
	}
	c := newConverter(s.recipe.packages)
	if packages := s.recipe.packages.Root.Get("packages"); packages != nil && packages.Kind == yamlnode.Map {
		merge(s.env.config.sub("packages"), c.value(packages, false))
	}
}

func (s *stackEnvironment) views() {
	views := s.fields.Get("views")
	if views == nil {
		return
	}
	for _, v := range views.Entries {
		more := ""
		if rules := v.Value.Get("uenv"); rules != nil && len(rules.Entries) > 0 {
			var keys []string
			for _, e := range rules.Entries {
				keys = append(keys, e.Key)
			}
			more = ", nor are the variables that it sets (uenv: " + strings.Join(keys, ", ") + ")"
		}
		s.lose(v.Position, "view "+v.Key, "views are not made yet%s", more)
	}
}
