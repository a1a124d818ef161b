package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/plan"
)

// LockRef names the spack.lock of an environment by path and content.
type LockRef struct{ Address, Path, SHA256 string }

// Plan reads what a plan will record. What stays as it is, a plan does not say.
// The second result are the locks that its steps work from.
func Plan(name string, p *plan.Plan) (*compare.Inventory, []LockRef) {
	inv := &compare.Inventory{
		Kind: compare.Plan, Name: name, Partial: true, Groups: []*compare.Group{work(p)},
		Notes: []string{"A plan holds only what changes: what it does not mention may be there all the same."},
	}
	if p.State.Lineage != "" {
		inv.Detail = fmt.Sprintf("against serial %d", p.State.Serial)
	}
	var list []*record
	for i := range p.Changes {
		c := &p.Changes[i]
		a, err := addr.Parse(c.Address)
		if err != nil {
			continue
		}
		r := &record{address: a, key: c.Key, action: string(c.Action), asked: c.Asked}
		if c.Record != nil {
			r.inputs, r.needs = c.Record.Inputs, c.Record.Dependencies
			r.version = shown(c.Record.Inputs["version"])
		}
		list = append(list, r)
	}
	refs := lockRefs(p)
	inv.Groups = append(inv.Groups, groupsOf(list)...)
	return inv, refs
}

// work counts what a plan does.
func work(p *plan.Plan) *compare.Group {
	g := &compare.Group{Kind: compare.Work}
	s := p.Summary
	for _, c := range []struct {
		kind string
		n    int
	}{
		{"to build", s.Build}, {"to fetch", s.Fetch}, {"to push", s.Push}, {"reused", s.Reused},
		{"to create", s.Create}, {"to update", s.Update}, {"to destroy", s.Destroy},
	} {
		g.Facts = append(g.Facts, compare.Fact{Kind: c.kind, Value: strconv.Itoa(c.n)})
	}
	if p.Mode != plan.Apply {
		g.Facts = append(g.Facts, compare.Fact{Kind: "mode", Value: string(p.Mode)})
	}
	return g
}

// lockRefs finds the locks that steps name.
func lockRefs(p *plan.Plan) []LockRef {
	seen := map[LockRef]bool{}
	var refs []LockRef
	add := func(r LockRef) {
		if r.Path != "" && r.SHA256 != "" && !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
	}
	for _, s := range p.Steps {
		a, err := addr.Parse(s.Address)
		if err != nil || len(s.Spec) == 0 {
			continue
		}
		if a.Kind == "environment" && slices.ContainsFunc(refs, func(r LockRef) bool { return r.Address == a.Whole().String() }) {
			continue
		}
		var spec struct {
			Lock struct {
				Path   string `json:"path"`
				SHA256 string `json:"sha256"`
			} `json:"lock"`
			Image struct {
				Environments []struct {
					Address string `json:"address"`
					Path    string `json:"lock"`
					SHA256  string `json:"lock_sha256"`
				} `json:"environments"`
			} `json:"image"`
		}
		if json.Unmarshal(s.Spec, &spec) != nil {
			continue
		}
		if a.Kind == "environment" {
			add(LockRef{a.Whole().String(), spec.Lock.Path, spec.Lock.SHA256})
		}
		for _, e := range spec.Image.Environments {
			add(LockRef{e.Address, e.Path, e.SHA256})
		}
	}
	slices.SortFunc(refs, func(a, b LockRef) int { return strings.Compare(a.Address, b.Address) })
	return refs
}
