package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/providers"
)

func TestAPackageThatOnlyGoesToAnotherCacheIsPushed(t *testing.T) {
	c := newConfig()
	c.add("lib", "1.0").Asked = true
	c.add("target.image.lab", "1", "lib")
	w := newWorld()
	push := providers.Step{Op: "push", Title: "push lib", Provides: []providers.Form{providers.Archive}, Completes: true}
	fetch := providers.Step{Op: "fetch", Title: "fetch lib", Provides: []providers.Form{providers.Installed}, Completes: true}
	for name, test := range map[string]struct {
		steps []providers.Step
		want  plan.Action
		count plan.Summary
	}{
		"only pushed":                           {[]providers.Step{push}, plan.Push, plan.Summary{Push: 1, Create: 1}},
		"one that a build needs too is fetched": {[]providers.Step{fetch, push}, plan.Fetch, plan.Summary{Fetch: 1, Create: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w.planned = map[string]providers.Planned{"recipe.lib": {Steps: test.steps}}
			p := mustPlan(t, request(c, w, nil, func(r *plan.Request) { r.Explain = true }))
			lib, _ := p.Change("recipe.lib")
			if lib.Action != test.want || !lib.Asked || lib.Record == nil {
				t.Errorf("%+v", lib)
			}
			if diff := cmp.Diff(test.count, p.Summary); diff != "" {
				t.Error(diff)
			}
			want := []plan.Demand{{Address: "recipe.lib", By: "target.image.lab", Op: "assemble", Form: providers.Archive}}
			if diff := cmp.Diff(want, p.Demands); diff != "" {
				t.Error(diff)
			}
		})
	}
}
