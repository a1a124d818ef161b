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
// one of the schemes. A slash or the end of the string follows. It begins with
// what no script and no path can have, so that nothing else is taken for it.
const placeholder = "\x00configuration"

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
	from, to = inJSON(from), inJSON(to)
	replaced := make([]Step, len(steps))
	for i, s := range steps {
		if bytes.Contains(s.Spec, []byte(from)) {
			s.Spec = replaceInStrings(s.Spec, from, to)
		}
		replaced[i] = s
	}
	return replaced
}

// replaceInStrings does that for all strings of a document of JSON.
func replaceInStrings(doc []byte, from, to string) []byte {
	out := make([]byte, 0, len(doc)+len(doc)/8)
	for len(doc) > 0 {
		begin := bytes.IndexByte(doc, '"') + 1
		if begin == 0 {
			break
		}
		end := begin
		for end < len(doc) && doc[end] != '"' {
			if doc[end] == '\\' {
				end++ // and what it escapes
			}
			end++
		}
		end = min(end+1, len(doc))
		out = append(out, doc[:begin]...)
		out = append(out, replaceInPath(string(doc[begin:end]), from, to)...)
		doc = doc[end:]
	}
	return append(out, doc...)
}

// replaceInPath does that for one string, up to and with the quote at its end.
// One of several lines is a script, which stays as its content key has it.
func replaceInPath(text, from, to string) string {
	for _, scheme := range schemes {
		rest, ok := strings.CutPrefix(text, scheme+from)
		if ok && strings.HasPrefix(rest, "/") && !strings.Contains(rest, `\n`) || ok && rest == `"` {
			return scheme + to + rest
		}
	}
	return text
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
