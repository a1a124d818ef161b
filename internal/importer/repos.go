package importer

import (
	"path/filepath"
	"strings"

	"esd/internal/spack/manifest"
	"esd/internal/spack/manifest/yamlnode"
)

// The Spack that is written where a spack.yaml needs one and does not say
// which: the list form of repos ended with 0.23.
const (
	guessedSpack    = "v1.0.2"
	guessedOldSpack = "v0.23.1"
)

// repos become package repositories of the Spack to use.
func (i *spackImport) repos() error {
	inputs, err := i.m.Inputs()
	if err != nil {
		return err
	}
	var found []packageRepository
	first := ""
	for _, in := range inputs {
		if in.Kind != manifest.InputRepo {
			continue
		}
		if strings.HasPrefix(in.Path, "$spack/") || strings.HasPrefix(in.Path, "${spack}/") {
			i.note(in.Position, "repos:"+in.Path, "it is part of Spack, and comes with it")
			continue
		}
		p, why := i.repository(in)
		if why != "" {
			i.lose(in.Position, "repos:"+in.Path, "%s", why)
			continue
		}
		if p.name != "builtin" {
			found = append(found, p)
		} else {
			found = append([]packageRepository{p}, found...)
		}
		if first == "" {
			first = in.Path
		}
	}
	if len(found) == 0 {
		return nil
	}
	i.spackFor(found)
	if others := len(found); others > 2 {
		i.note(sectionPosition(i.m, "repos"), "repos", "package repositories are asked in the order of their names, builtin last; see that this is the order you want")
	}
	return nil
}

// spackFor puts repositories into the block of the Spack to use.
func (i *spackImport) spackFor(repositories []packageRepository) {
	ref := i.opts.SpackRef
	var above []string
	if ref == "" && len(i.spacks) == 0 {
		ref = guessedSpack
		if repos := i.m.Section("repos"); repos.Kind == yamlnode.List {
			ref = guessedOldSpack
		}
		why := "a spack.yaml does not say which Spack it is for, and package repositories belong to one; this is a guess"
		i.notes = append(i.notes, changed(i.m.Name, sectionPosition(i.m, "repos"), "spack", "%s; set ref to the one you use (or import with --spack REF)", why))
		above = []string{"Not in the spack.yaml, and a guess: set it to the Spack you use."}
	}
	s := i.useSpack(ref, above)
	for _, p := range repositories {
		if p.name == "builtin" && len(s.packages) > 0 && s.packages[0].name == "builtin" {
			s.packages[0] = p
			continue
		}
		s.packages = append(s.packages, p)
	}
}

// repository carries over one package repository, or says why it cannot.
func (i *spackImport) repository(in manifest.Input) (packageRepository, string) {
	p := packageRepository{name: label(in.Name)}
	switch {
	case in.Git != nil:
		p.repository = in.Git.URL
		p.ref = firstOf(in.Git.Commit, in.Git.Tag, in.Git.Branch, "HEAD")
		if len(in.Git.Paths) > 0 {
			p.directory = in.Git.Paths[0]
		}
		if len(in.Git.Paths) > 1 {
			i.lose(in.Position, "repos:"+in.Name+":paths", "of several package repositories in one git repository, %s is taken; give the others blocks of their own", in.Git.Paths[0])
		}
	case in.Why != "":
		return p, in.Why
	case in.Local == "":
		return p, "package repositories are directories or git repositories"
	default:
		place := filepath.FromSlash(in.Local)
		if !filepath.IsAbs(place) {
			place = filepath.Join(filepath.Dir(i.path), place)
			p.path = pathFor(i.opts.Dir, place)
		} else {
			p.path = in.Local
		}
		if in.Name == "" {
			p.name = label(namespaceOf(place))
		}
	}
	return p, ""
}

// namespaceOf reads the name of a package repository from its repo.yaml; the
// name of the directory stands in where there is none.
func namespaceOf(dir string) string {
	if file, err := readYAML(filepath.Join(dir, "repo.yaml")); err == nil {
		if name := file.Root.Get("repo").Get("namespace"); name.IsScalar() {
			return name.Text
		}
	}
	return strings.TrimPrefix(filepath.Base(dir), ".")
}

func firstOf(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
