package graph

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestResourcesAreNeverExceeded(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 9))
			nodes, edges := randomGraph(rng, 40)
			d := build(t, nodes, edges)
			capacity := Resources{CPUs: rng.IntN(8), Memory: rng.Int64N(3) * 1000} // 0 is no limit
			demand := make([]Resources, d.Len())
			for node := range demand {
				demand[node] = Resources{CPUs: rng.IntN(12) - 1, Memory: rng.Int64N(1500)}
			}
			var mu sync.Mutex
			var used Resources
			change := func(node, sign int) {
				mu.Lock()
				defer mu.Unlock()
				// A node that wants more than there is takes all there is.
				used.CPUs += sign * max(0, min(demand[node].CPUs, capacity.CPUs))
				used.Memory += int64(sign) * min(demand[node].Memory, capacity.Memory)
				if used.CPUs > capacity.CPUs || used.Memory > capacity.Memory {
					t.Errorf("used %+v of %+v", used, capacity)
				}
			}
			opts := WalkOptions{Workers: 10, Capacity: capacity, Demand: func(node int) Resources { return demand[node] }}
			_, err := Walk(t.Context(), d, opts, func(_ context.Context, node int) error {
				change(node, +1)
				time.Sleep(time.Duration(1+node%7) * time.Second)
				change(node, -1)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestALargeNodeIsNotPassedForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := New()
		b.AddNode("0 first small")
		b.AddNode("1 large")
		for i := range 200 {
			b.AddNode(fmt.Sprintf("2 small %03d", i))
		}
		d, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var started []string
		opts := WalkOptions{Workers: 4, Capacity: Resources{CPUs: 4}, Demand: func(node int) Resources {
			if d.ID(node) == "1 large" {
				return Resources{CPUs: 100} // more than there is
			}
			return Resources{CPUs: 1}
		}}
		if _, err := Walk(t.Context(), d, opts, func(_ context.Context, node int) error {
			mu.Lock()
			started = append(started, d.ID(node))
			mu.Unlock()
			time.Sleep(time.Duration(1+node%3) * time.Second)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if at := slices.Index(started, "1 large"); at < 4 || at > overtakeLimit+1 {
			t.Errorf("the large node started as number %d, want after some small ones but at most %d", at, overtakeLimit+1)
		}
	})
}
