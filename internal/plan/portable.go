package plan

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
)

// A saved plan names no place of the machine that it was made on, as far as the
// places lie below its configuration: the job of a pipeline that applies it may
// have its checkout elsewhere than the one that planned. Paths on the command
// line are written as seen from the file of the plan; those in the specs of
// steps begin with a word that stands for the directory of the configuration.

// placeholder stands for that directory, at the beginning of a string or behind
// one of the schemes. A slash or the end of the string follows.
const placeholder = "${configuration}"

var schemes = []string{"", "oci:", "file://"}

// portable returns the plan as it stands in a file below dir.
func (p *Plan) portable(dir string) *Plan {
	q := *p
	q.Config = p.Config.seenFrom(dir)
	q.Steps = replaceInSpecs(p.Steps, p.Config.Dir, placeholder)
	return &q
}

// settle is the inverse of portable, for a plan that was read in dir.
func (p *Plan) settle(dir string) {
	p.Config = p.Config.foundAt(dir)
	p.Config.Dir = p.Config.Path
	if strings.HasSuffix(p.Config.Path, ".hcl") {
		p.Config.Dir = filepath.Dir(p.Config.Path)
	}
	if abs, err := filepath.Abs(p.Config.Dir); err == nil {
		p.Config.Dir = abs
	}
	p.Steps = replaceInSpecs(p.Steps, placeholder, p.Config.Dir)
}

// replaceInSpecs replaces a directory at the beginning of strings in the specs
// of steps. It returns the steps themselves where there is nothing to replace.
func replaceInSpecs(steps []Step, from, to string) []Step {
	if from == "" || from == string(filepath.Separator) {
		return steps
	}
	var pairs []string
	for _, scheme := range schemes {
		for _, end := range []string{"/", `"`} {
			pairs = append(pairs, `"`+scheme+inJSON(from)+end, `"`+scheme+inJSON(to)+end)
		}
	}
	replacer, needle := strings.NewReplacer(pairs...), []byte(inJSON(from))
	replaced := make([]Step, len(steps))
	for i, s := range steps {
		if bytes.Contains(s.Spec, needle) {
			s.Spec = json.RawMessage(replacer.Replace(string(s.Spec)))
		}
		replaced[i] = s
	}
	return replaced
}

// inJSON is a text as it stands within a string of JSON.
func inJSON(text string) string {
	data, _ := json.Marshal(text) // a string cannot fail
	return string(data[1 : len(data)-1])
}

// seenFrom is the configuration with relative paths that begin at a directory
// in place of the working directory.
func (id ConfigID) seenFrom(dir string) ConfigID {
	return id.withPaths(func(path string) string {
		from, fromErr := filepath.Abs(dir)
		to, toErr := filepath.Abs(path)
		if rel, err := filepath.Rel(from, to); fromErr == nil && toErr == nil && err == nil {
			return rel
		}
		return path
	})
}

// foundAt is the inverse of seenFrom.
func (id ConfigID) foundAt(dir string) ConfigID {
	return id.withPaths(func(path string) string { return filepath.Join(dir, path) })
}

func (id ConfigID) withPaths(f func(string) string) ConfigID {
	relative := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return f(path)
	}
	id.Path = relative(id.Path)
	files := make([]string, len(id.VarFiles))
	for i, file := range id.VarFiles {
		files[i] = relative(file)
	}
	if len(files) > 0 {
		id.VarFiles = files
	}
	return id
}
