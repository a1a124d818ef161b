package workspace

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/config"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/state"
)

// PromoteOptions say what is promoted.
type PromoteOptions struct {
	// Targets are targets, environments, or modules of them.
	Targets []addr.Target
	// Force promotes also what no check has passed.
	Force   bool
	NoIndex bool
	// Progress is told of each package; may be nil.
	Progress func(CacheCopyStep)
}

// Promotion is what is to be copied out of quarantines.
type Promotion struct {
	Environments []PromotedEnvironment
	// Unchecked says what --force passes over, a line each.
	Unchecked []string
	Notices   []state.Notice
	Warnings  hcl.Diagnostics
}

// PromotedEnvironment is one environment of a promotion.
type PromotedEnvironment struct {
	Address string
	// Quarantine and its location are where the packages come from.
	Quarantine, Location string
	Packages             int // that are needed to run it
	// CheckedBy are the targets that were made of it, and whose checks passed.
	CheckedBy []string
	Caches    []PromotedCache
}

// PromotedCache is one cache that an environment is promoted to.
type PromotedCache struct {
	Name, Location string
	Packages       []CachePackage // that are to be copied
	There          int
	Bytes          int64
	// Elsewhere counts packages that neither it nor the quarantine has, and another
	// cache of the environment does.
	Elsewhere int

	copying *copying
}

// Empty tells that everything is where it should be.
func (p *Promotion) Empty() bool {
	for _, e := range p.Environments {
		for _, c := range e.Caches {
			if len(c.Packages) > 0 {
				return false
			}
		}
	}
	return true
}

// promoter finds what is to be promoted.
type promoter struct {
	w        *Workspace
	resolved *Resolved
	state    *state.State
	// quarantines are the addresses of caches, by environment.
	quarantines map[addr.Address]addr.Address
	caches      *cache.BuildcacheOpener
	opts        PromoteOptions
	planned     map[string]bool // by cache and hash: what another environment brings
}

// Promote finds what the environments need that their quarantines have and the
// caches with push do not, and whether it may be copied: a target is recorded
// under its content key only when its checks have passed. It writes nothing.
func (w *Workspace) Promote(ctx context.Context, opts PromoteOptions) (*Promotion, error) {
	recorded, notices, err := w.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	p := &promoter{
		w: w, state: recorded, quarantines: map[addr.Address]addr.Address{}, caches: w.buildcaches(), opts: opts, planned: map[string]bool{},
	}
	diags := p.resolve(ctx)
	if diags.HasErrors() {
		return nil, diags
	}
	targets, environments, err := p.meant(opts.Targets)
	if err != nil {
		return nil, err
	}
	unchecked := p.problems(targets, environments)
	if len(unchecked) > 0 && !opts.Force {
		return nil, &PromoteError{unchecked}
	}
	out := &Promotion{Unchecked: unchecked, Notices: notices, Warnings: diags}
	for _, o := range environments {
		e, err := p.environment(ctx, o, targets)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Address, err)
		}
		out.Environments = append(out.Environments, e)
	}
	return out, nil
}

// resolve resolves the configuration, and remembers which environments have a
// quarantine.
func (p *promoter) resolve(ctx context.Context) hcl.Diagnostics {
	r := newResolved(filepath.Dir(p.w.WorkDir))
	p.resolved = r
	evaluated, diags := p.w.Config.Evaluate(ctx, func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		if o.Schema.Kind == environment.Kind {
			for _, a := range providers.Decode(o.Config).Addresses("quarantine") {
				p.quarantines[o.Address] = a
			}
		}
		return p.w.resolve(ctx, r, o, p.state)
	})
	r.Evaluated = evaluated
	return diags
}

// meant finds the environments with a quarantine that are named, or are in what
// is named, and the targets whose checks count: those that are named, and for an
// environment all that contain it.
func (p *promoter) meant(named []addr.Target) (targets, environments []*providers.Object, err error) {
	wantTarget, wantEnvironment := map[addr.Address]bool{}, map[addr.Address]bool{}
	for _, t := range named {
		found := false
		for _, o := range p.resolved.Objects {
			if !t.Matches(o.Address) || o.Address.Package != "" {
				continue
			}
			switch {
			case isTarget(o):
				found, wantTarget[o.Address] = true, true
				for _, a := range p.environmentsOf(o) {
					wantEnvironment[a] = true
				}
			case o.Kind == environment.Kind:
				found, wantEnvironment[o.Address] = true, true
				for _, a := range p.targetsOf(o.Address) {
					wantTarget[a] = true
				}
			}
		}
		if !found {
			return nil, nil, p.unknown(t)
		}
	}
	without := ""
	for _, o := range p.resolved.Objects {
		_, quarantined := p.quarantines[o.Address]
		switch {
		case wantTarget[o.Address]:
			targets = append(targets, o)
		case wantEnvironment[o.Address] && o.Unlocked != "":
			return nil, nil, &plan.UnlockedError{Address: o.Address, Why: o.Unlocked}
		case wantEnvironment[o.Address] && quarantined:
			environments = append(environments, o)
		case wantEnvironment[o.Address]:
			without += ", " + o.Address.String()
		}
	}
	if len(environments) == 0 {
		return nil, nil, noQuarantine(strings.TrimPrefix(without, ", "))
	}
	return targets, environments, nil
}

func noQuarantine(environments string) error {
	if environments == "" {
		return fmt.Errorf("there is nothing to promote: no environment is among what was named, nor in it")
	}
	return fmt.Errorf("there is nothing to promote: %s has no quarantine, so what is built goes to its build caches at once", environments)
}

func (p *promoter) unknown(t addr.Target) error {
	if t.Address.Package != "" {
		return fmt.Errorf("%s is one package: targets and environments are promoted, as checks are of these", t)
	}
	var known []string
	for _, o := range p.resolved.Objects {
		if t.Matches(o.Address) {
			return fmt.Errorf("%s is neither a target nor an environment", t)
		}
		if isTarget(o) || o.Kind == environment.Kind {
			known = append(known, o.Address.String())
		}
	}
	return unknownAddress(t.String(), known)
}

func isTarget(o *providers.Object) bool { return strings.HasPrefix(o.Kind, "target.") }

// environmentsOf are the environments that a target contains.
func (p *promoter) environmentsOf(target *providers.Object) []addr.Address {
	var list []addr.Address
	for _, a := range target.Needs {
		if a.Package == "" && a.Kind == environment.Kind {
			list = append(list, a)
		}
	}
	return list
}

// targetsOf are the targets that contain an environment.
func (p *promoter) targetsOf(environment addr.Address) []addr.Address {
	var list []addr.Address
	for _, o := range p.resolved.Objects {
		if isTarget(o) && slices.Contains(p.environmentsOf(o), environment) {
			list = append(list, o.Address)
		}
	}
	return list
}
