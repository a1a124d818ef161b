package plan

import (
	"context"
	"errors"
	"slices"
	"sync"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// observe asks what exists of the objects, all kinds side by side.
func (p *planner) observe(ctx context.Context, objects []int) error {
	slices.Sort(objects) // dependency order
	byKind := map[string][]*providers.Object{}
	provider := map[string]providers.Provider{}
	for _, i := range objects {
		p.asked[i] = true
		o := p.objects[i]
		if p.req.NoRefresh && !unrecorded(p.provider[i]) {
			p.observed[o.Address] = trustRecord(o, p.provider[i], p.recorded[i])
			continue
		}
		byKind[o.Kind] = append(byKind[o.Kind], o)
		provider[o.Kind] = p.provider[i]
	}
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	kinds := sortedKeys(byKind)
	errs := make([]error, len(kinds)) // by kind, so that errors come in the same order each time
	for k, kind := range kinds {
		wg.Go(func() {
			found, err := provider[kind].Observe(ctx, providers.ObserveRequest{
				Objects: byKind[kind], Recorded: p.recordedAt, Settings: p.settings,
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs[k] = &ObserveError{kind, err}
			}
			for a, o := range found {
				p.observed[a] = o
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// trustRecord is the observation of an object that nobody asks about.
func trustRecord(o *providers.Object, provider providers.Provider, recorded *state.Object) providers.Observation {
	if recorded == nil {
		return providers.Observation{}
	}
	obs := providers.Observation{Exists: true, Key: recorded.Key, Attributes: recorded.Attributes}
	if recorded.Key == o.Key {
		obs.Forms = map[providers.Form]string{provider.DefaultForm(): "the state"}
	}
	return obs
}

// closure is the objects given and all that they depend on, as far as they
// were not asked about.
func (p *planner) closure(objects []int) []int {
	seen := make([]bool, len(p.objects))
	var out []int
	var visit func(i int)
	stack := slices.Clone(objects)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		if !p.asked[i] { // one that is known leads to others all the same
			out = append(out, i)
		}
		for _, dep := range p.objects[i].Dependencies {
			if d, ok := p.index[dep]; ok {
				stack = append(stack, d)
			}
		}
	}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		visit(i)
	}
	return out
}

func addressOf(s string) addr.Address {
	a, _ := addr.Parse(s)
	return a
}
