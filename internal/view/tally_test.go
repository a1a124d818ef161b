package view

import (
	"testing"

	"esd/internal/apply"
	"esd/internal/plan"
)

func TestPackagesThatAreAdoptedCountAsReusedAsInThePlan(t *testing.T) {
	t.Parallel()
	p := emptyPlan()
	p.Changes = []plan.Change{
		{Address: "recipe.a", Kind: "recipe", Action: plan.Adopt}, {Address: "environment.sim/nest@3.8/gdxtm43", Kind: packageKind, Action: plan.Adopt},
		{Address: lab, Kind: "target.image", Action: plan.Adopt},
	}
	p.Summary = plan.Summary{Reused: 2, Adopt: 1}
	if got := tallyOf(&apply.Report{}, p); got.reused != 2 || got.adopted != 1 {
		t.Errorf("%d reused, %d adopted", got.reused, got.adopted)
	}
}
