package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// definition is a definition file of Apptainer and Singularity
// (https://apptainer.org/docs/user/latest/definition_files.html).
type definition struct {
	header   map[string]defLine // by key in lower case
	sections []defSection
}

type defLine struct {
	line int
	text string
}

type defSection struct {
	defLine           // the name, without %
	lines   []defLine // without empty ones and comments
}

func parseDefinition(src string) definition {
	d := definition{header: map[string]defLine{}}
	for n, line := range strings.Split(src, "\n") {
		line = strings.TrimSpace(line)
		at := defLine{n + 1, line}
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '%':
			name, arguments, _ := strings.Cut(line[1:], " ")
			d.sections = append(d.sections, defSection{defLine: defLine{n + 1, name}})
			if arguments = strings.TrimSpace(arguments); arguments != "" {
				d.sections[len(d.sections)-1].lines = append(d.sections[len(d.sections)-1].lines, defLine{n + 1, arguments})
			}
		case len(d.sections) > 0:
			last := &d.sections[len(d.sections)-1]
			last.lines = append(last.lines, at)
		default:
			key, v, _ := strings.Cut(line, ":")
			d.header[strings.ToLower(strings.TrimSpace(key))] = defLine{n + 1, strings.TrimSpace(v)}
		}
	}
	return d
}

// maxDefinition is how many bytes a definition file may have.
const maxDefinition = 64 << 10

// importDefinition makes an image of a definition file: the image that it
// starts from, with what can be said of it without running anything.
func importDefinition(path string, opts Options) (*configuration, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if len(src) > maxDefinition {
		return nil, fmt.Errorf("%s has %d bytes; no definition file has more than %d", path, len(src), maxDefinition)
	}
	name := label(opts.Name)
	if opts.Name == "" {
		name = nameOf(path)
	}
	i := &definitionImport{path: path, dir: opts.Dir, image: &targetBlock{kind: "image", name: name}}
	d := parseDefinition(string(src))
	if err := i.base(d); err != nil {
		return nil, err
	}
	if arch := architectureOf(path); baseTargets[arch] != "" {
		i.add("platform", text("linux/"+arch))
	}
	for _, s := range d.sections {
		i.section(s)
	}
	for _, m := range []member{{key: "files", value: i.files}, {key: "env", value: i.env}, {key: "labels", value: i.labels}} {
		if !m.value.isEmpty() {
			i.add(m.key, m.value)
		}
	}
	i.add("publish", texts([]string{"oci:dist/" + strings.ToLower(name) + ":" + i.tag}))
	return &configuration{name: name, source: path, targets: []*targetBlock{i.image}}, nil
}

type definitionImport struct {
	path, dir          string
	image              *targetBlock
	tag                string
	files, env, labels value
}

func (i *definitionImport) add(key string, v value) {
	i.image.attributes = append(i.image.attributes, member{key: key, value: v})
}

func (i *definitionImport) lose(line int, what, why string, args ...any) {
	i.image.notes = append(i.image.notes, lost(i.path, yamlnode.Position{Line: line}, what, why, args...))
}

var tagPattern = lazily(`:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$`)

func (i *definitionImport) base(d definition) error {
	bootstrap, from := d.header["bootstrap"], d.header["from"]
	if bootstrap.text == "" || from.text == "" {
		return (&yamlnode.Position{Line: 1}).Errorf(i.path, "a definition file begins with Bootstrap: and From:, and this one does not")
	}
	i.tag = "latest"
	if m := tagPattern().FindStringSubmatch(from.text); m != nil {
		i.tag = m[1]
	}
	if !slices.Contains([]string{"docker", "oci", "docker-archive", "oci-archive"}, bootstrap.text) {
		i.lose(bootstrap.line, "Bootstrap: "+bootstrap.text, "images start from an image in a registry or an OCI layout; %s is neither", from.text)
		return nil
	}
	if bootstrap.text != "docker" {
		i.lose(bootstrap.line, "Bootstrap: "+bootstrap.text, "push the image to a registry, or write it as oci:DIRECTORY:TAG")
		return nil
	}
	i.add("base", text(strings.TrimPrefix(from.text, "//")))
	return nil
}

func (i *definitionImport) section(s defSection) {
	switch {
	case len(s.lines) == 0:
	case s.text == "files" && !strings.HasPrefix(s.lines[0].text, "from "):
		i.copies(s)
	case s.text == "labels":
		for _, l := range s.lines {
			key, v, _ := strings.Cut(l.text, " ")
			i.labels.set(key, text(strings.Trim(strings.TrimSpace(v), `"`)))
		}
	case s.text == "environment":
		i.environment(s)
	case s.text == "runscript", s.text == "startscript":
		i.script(s)
	case s.text == "help":
		for _, l := range s.lines {
			i.image.above = append(i.image.above, l.text)
		}
	case s.text == "test":
		i.lose(s.line, "%test", "write it as a check of the image, with command = [\"/bin/sh\", \"-c\", …]")
	default:
		i.lose(s.line, "%"+s.text, "images are put together without running commands; put what is needed into an environment, the base image or files (%d lines from: %s)", len(s.lines), s.lines[0].text)
	}
}

func (i *definitionImport) copies(s defSection) {
	for _, l := range s.lines {
		words := strings.Fields(l.text)
		from, to := words[0], words[len(words)-1]
		if len(words) > 2 || !isPlainPath(to) || strings.ContainsAny(from, "*?[$") {
			i.lose(l.line, "%files "+l.text, "a file is added by its path and an absolute place in the image, without patterns")
			continue
		}
		source := filepath.FromSlash(from)
		if !filepath.IsAbs(source) {
			source = filepath.Join(filepath.Dir(i.path), source)
		}
		if !exists(source) {
			i.lose(l.line, "%files "+l.text, "nothing is at %s", pathFor(i.dir, source))
			continue
		}
		i.files.set(to, text(pathFor(i.dir, source)))
	}
}

var assignment = lazily("^(?:export +)?([A-Za-z_][A-Za-z0-9_]*)=(?:\"([^\"$`\\\\]*)\"|'([^']*)'|([^\\s\"'$`\\\\;&|]*))$")

func (i *definitionImport) environment(s defSection) {
	for _, l := range s.lines {
		if m := assignment().FindStringSubmatch(l.text); m != nil {
			i.env.set(m[1], text(m[2]+m[3]+m[4]))
			continue
		}
		i.lose(l.line, "%environment "+l.text, "a variable of an image has a fixed value")
	}
}

var simpleCommand = lazily(`^(?:exec +)?((?:[A-Za-z0-9_./:=,+-]+ *)+?)( *(?:"\$@"|\$@|\$\*))?$`)

// script makes an entrypoint of a script that only starts a program.
func (i *definitionImport) script(s defSection) {
	m := simpleCommand().FindStringSubmatch(s.lines[0].text)
	taken := slices.ContainsFunc(i.image.attributes, func(m member) bool { return m.key == "entrypoint" })
	if len(s.lines) > 1 || m == nil || taken {
		i.lose(s.line, "%"+s.text, "an entrypoint is a program with its arguments; put the script into files, and its place into entrypoint")
		return
	}
	i.add("entrypoint", texts(strings.Fields(m[1])))
}
