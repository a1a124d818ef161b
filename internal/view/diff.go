package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"esd/internal/compare"
	"esd/internal/plan"
)

// Limits of what is listed of a difference on a terminal, of each kind of line
// in each group.
const (
	maxDiffRows   = 60
	maxDiffFields = 6 // changes of one package
	maxDiffNames  = 4 // rows of names of packages that were rebuilt
)

// Difference writes what is different between two inventories for people.
// Equal differences give equal bytes.
func Difference(w io.Writer, d *compare.Difference, o Options) error {
	v := diffView{newPrinter(w, o), d}
	for _, g := range d.Groups {
		if !g.Empty() {
			v.group(g)
		}
	}
	v.notes()
	if d.Empty() {
		v.line(noDifference(d))
		return v.flush()
	}
	v.line(v.paint(bold, DifferenceLine(d.Summary)))
	return v.flush()
}

// DifferenceLine counts what is different. Its shape is fixed: what is no
// package is named only where there is any.
func DifferenceLine(s compare.Summary) string {
	line := fmt.Sprintf("Difference: %s added, %s removed, %s changed, %s rebuilt, %s the same",
		Number(s.Added), Number(s.Removed), Number(s.Changed), Number(s.Rebuilt), Number(s.Same))
	if s.Specs > 0 {
		line += "; " + Plural(s.Specs, "spec")
	}
	if s.Facts > 0 {
		line += "; " + Plural(s.Facts, "other change")
	}
	return line + "."
}

func noDifference(d *compare.Difference) string {
	line := "No difference"
	if n := d.Summary.Same; n > 0 {
		line += ": " + Plural(n, "package")
		if n > 1 {
			line += ", all the same"
		}
	}
	return line + "."
}

// diffView is a difference being written for people.
type diffView struct {
	*printer
	diff *compare.Difference
}

func (v diffView) notes() {
	for _, note := range v.diff.Notes {
		v.wrapped(v.paint(cyan, "Note:")+" ", note)
	}
	if len(v.diff.Notes) > 0 {
		v.line()
	}
}

// group writes what is different in one group.
func (v diffView) group(g *compare.GroupDifference) {
	v.line(v.paint(bold, v.clean(groupTitle(g))), v.paint(dim, groupNote(g)))
	for _, f := range g.Facts {
		v.wrapped("  "+v.sign(factAction(f))+" ", v.diffFact(f))
	}
	for _, s := range g.SpecsAdded {
		v.wrapped("  "+v.sign(plan.Create)+" ", "spec "+s)
	}
	for _, s := range g.SpecsRemoved {
		v.wrapped("  "+v.sign(plan.Remove)+" ", "spec "+s)
	}
	v.changed(g.Changed)
	v.packages(plan.Create, g.Added)
	v.packages(plan.Remove, g.Removed)
	for _, c := range g.Common {
		v.wrapped("  "+v.sign(plan.Update)+" ", v.diffField(c.Field)+": "+Plural(len(c.Packages), "package"))
	}
	for _, r := range g.Rebuilt {
		v.wrapped("  "+v.sign(plan.Refresh)+" ", v.diffRebuilt(r)+": "+Plural(len(r.Packages), "package"))
		v.grid(6, packageNames(r.Packages), maxDiffNames)
	}
	v.line()
}

// groupTitle names a group.
func groupTitle(g *compare.GroupDifference) string {
	address := g.To
	if !g.HasTo {
		address = g.From
	}
	switch {
	case g.Kind == compare.Pins:
		return "Pins"
	case g.Kind == compare.Recipes:
		return "Recipes"
	case g.Kind == compare.Work:
		return "Work"
	case g.Kind == compare.BaseSystem:
		return "Packages of the base"
	case g.Kind == compare.Target && address == "":
		return "Image"
	case address == "":
		return "Packages"
	case g.Kind == compare.Environment:
		return "Packages of " + address
	}
	return address
}

// groupNote says what is to be known of a group beside its title.
func groupNote(g *compare.GroupDifference) string {
	switch {
	case !g.HasFrom:
		return " (new)"
	case !g.HasTo:
		return " (gone)"
	}
	return ""
}

func factAction(f compare.FactChange) plan.Action {
	switch {
	case f.From == nil:
		return plan.Create
	case f.To == nil:
		return plan.Remove
	}
	return plan.Update
}

// diffFact tells of a fact that is another one.
func (o Options) diffFact(f compare.FactChange) string {
	name, text := o.diffFactParts(f)
	return strings.TrimRight(name+" "+text, " ")
}

// diffFactParts are what a fact is about, and what it was and is.
func (o Options) diffFactParts(f compare.FactChange) (name, text string) {
	name = strings.TrimRight(f.Kind+" "+f.Name, " ")
	value := func(f *compare.Fact) string {
		switch {
		case f.Value != "":
			return f.Value
		case f.ID != "" && !f.Hidden:
			return shortContent(f.ID)
		}
		return "none"
	}
	switch {
	case f.From == nil:
		return name, f.To.Value
	case f.To == nil:
		return name, f.From.Value
	case f.From.Value == f.To.Value && f.From.Value != "":
		return name, f.To.Value + " (another build: " + shortContent(f.From.ID) + o.diffArrow() + shortContent(f.To.ID) + ")"
	case f.From.Value == f.To.Value && !strings.Contains(f.To.ID, ":"):
		return name, "changed" // a digest of settings says nothing
	}
	return name, o.diffChange(value(f.From), value(f.To), f.Kind == compare.BaseFact)
}

// diffChange tells what something was and is. Of a distribution, the name is told
// once.
func (o Options) diffChange(from, to string, named bool) string {
	if name, release, ok := strings.Cut(from, " "); ok && named {
		if rest, same := strings.CutPrefix(to, name+" "); same {
			return name + " " + release + o.diffArrow() + rest
		}
	}
	return from + o.diffArrow() + to
}

// shortContent is a digest as people read it.
func shortContent(id string) string {
	algorithm, hex, found := strings.Cut(id, ":")
	if !found {
		return id[:min(len(id), 12)]
	}
	return algorithm + ":" + hex[:min(len(hex), 12)]
}

func (o Options) diffArrow() string { return o.pick(" -> ", " → ") }

// changed lists packages that changed themselves.
func (v diffView) changed(list []compare.Change) {
	width := 0
	for _, c := range list {
		width = max(width, displayWidth(v.clean(c.To.Name)))
	}
	width = min(width, maxAddress)
	asked := 0
	for asked < len(list) && list[asked].Asked() {
		asked++
	}
	for i, c := range list {
		if i == maxDiffRows {
			v.more(plan.Update, len(list)-i)
			return
		}
		if i == asked && asked > 0 {
			v.line("  ", v.paint(dim, "below what was asked for:"))
		}
		v.wrapped("  "+v.sign(plan.Update)+" "+pad(v.clean(c.To.Name), width)+"  ", v.diffFields(c.Fields))
	}
}

func (v diffView) packages(action plan.Action, list []*compare.Package) {
	for i, p := range list {
		if i == maxDiffRows {
			v.more(action, len(list)-i)
			return
		}
		v.line("  ", v.sign(action), " ", v.clean(p.Name), " ", v.clean(p.Version))
	}
}

func (v diffView) more(action plan.Action, n int) {
	v.line("  ", v.sign(action), " ", v.pick("... ", "… "), "and ", Number(n), " more", v.paint(dim, " ("+jsonListsAll+")"))
}

// diffFields tells what changed about a package.
func (o Options) diffFields(list []compare.Field) string {
	texts := make([]string, 0, len(list))
	for i, f := range list {
		if i == maxDiffFields && len(list) > maxDiffFields+1 {
			texts = append(texts, fmt.Sprintf("and %s more", Number(len(list)-i)))
			break
		}
		texts = append(texts, o.diffField(f))
	}
	return strings.Join(texts, ", ")
}

// diffField tells one thing that changed about a package.
func (o Options) diffField(f compare.Field) string {
	change := func(what string) string {
		switch {
		case f.From == "" && f.To == "":
			return what + " changed"
		case f.From == "":
			return what + " " + f.To + " (new)"
		case f.To == "":
			return what + " " + f.From + " (gone)"
		}
		return what + " " + f.From + o.diffArrow() + f.To
	}
	switch f.Kind {
	case compare.VersionField, compare.VariantField:
		return strings.TrimPrefix(change(""), " ")
	case compare.DependencyField:
		switch {
		case f.From == "":
			return "needs " + f.To + " now"
		case f.To == "":
			return "needs " + f.From + " no more"
		}
		return change(f.Name)
	case compare.UseField:
		return "needs " + change(f.Name+" for")
	case compare.ExternalField:
		return o.diffExternal(f)
	case compare.InputField:
		switch {
		case f.From == "" && f.To == compare.Present:
			return f.Name + " added"
		case f.From == compare.Present && f.To == "":
			return f.Name + " removed"
		}
		return change(f.Name)
	case compare.ActionField:
		return cmp.Or(f.From, "kept") + o.diffArrow() + cmp.Or(f.To, "kept")
	case compare.CompilerField, compare.TargetField, compare.OSField, compare.PlatformField, compare.NamespaceField,
		compare.PatchesField, compare.RecipeField:
	}
	return change(string(f.Kind))
}

func (o Options) diffExternal(f compare.Field) string {
	word := func(s string) string {
		if s == "" {
			return "built"
		}
		return "external at " + s
	}
	return word(f.From) + o.diffArrow() + word(f.To)
}

// diffRebuilt says why packages are other builds.
func (o Options) diffRebuilt(r compare.Rebuilt) string {
	if r.Cause == nil {
		return "other builds of the same"
	}
	return "rebuilt because " + r.Cause.To.Name + " " + o.diffField(r.Cause.Fields[0])
}

func packageNames(list []*compare.Package) []string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Name
	}
	return names
}
