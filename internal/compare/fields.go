package compare

import (
	"cmp"
	"slices"
	"strings"

	"esd/internal/spack"
)

// fieldsOf tells what changed about a package itself.
func fieldsOf(from, to *Package) []Field {
	var f fields
	f.value(VersionField, "", from.Version, to.Version)
	f.value(ActionField, "", from.Action, to.Action)
	a, b := from.Detail, to.Detail
	if a == nil || b == nil {
		return f
	}
	same := a.Generation == b.Generation
	f.parameters(a.Parameters, b.Parameters)
	if same || a.Compiler != "" && b.Compiler != "" {
		f.value(CompilerField, "", a.Compiler, b.Compiler)
	}
	f.value(TargetField, "", a.Target, b.Target)
	f.value(OSField, "", a.OS, b.OS)
	f.value(PlatformField, "", a.Platform, b.Platform)
	f.needs(from.Needs, to.Needs, same)
	f.value(ExternalField, "", a.External, b.External)
	f.value(NamespaceField, "", a.Namespace, b.Namespace)
	if from.Version == to.Version { // else nobody expects others
		f.changed(PatchesField, a.Patches, b.Patches)
		f.changed(RecipeField, a.Recipe, b.Recipe)
	}
	f.inputs(a.Inputs, b.Inputs)
	return f
}

type fields []Field

// value notes a change of something that can be shown.
func (f *fields) value(kind FieldKind, name, from, to string) {
	if from != to {
		*f = append(*f, Field{kind, name, from, to})
	}
}

// changed notes a change of something that is known by a digest only.
func (f *fields) changed(kind FieldKind, from, to string) {
	if from != to {
		*f = append(*f, Field{Kind: kind})
	}
}

// quiet are parameters that are told in another way: patches by themselves.
const patchesParameter = "patches"

// parameters compares variants and flags.
func (f *fields) parameters(from, to []spack.Parameter) {
	if slices.EqualFunc(from, to, sameParameter) {
		return
	}
	for _, p := range from {
		i := indexOf(to, p.Name)
		switch {
		case p.Name == patchesParameter:
		case i < 0 && len(p.Values) > 0:
			f.value(VariantField, p.Name, p.String(), "")
		case i >= 0 && !slices.Equal(p.Values, to[i].Values):
			f.value(VariantField, p.Name, p.String(), to[i].String())
		}
	}
	for _, p := range to {
		if p.Name != patchesParameter && len(p.Values) > 0 && indexOf(from, p.Name) < 0 {
			f.value(VariantField, p.Name, "", p.String())
		}
	}
}

func sameParameter(a, b spack.Parameter) bool {
	return a.Name == b.Name && slices.Equal(a.Values, b.Values)
}

func indexOf(list []spack.Parameter, name string) int {
	return slices.IndexFunc(list, func(p spack.Parameter) bool { return p.Name == name })
}

// need is what a package needs under one name. There may be two packages of
// one name, for different uses.
type need struct {
	name, use, virtuals, ids string
}

// needsByName are dependencies sorted by name.
func needsByName(edges []spack.Edge) []need {
	list := make([]need, len(edges))
	for i, e := range edges {
		list[i] = need{e.Name, e.Types.String(), strings.Join(e.Virtuals, ","), string(e.Hash)}
	}
	slices.SortFunc(list, func(a, b need) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.use, b.use), strings.Compare(a.ids, b.ids))
	})
	out := list[:0]
	for _, n := range list {
		if last := len(out) - 1; last >= 0 && out[last].name == n.name {
			out[last].use += " and " + n.use
			out[last].virtuals += "," + n.virtuals
			out[last].ids += " " + n.ids
			continue
		}
		out = append(out, n)
	}
	return out
}

// needs compares dependencies by name. One that takes the place of another, as
// one implementation of MPI does that of another, is one change.
//
// Specs of different generations write compilers in different ways, so these
// and what comes with them are left out then.
func (f *fields) needs(from, to []spack.Edge, same bool) {
	if slices.EqualFunc(from, to, sameUse) {
		return
	}
	a, b := needsByName(from), needsByName(to)
	if !same {
		a, b = slices.DeleteFunc(a, ofCompiler), slices.DeleteFunc(b, ofCompiler)
	}
	var gone, fresh []need
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && a[i].name < b[j].name:
			gone = append(gone, a[i])
			i++
		case i == len(a) || b[j].name < a[i].name:
			fresh = append(fresh, b[j])
			j++
		default:
			if same {
				f.value(UseField, a[i].name, a[i].use, b[j].use)
			}
			i++
			j++
		}
	}
	for _, g := range gone {
		at := slices.IndexFunc(fresh, func(n need) bool { return shared(g.virtuals, n.virtuals) != "" })
		if at < 0 {
			f.value(DependencyField, g.name, g.name, "")
			continue
		}
		f.value(DependencyField, shared(g.virtuals, fresh[at].virtuals), g.name, fresh[at].name)
		fresh = slices.Delete(fresh, at, at+1)
	}
	for _, n := range fresh {
		f.value(DependencyField, n.name, "", n.name)
	}
}

func sameUse(a, b spack.Edge) bool {
	return a.Name == b.Name && a.Types == b.Types && slices.Equal(a.Virtuals, b.Virtuals)
}

// ofCompiler reports whether a dependency is a compiler or comes with one.
func ofCompiler(n need) bool {
	switch n.name {
	case "compiler-wrapper", "gcc-runtime", "glibc", "musl":
		return true
	}
	return slices.ContainsFunc(strings.Split(n.virtuals, ","), isLanguage)
}

// isLanguage tells what compilers provide (Spack's virtual packages).
func isLanguage(virtual string) bool {
	return virtual == "c" || virtual == "cxx" || virtual == "fortran"
}

// shared is the first virtual package that both provide. Compilers are told as
// such.
func shared(a, b string) string {
	for v := range strings.SplitSeq(a, ",") {
		if v != "" && !isLanguage(v) && slices.Contains(strings.Split(b, ","), v) {
			return v
		}
	}
	return ""
}

// inputs compares the inputs of a recipe. Those that can be shown begin with
// an equals sign.
func (f *fields) inputs(from, to map[string]string) {
	for _, name := range unionOfKeys(from, to) {
		a, b := from[name], to[name]
		x, shownA := strings.CutPrefix(a, "=")
		y, shownB := strings.CutPrefix(b, "=")
		switch {
		case a == b:
		case a == "" && !shownB:
			*f = append(*f, Field{InputField, name, "", Present})
		case b == "" && !shownA:
			*f = append(*f, Field{InputField, name, Present, ""})
		case (shownA || a == "") && (shownB || b == ""):
			*f = append(*f, Field{InputField, name, x, y})
		default:
			*f = append(*f, Field{Kind: InputField, Name: name})
		}
	}
}

func unionOfKeys[V any](a, b map[string]V) []string {
	names := make([]string, 0, len(a)+len(b))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
