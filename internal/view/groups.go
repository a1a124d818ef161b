package view

import (
	"cmp"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/plan"
)

// Kinds of objects that are shown in their own ways.
const (
	packageKind     = "package" // of an environment
	environmentKind = "environment"
	targetKinds     = "target." // all kinds that begin so
)

// isTarget tells the objects that a deployment is for from the packages that
// they are made of.
func isTarget(c *plan.Change) bool { return strings.HasPrefix(c.Kind, targetKinds) }

// placeOf takes the address of a package of an environment apart; of others the
// environment is empty and the name is the address.
func placeOf(kind, address string) (environment, name string) {
	if kind != packageKind {
		return "", address
	}
	a, err := addr.Parse(address)
	if err != nil || a.Package == "" {
		return "", address
	}
	return a.Whole().String(), a.Package
}

// actionOrder is the order in which actions on packages are listed.
var actionOrder = [...]plan.Action{
	plan.Build, plan.Fetch, plan.Push, plan.Remove, plan.Forget, plan.Adopt, plan.Refresh, plan.Move, plan.NoOp,
}

// grouped are the changes of a plan as they are shown.
type grouped struct {
	packages              []*packageGroup // those of no environment first
	environments, targets []*plan.Change
}

// packageGroup are the packages of one environment, or those of none.
type packageGroup struct {
	environment string
	n           int
	byAction    map[plan.Action][]*plan.Change // those that were asked for first
}

// groupsOf sorts the changes of a plan. Within each list, the order of the plan
// is kept.
func groupsOf(p *plan.Plan) grouped {
	var g grouped
	groups := map[string]*packageGroup{}
	for i := range p.Changes {
		c := &p.Changes[i]
		switch {
		case isTarget(c):
			g.targets = append(g.targets, c)
			continue
		case c.Kind == environmentKind:
			g.environments = append(g.environments, c)
			continue
		}
		environment, _ := placeOf(c.Kind, c.Address)
		group := groups[environment]
		if group == nil {
			group = &packageGroup{environment: environment, byAction: map[plan.Action][]*plan.Change{}}
			groups[environment] = group
			g.packages = append(g.packages, group)
		}
		group.n++
		group.byAction[c.Action] = append(group.byAction[c.Action], c)
	}
	slices.SortFunc(g.packages, func(a, b *packageGroup) int { return cmp.Compare(a.environment, b.environment) })
	for _, group := range g.packages {
		for _, list := range group.byAction {
			slices.SortStableFunc(list, func(a, b *plan.Change) int { return cmp.Compare(notAsked(a), notAsked(b)) })
		}
	}
	return g
}

func notAsked(c *plan.Change) int {
	if c.Asked {
		return 0
	}
	return 1
}

// title names a group of packages.
func (g *packageGroup) title() string {
	if g.environment == "" {
		return "Packages"
	}
	return "Packages of " + g.environment
}

// name is how a package is called below the title of its group.
func (g *packageGroup) name(c *plan.Change) string {
	if g.environment == "" {
		return c.Address
	}
	return strings.TrimPrefix(c.Address, g.environment+"/")
}

// sharedReason are changes with the same reason and nothing more to say.
type sharedReason struct {
	reason string
	list   []*plan.Change
}

// Limits from which on changes with one reason are told of together.
const (
	maxSingly = 12 // changes with one action that are listed whatever their reasons
	minShared = 5
)

// foldReasons takes those changes out of a list longer than a limit that share
// their reason with others, the most frequent reason first.
func foldReasons(list []*plan.Change, limit int) (single []*plan.Change, shared []sharedReason) {
	if len(list) <= limit {
		return list, nil
	}
	by := map[string][]*plan.Change{}
	for _, c := range list {
		if sharable(c) {
			by[c.Reason] = append(by[c.Reason], c)
		}
	}
	for _, c := range list {
		if !sharable(c) || len(by[c.Reason]) < minShared {
			single = append(single, c)
		}
	}
	for reason, list := range by {
		if len(list) >= minShared {
			shared = append(shared, sharedReason{reason, list})
		}
	}
	slices.SortFunc(shared, func(a, b sharedReason) int {
		return cmp.Or(cmp.Compare(len(b.list), len(a.list)), cmp.Compare(a.reason, b.reason))
	})
	return single, shared
}

func sharable(c *plan.Change) bool { return !c.Drift && c.From == "" && len(moreCauses(c)) == 0 }

// text is the reason of several packages.
func (s sharedReason) text() string {
	for one, many := range map[string]string{"is ": "are ", "was ": "were ", "has ": "have "} {
		if rest, ok := strings.CutPrefix(s.reason, one); ok {
			return many + rest
		}
	}
	return s.reason
}

// askedFirst counts the changes at the head of a list that were asked for.
func askedFirst(list []*plan.Change) int {
	n := 0
	for n < len(list) && list[n].Asked {
		n++
	}
	return n
}
