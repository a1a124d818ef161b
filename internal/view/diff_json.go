package view

import (
	"io"

	"esd/internal/compare"
)

// DifferenceJSON writes what is different between two inventories as one JSON
// document (formats.md). Equal differences give equal bytes.
func DifferenceJSON(w io.Writer, d *compare.Difference) error {
	doc := newDocument(w)
	doc.member("format_version", FormatVersion)
	doc.member("different", !d.Empty())
	doc.member("from", d.From)
	doc.member("to", d.To)
	doc.member("summary", d.Summary)
	doc.member("notes", append([]string{}, d.Notes...))
	doc.list("groups", len(d.Groups), func(i int) any { return groupJSONOf(d.Groups[i]) })
	return doc.close()
}

type groupJSON struct {
	Kind compare.GroupKind `json:"kind"`
	From *string           `json:"from"` // address; null where it is not there
	To   *string           `json:"to"`

	Different    bool              `json:"different"`
	Summary      compare.Summary   `json:"summary"`
	SpecsAdded   []string          `json:"specs_added,omitempty"`
	SpecsRemoved []string          `json:"specs_removed,omitempty"`
	Facts        []factJSON        `json:"facts,omitempty"`
	Changed      []changedJSON     `json:"changed,omitempty"`
	Added        []diffPackageJSON `json:"added,omitempty"`
	Removed      []diffPackageJSON `json:"removed,omitempty"`
	Common       []commonJSON      `json:"common,omitempty"`
	Rebuilt      []rebuiltJSON     `json:"rebuilt,omitempty"`
}

type factJSON struct {
	Kind string     `json:"kind"`
	Name string     `json:"name,omitempty"`
	From *valueJSON `json:"from"`
	To   *valueJSON `json:"to"`
}

type valueJSON struct {
	Value string `json:"value,omitempty"`
	ID    string `json:"id,omitempty"`
}

type diffPackageJSON struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Hash    string `json:"hash,omitempty"`
	Asked   bool   `json:"asked,omitempty"`
}

type changedJSON struct {
	Name   string          `json:"name"`
	From   diffPackageJSON `json:"from"`
	To     diffPackageJSON `json:"to"`
	Fields []compare.Field `json:"fields"`
}

type commonJSON struct {
	Field    compare.Field     `json:"field"`
	Packages []diffPackageJSON `json:"packages"`
}

type rebuiltJSON struct {
	Cause    *changedJSON      `json:"cause"`
	Packages []diffPackageJSON `json:"packages"`
}

func groupJSONOf(g *compare.GroupDifference) groupJSON {
	out := groupJSON{
		Kind: g.Kind, Different: !g.Empty(), Summary: g.Summary, SpecsAdded: g.SpecsAdded, SpecsRemoved: g.SpecsRemoved,
		Added: packagesJSON(g.Added), Removed: packagesJSON(g.Removed),
	}
	if g.HasFrom {
		out.From = &g.From
	}
	if g.HasTo {
		out.To = &g.To
	}
	for _, f := range g.Facts {
		out.Facts = append(out.Facts, factJSON{f.Kind, f.Name, valueJSONOf(f.From), valueJSONOf(f.To)})
	}
	for i := range g.Changed {
		out.Changed = append(out.Changed, changedJSONOf(&g.Changed[i]))
	}
	for _, c := range g.Common {
		out.Common = append(out.Common, commonJSON{c.Field, packagesJSON(c.Packages)})
	}
	for _, r := range g.Rebuilt {
		shown := rebuiltJSON{Packages: packagesJSON(r.Packages)}
		if r.Cause != nil {
			cause := changedJSONOf(r.Cause)
			shown.Cause = &cause
		}
		out.Rebuilt = append(out.Rebuilt, shown)
	}
	return out
}

func valueJSONOf(f *compare.Fact) *valueJSON {
	if f == nil {
		return nil
	}
	if f.Hidden {
		return &valueJSON{Value: f.Value}
	}
	return &valueJSON{f.Value, f.ID}
}

func changedJSONOf(c *compare.Change) changedJSON {
	return changedJSON{c.To.Name, packageJSONOf(c.From), packageJSONOf(c.To), c.Fields}
}

func packageJSONOf(p *compare.Package) diffPackageJSON {
	return diffPackageJSON{p.Name, p.Version, p.ID, p.Asked}
}

func packagesJSON(list []*compare.Package) []diffPackageJSON {
	out := make([]diffPackageJSON, len(list))
	for i, p := range list {
		out[i] = packageJSONOf(p)
	}
	return out
}
