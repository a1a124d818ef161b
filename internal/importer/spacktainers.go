package importer

import (
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest"
	"esd/internal/spack/manifest/yamlnode"
)

// definitionsDir is the directory that definitions of spacktainers stand in,
// one below for each architecture.
const definitionsDir = "container_definitions"

// epilogue is what is appended to the Dockerfile that spacktainers makes.
const epilogue = "Dockerfile.epilogue"

// isContainerDefinition reports whether a file or directory stands where
// spacktainers has its definitions.
func isContainerDefinition(path string) bool {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	return containersRoot(abs) != "" || exists(abs, epilogue) || exists(filepath.Dir(abs), epilogue)
}

// containersRoot is the directory that has container_definitions; empty if the
// path is not below one.
func containersRoot(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for range 4 {
		abs = filepath.Dir(abs)
		if filepath.Base(abs) == definitionsDir {
			return filepath.Dir(abs)
		}
	}
	return ""
}

// architectureOf is the directory below container_definitions.
func architectureOf(path string) string {
	abs, err1 := filepath.Abs(path)
	rel, err2 := filepath.Rel(filepath.Join(containersRoot(path), definitionsDir), abs)
	if err1 != nil || err2 != nil || containersRoot(path) == "" {
		return ""
	}
	return strings.TrimLeft(strings.Split(filepath.ToSlash(rel), "/")[0], "_")
}

// baseTargets are the microarchitectures that spacktainers builds for.
var baseTargets = map[string]string{"amd64": "target=x86_64_v3", "arm64": "target=armv8.4a"}

// importSpacktainers makes an environment and an image of a container
// definition, which is a spack.yaml with a section of its own, merged with
// defaults.
func importSpacktainers(path string, opts Options) (*configuration, error) {
	if strings.HasSuffix(path, ".def") {
		return importDefinition(path, opts)
	}
	if exists(path, "spack.yaml") {
		path = filepath.Join(path, "spack.yaml")
	}
	file, err := readYAML(path)
	if err != nil {
		return nil, err
	}
	m, err := manifest.New(file)
	if err != nil {
		return nil, err
	}
	name := label(opts.Name)
	if opts.Name == "" {
		name = nameOf(path)
	}
	c := &configuration{name: name, source: path}
	i := &spackImport{configuration: c, m: m, path: path, opts: opts, converter: newConverter(file), env: &environmentBlock{name: name}}
	if target := baseTargets[architectureOf(path)]; target != "" {
		i.placeholders = map[string]string{"%BASE_ARCH%": target}
	}
	c.environments = append(c.environments, i.env)
	if err := i.all(); err != nil {
		return nil, err
	}
	if err := i.template(); err != nil {
		return nil, err
	}
	s := &spacktainer{spackImport: i, image: &targetBlock{kind: "image", name: name}}
	if err := s.target(); err != nil {
		return nil, err
	}
	c.targets = append(c.targets, s.image)
	return c, nil
}

// template merges the defaults of the repository under the definition.
func (i *spackImport) template() error {
	path := filepath.Join(containersRoot(i.path), "spack.yaml")
	if containersRoot(i.path) == "" || !exists(path) {
		i.note(yamlnode.Position{}, "defaults", "spacktainers merges definitions with a spack.yaml at the top of its repository, and there is none here")
		return nil
	}
	src, err := readFile(path)
	if err != nil {
		return err
	}
	m, err := manifest.ParseConfig(src, path)
	if err != nil {
		return err
	}
	if err := i.mergeFile(manifest.Included{Path: path, Manifest: m, By: manifest.Input{Path: "of the defaults", Position: yamlnode.Position{}}}); err != nil {
		return err
	}
	i.env.attributes = slices.DeleteFunc(i.env.attributes, func(m member) bool {
		long := m.key == "root" && len(m.value.text) > 64
		if long {
			i.env.notes = append(i.env.notes, changed(path, yamlnode.Position{}, "config:install_tree",
				"its length is for the sake of relocation; esd builds in a store that is padded (padded_length), and installs below /opt/software"))
		}
		return long
	})
	return nil
}

// spacktainer is the image of a definition being made.
type spacktainer struct {
	*spackImport
	image *targetBlock
}

func (s *spacktainer) add(key string, v value) {
	s.image.attributes = append(s.image.attributes, member{key: key, value: v})
}

func (s *spacktainer) lose(file string, at yamlnode.Position, what, why string, args ...any) {
	s.image.notes = append(s.image.notes, lost(file, at, what, why, args...))
}

func (s *spacktainer) target() error {
	s.add("packages", expressions([]string{"environment." + s.env.name}))
	s.add("base", text(s.base()))
	if arch := architectureOf(s.path); baseTargets[arch] != "" {
		s.add("platform", text("linux/"+arch))
	}
	if err := s.files(); err != nil {
		return err
	}
	s.add("publish", texts([]string{"oci:dist/" + strings.ToLower(s.env.name) + ":latest"}))
	s.image.notes = append(s.image.notes, changed(s.path, yamlnode.Position{}, "version",
		"spacktainers tags an image with the version of its first package; put tag and registry into publish"))
	return s.epilogue()
}

// files are the pairs of source and place in the section spacktainer.
func (s *spacktainer) files() error {
	section := s.m.Root.Get("spacktainer")
	if err := section.Expect(yamlnode.Map, s.path, "spacktainer"); err != nil || section == nil {
		return err
	}
	files := object()
	taken := map[string]bool{}
	for _, e := range section.Entries {
		if e.Key != "files" {
			s.lose(s.path, e.Position, "spacktainer:"+e.Name(), "spacktainers has no such setting, as far as is known here")
			continue
		}
		pairs, err := e.Value.Strings(s.path, "files")
		if err != nil {
			return err
		}
		for n, pair := range pairs {
			at := e.Position
			if e.Value.Kind == yamlnode.List {
				at = e.Value.Items[n].Position
			}
			from, to, ok := strings.Cut(pair, ":")
			if !ok || !isPlainPath(to) || taken[to] {
				s.lose(s.path, at, "files: "+pair, "a file is written SOURCE:PLACE, with an absolute place that is there once")
				continue
			}
			source := filepath.Join(containersRoot(s.path), "spacktainer", filepath.FromSlash(from))
			if !exists(source) {
				s.lose(s.path, at, "files: "+pair, "nothing is at %s", pathFor(s.opts.Dir, source))
				continue
			}
			taken[to] = true
			files.members = append(files.members, member{key: to, value: text(pathFor(s.opts.Dir, source))})
		}
	}
	if !files.isEmpty() {
		s.add("files", files)
	}
	return nil
}

var fromLine = lazily(`^(?i:ARG\s+BASE_IMAGE=|FROM\s+)([A-Za-z0-9][A-Za-z0-9./:@_-]*)`)

// base is what the runtime container of the repository is built upon.
func (s *spacktainer) base() string {
	const usual = "ubuntu:24.04"
	path := filepath.Join(containersRoot(s.path), "runtime", "Dockerfile")
	src, err := readFile(path)
	if err != nil || containersRoot(s.path) == "" {
		s.image.notes = append(s.image.notes, changed(s.path, yamlnode.Position{}, "base", "there is no runtime/Dockerfile here that names it; %s is what spacktainers uses", usual))
		return usual
	}
	base := usual
	ran := 0
	for _, in := range dockerInstructions(string(src)) {
		if m := fromLine().FindStringSubmatch(in.text); m != nil && base == usual {
			base = m[1]
		}
		if strings.Contains(strings.ToUpper(in.text), "RUN ") || strings.Contains(strings.ToUpper(in.text), "ENTRYPOINT ") {
			ran = max(ran, 1)
			if ran == 1 {
				s.lose(path, yamlnode.Position{Line: in.line}, "runtime/Dockerfile", "images are put together without running commands: what it installs, the view, the profile and the entrypoint are left out")
				ran = 2
			}
		}
	}
	return base
}

func (s *spacktainer) epilogue() error {
	path := filepath.Join(filepath.Dir(s.path), epilogue)
	if !exists(path) {
		return nil
	}
	src, err := readFile(path)
	if err != nil {
		return err
	}
	for _, in := range dockerInstructions(string(src)) {
		s.lose(path, yamlnode.Position{Line: in.line}, in.text, "images are put together without running commands; put what is needed into the environment, the base image or files")
	}
	return nil
}

// instruction is one of a Dockerfile, on one line.
type instruction struct {
	line int
	text string
}

func dockerInstructions(src string) []instruction {
	var list []instruction
	open := false
	for n, line := range strings.Split(src, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		part, continued := strings.CutSuffix(line, `\`)
		part = strings.Join(strings.Fields(part), " ")
		if open {
			list[len(list)-1].text += " " + part
		} else {
			list = append(list, instruction{n + 1, part})
		}
		open = continued
	}
	return list
}
