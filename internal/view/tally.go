package view

import (
	"fmt"

	"esd/internal/apply"
	"esd/internal/plan"
)

// tally counts what a run did to objects, and the steps that it did not do.
type tally struct {
	built, fetched, reused           int
	created, updated, destroyed      int
	pushed                           int
	adopted, forgotten, refreshed    int
	moved, failedSteps, skippedSteps int
	actions                          actionCounts
}

// actionCounts counts actions in Terraform's words.
type actionCounts struct{ create, update, remove int }

func (n *actionCounts) add(c *plan.Change) {
	switch terraformActions(c)[0] {
	case "create":
		n.create++
	case "update":
		n.update++
	case "delete":
		n.remove++
	}
}

// actionsOf counts what a plan does, in Terraform's words.
func actionsOf(p *plan.Plan) (n actionCounts) {
	for i := range p.Changes {
		n.add(&p.Changes[i])
	}
	return n
}

// tallyOf compares a plan with what became of it. An object counts when all
// its steps are done; one whose steps found all done before counts as reused.
func tallyOf(r *apply.Report, p *plan.Plan) tally {
	t := tally{reused: p.Summary.Reused, failedSteps: len(r.Failed), skippedSteps: len(r.Skipped)}
	broken := map[string]bool{}
	for _, list := range [][]apply.Outcome{r.Failed, r.Skipped} {
		for _, o := range list {
			broken[o.Step.Address] = true
		}
	}
	worked := make(map[string]bool, len(r.Done))
	for _, o := range r.Done {
		worked[o.Step.Address] = worked[o.Step.Address] || !o.Reused
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if broken[c.Address] {
			continue
		}
		didWork, stepped := worked[c.Address]
		t.count(c, !stepped || didWork)
	}
	return t
}

func (t *tally) count(c *plan.Change, worked bool) {
	if worked {
		t.actions.add(c)
	}
	switch c.Action {
	case plan.Build, plan.Fetch, plan.Push:
		switch {
		case !worked:
			t.reused++
		case c.Action == plan.Build:
			t.built++
		case c.Action == plan.Fetch:
			t.fetched++
		default:
			t.pushed++
		}
	case plan.Create:
		t.created++
	case plan.Update:
		t.updated++
	case plan.Remove:
		t.destroyed++
	case plan.Adopt:
		if c.Kind != packageKind && c.Kind != "recipe" { // which the plan has counted as reused
			t.adopted++
		}
	case plan.Forget:
		t.forgotten++
	case plan.Refresh:
		t.refreshed++
	case plan.Move:
		t.moved++
	case plan.NoOp:
	}
}

// counts has the shape of the plan's summary line, in the past.
func (t tally) counts() string {
	s := fmt.Sprintf("%d built, %d fetched, %d reused; %d created, %d updated, %d destroyed",
		t.built, t.fetched, t.reused, t.created, t.updated, t.destroyed)
	for _, rare := range []struct {
		n    int
		verb string
	}{{t.pushed, "pushed"}, {t.adopted, "adopted"}, {t.forgotten, "forgotten"}, {t.refreshed, "refreshed"}, {t.moved, "moved"}} {
		if rare.n > 0 {
			s += fmt.Sprintf(", %d %s", rare.n, rare.verb)
		}
	}
	return s + fmt.Sprintf("; %d failed, %d skipped", t.failedSteps, t.skippedSteps)
}

// headline says how a run ended.
func headline(r *apply.Report, p *plan.Plan) string {
	what := "Apply"
	switch p.Mode {
	case plan.Destroy:
		what = "Destroy"
	case plan.RefreshOnly:
		what = "Refresh"
	case plan.Apply:
	}
	end := "complete"
	switch {
	case r.Unrecorded:
		end = "not recorded"
	case r.Interrupted:
		end = "interrupted"
	case len(r.Failed) > 0:
		end = "failed"
	case len(r.Skipped) > 0:
		end = "incomplete"
	}
	return what + " " + end
}
