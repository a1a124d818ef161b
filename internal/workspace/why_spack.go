package workspace

import (
	"cmp"
	"maps"
	"slices"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// WhyDemand tells for whom an object is needed in one form.
type WhyDemand struct {
	Form providers.Form `json:"form"`
	// Op is the operation that needs it: "build", "assemble".
	Op string   `json:"op"`
	By []string `json:"by"`
}

// WhyPackage is what there is to tell of a package of an environment.
type WhyPackage struct {
	// Environment is its address.
	Environment string `json:"environment"`
	// Asked are the specs of the environment that ask for the package.
	Asked []string `json:"asked,omitempty"`
	// Path leads from the package up to one that was asked for, through packages
	// that need each other to run, or that are built with each other.
	Path []WhyStep `json:"path,omitempty"`
	// Built and Fetched are what building the package brings in, directly or
	// because of what it brings in: packages to build before, and packages to
	// fetch from caches.
	Built   []string `json:"built,omitempty"`
	Fetched []string `json:"fetched,omitempty"`
}

// WhyStep is one package on the way to one that was asked for.
type WhyStep struct {
	Address string `json:"address"`
	// For tells how the package before it is needed: "run", or "build".
	For string `json:"for,omitempty"`
}

// WhyEnvironment is what there is to tell of an environment.
type WhyEnvironment struct {
	// Packages is how many are needed to run it.
	Packages int `json:"packages"`
	// Missing are those that are not where they should be.
	Missing []WhyMissing `json:"missing,omitempty"`
}

// WhyMissing is a package that is not where it should be.
type WhyMissing struct {
	Address string      `json:"address"`
	Action  plan.Action `json:"action"`
	Reason  string      `json:"reason"`
}

// demandsOn lists who needs an object, by form and operation.
func (e *explainer) demandsOn(address string) []WhyDemand {
	var list []WhyDemand
	for _, d := range e.demands[address] {
		i := slices.IndexFunc(list, func(w WhyDemand) bool { return w.Form == d.Form && w.Op == d.Op })
		if i < 0 {
			i = len(list)
			list = append(list, WhyDemand{Form: d.Form, Op: d.Op})
		}
		list[i].By = append(list[i].By, d.By)
	}
	for i := range list {
		slices.Sort(list[i].By)
	}
	slices.SortFunc(list, func(a, b WhyDemand) int { return cmp.Or(cmp.Compare(a.Form, b.Form), cmp.Compare(a.Op, b.Op)) })
	return list
}

// environment tells which packages of an environment are missing: those that
// were asked for first.
func (e *explainer) environment(o *providers.Object) *WhyEnvironment {
	w := &WhyEnvironment{}
	asked := map[string]bool{}
	for _, dep := range o.Dependencies {
		if dep.Package == "" {
			continue
		}
		w.Packages++
		c, changes := e.changes[dep.String()]
		if !changes || !slices.ContainsFunc(e.needs[o.Address.String()], func(d plan.Demand) bool { return d.Address == c.Address }) {
			continue
		}
		if c.Action == plan.Fetch {
			continue // a build needs it, and a cache has it
		}
		asked[c.Address] = c.Asked
		w.Missing = append(w.Missing, WhyMissing{c.Address, c.Action, c.Reason})
	}
	slices.SortStableFunc(w.Missing, func(a, b WhyMissing) int {
		return cmp.Or(-cmp.Compare(digit(asked[a.Address]), digit(asked[b.Address])), cmp.Compare(a.Address, b.Address))
	})
	return w
}

func digit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// pkg tells why a package is in an environment, and what building it brings in.
func (e *explainer) pkg(o *providers.Object) *WhyPackage {
	w := &WhyPackage{Environment: o.Address.Whole().String()}
	if lock := e.locked(o.Address.Whole()); lock != nil {
		w.Asked, w.Path = e.origin(lock, o.Address)
	}
	address := o.Address.String()
	if e.changes[address].Action != plan.Build {
		return w
	}
	for _, need := range e.broughtBy(address) {
		switch e.changes[need].Action {
		case plan.Build:
			w.Built = append(w.Built, need)
		case plan.Fetch:
			w.Fetched = append(w.Fetched, need)
		default:
		}
	}
	return w
}

// broughtBy lists what a package needs, directly and indirectly, sorted.
func (e *explainer) broughtBy(address string) []string {
	seen := map[string]bool{}
	for stack := []string{address}; len(stack) > 0; {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, d := range e.needs[at] {
			if !seen[d.Address] {
				seen[d.Address] = true
				stack = append(stack, d.Address)
			}
		}
	}
	delete(seen, address)
	return slices.Sorted(maps.Keys(seen))
}

// lockedPackages are the packages of a lock by what they are called in addresses,
// and who depends on each.
type lockedPackages struct {
	lock      *lockfile.Lock
	addresses map[spack.Hash]addr.Address
	hashes    map[string]spack.Hash // by address
	users     map[spack.Hash][]user
}

type user struct {
	hash  spack.Hash
	types spack.DepTypes
}

// locked reads the lock of an environment; nil if that is not possible, which
// planning would have told.
func (e *explainer) locked(a addr.Address) *lockedPackages {
	if known, ok := e.locks[a.String()]; ok {
		return known
	}
	e.locks[a.String()] = nil
	o := e.Resolved.Object(a)
	if o == nil {
		return nil
	}
	env, ok := environment.Of(o)
	if !ok {
		return nil
	}
	read, err := ReadSpackLock(env.LockPath)
	if err != nil {
		return nil
	}
	lock, err := lockfile.Parse(read.Data)
	if err != nil {
		return nil
	}
	l := &lockedPackages{lock, map[spack.Hash]addr.Address{}, map[string]spack.Hash{}, map[spack.Hash][]user{}}
	for _, hash := range lock.Order {
		s := lock.Specs[hash]
		for _, written := range []string{hash.Short(), string(hash)} {
			named := a
			named.Package = s.Name + "@" + s.Version + "/" + written
			if part := e.Resolved.Object(named); part != nil {
				l.addresses[hash], l.hashes[named.String()] = named, hash
			}
		}
		for _, edge := range s.Dependencies {
			l.users[edge.Hash] = append(l.users[edge.Hash], user{hash, edge.Types})
		}
	}
	e.locks[a.String()] = l
	return l
}

// origin gives the specs that ask for a package, or else the shortest way up to
// one that was asked for. Packages that are not built have no need of what only
// building them would take.
func (e *explainer) origin(l *lockedPackages, a addr.Address) (asked []string, path []WhyStep) {
	start, known := l.hashes[a.String()]
	if !known {
		return nil, nil
	}
	roots := map[spack.Hash]bool{}
	for _, r := range l.lock.AllRoots() {
		roots[r.Hash] = true
		if r.Hash == start {
			asked = append(asked, r.Spec)
		}
	}
	if len(asked) > 0 {
		return asked, nil
	}
	before := map[spack.Hash]user{start: {}}
	for queue := []spack.Hash{start}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		if roots[at] {
			return nil, l.way(before, at)
		}
		for _, u := range l.users[at] {
			if _, seen := before[u.hash]; seen || u.types&spack.LinkRun == 0 && !e.built(l, u.hash) {
				continue
			}
			before[u.hash] = user{at, u.types}
			queue = append(queue, u.hash)
		}
	}
	return nil, nil
}

func (e *explainer) built(l *lockedPackages, hash spack.Hash) bool {
	return e.changes[l.addresses[hash].String()].Action == plan.Build
}

// way writes a search down, from where it began to where it ended.
func (l *lockedPackages) way(before map[spack.Hash]user, end spack.Hash) []WhyStep {
	var path []WhyStep
	for at := end; at != ""; at = before[at].hash {
		step := WhyStep{Address: l.addresses[at].String()}
		switch types := before[at].types; {
		case before[at].hash == "":
		case types&spack.LinkRun != 0:
			step.For = "run"
		default:
			step.For = "build"
		}
		path = append(path, step)
	}
	slices.Reverse(path)
	return path
}
