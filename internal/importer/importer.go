// Package importer writes configurations from what other tools are configured
// with: a spack.yaml, a container definition of spacktainers, a recipe of
// Stackinator. What it cannot carry over it says, with the place and the
// reason, in a list and in the configuration itself.
package importer

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/config"
	"esd/internal/spack/manifest/yamlnode"
)

// Kind is what is imported.
type Kind string

// The kinds. Their names are those of the option --from.
const (
	Detect       Kind = ""             // by what is in the file
	Spack        Kind = "spack"        // a spack.yaml
	Spacktainers Kind = "spacktainers" // a container definition: YAML or .def
	Stackinator  Kind = "stackinator"  // the directory of a recipe
)

// Kinds lists the kinds that can be asked for.
func Kinds() []string { return []string{string(Spack), string(Spacktainers), string(Stackinator)} }

// Options says how to import.
type Options struct {
	From Kind
	// Name is that of the environment or the image; empty for one that is made
	// of the path.
	Name string
	// Dir is where the configuration will stand: paths in it are relative to
	// that.
	Dir string
	// Keep leaves a spack.yaml as it is and refers to it.
	Keep bool
	// SpackRef is the tag, branch or commit of Spack to use; empty if what is
	// imported says it, or nobody does.
	SpackRef string
}

// Result is a configuration.
type Result struct {
	Kind Kind
	Name string // of the configuration: a file name without .hcl
	HCL  []byte
	// Notes are what was not carried over, and what became something else, in
	// the order of the files.
	Notes []Note
}

// Note is a remark about a place in what was imported.
type Note struct {
	yamlnode.Position
	File string // relative to the directory of the configuration
	// Lost tells that something was not carried over.
	Lost bool
	What string // "view", "config:build_stage"
	Why  string
}

// Place is file and line; the file alone for the whole of it.
func (n Note) Place() string {
	if n.Line == 0 {
		return n.File
	}
	return fmt.Sprintf("%s:%d", n.File, n.Line)
}

func (n Note) String() string {
	if n.Lost {
		return fmt.Sprintf("%s: not carried over: %s: %s", n.Place(), n.What, n.Why)
	}
	return fmt.Sprintf("%s: %s: %s", n.Place(), n.What, n.Why)
}

// Import makes a configuration of a file or directory.
func Import(path string, opts Options) (*Result, error) {
	if opts.Dir == "" {
		opts.Dir = "."
	}
	if opts.From == Detect {
		kind, err := detect(path)
		if err != nil {
			return nil, err
		}
		opts.From = kind
	}
	imports := map[Kind]func(string, Options) (*configuration, error){
		Spack: importSpack, Spacktainers: importSpacktainers, Stackinator: importStackinator,
	}
	f, ok := imports[opts.From]
	if !ok {
		return nil, fmt.Errorf("%q is nothing that can be imported; it is one of %s", opts.From, strings.Join(Kinds(), ", "))
	}
	if opts.Keep && opts.From != Spack {
		return nil, fmt.Errorf("only a spack.yaml can be kept as it is; this is imported as %s", opts.From)
	}
	c, err := f(path, opts)
	if err != nil {
		return nil, err
	}
	return c.result(opts)
}

// result renders the configuration.
func (c *configuration) result(opts Options) (*Result, error) {
	text := c.render()
	formatted, diags := config.Format([]byte(text), c.name+".hcl")
	if diags.HasErrors() {
		return nil, fmt.Errorf("the configuration that came of it is refused: %w", diags)
	}
	notes := slices.Clone(c.notes)
	for _, e := range c.environments {
		notes = append(notes, e.notes...)
	}
	for _, t := range c.targets {
		notes = append(notes, t.notes...)
	}
	for i := range notes {
		notes[i].File = relative(opts.Dir, notes[i].File)
	}
	files := map[string]int{} // in the order in which they were read
	for _, n := range notes {
		files[n.File] = cmp.Or(files[n.File], len(files)+1)
	}
	if main := relative(opts.Dir, c.source); files[main] > 0 {
		files[main] = 0
	}
	slices.SortStableFunc(notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(files[a.File], files[b.File]), cmp.Compare(a.Line, b.Line))
	})
	return &Result{Kind: opts.From, Name: c.name, HCL: formatted, Notes: notes}, nil
}

// detect finds out what stands at a path.
func detect(path string) (Kind, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		switch {
		case exists(path, "environments.yaml") || exists(path, "compilers.yaml"):
			return Stackinator, nil
		case isContainerDefinition(path):
			return Spacktainers, nil
		case exists(path, "spack.yaml"):
			return Spack, nil
		}
		return "", fmt.Errorf("%s has neither a spack.yaml nor an environments.yaml; give the file", path)
	}
	if strings.HasSuffix(path, ".def") {
		return Spacktainers, nil
	}
	file, err := readYAML(path)
	if err != nil {
		return "", err
	}
	switch root := file.Root; {
	case root.Has("spacktainer"), root.Has("spack") && isContainerDefinition(path):
		return Spacktainers, nil
	case root.Has("spack"), root.Has("env"):
		return Spack, nil
	case root.Has("easyconfigs"):
		return "", fmt.Errorf("%s lists easyconfigs of EasyBuild; esd installs packages of Spack, and which of those they are cannot be told", path)
	case isRecipeFile(path):
		return "", fmt.Errorf("%s is a file of a Stackinator recipe; give its directory, %s", path, filepath.Dir(path))
	}
	return "", fmt.Errorf(`%s is nothing that is known: a spack.yaml has "spack:" at its top, a container definition of spacktainers too, and a Stackinator recipe is a directory. --from KIND says what it is`, path)
}

// isRecipeFile reports whether a file stands in a Stackinator recipe.
func isRecipeFile(path string) bool {
	names := []string{"config.yaml", "compilers.yaml", "environments.yaml"}
	return slices.Contains(names, filepath.Base(path)) && exists(filepath.Dir(path), "environments.yaml")
}

func exists(elements ...string) bool {
	_, err := os.Stat(filepath.Join(elements...))
	return err == nil
}

// readYAML reads a file of bounded size.
func readYAML(path string) (*yamlnode.File, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return yamlnode.Parse(src, path)
}

var errNoFile = errors.New("it is no regular file")

// readFile reads a file whole, unless it is larger than any description of
// software.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path, errNoFile)
	case info.Size() > yamlnode.MaxSize:
		return nil, fmt.Errorf("%s has %d bytes; more than %d are not read", path, info.Size(), yamlnode.MaxSize)
	}
	return os.ReadFile(path)
}
