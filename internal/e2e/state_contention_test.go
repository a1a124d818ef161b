package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// applies is how many runs contend for a state: by hand 200.
func applies() int {
	if n, err := strconv.Atoi(os.Getenv("ESD_TEST_APPLIES")); err == nil {
		return n
	}
	return 8
}

// sharedStack is a configuration with recipes that are applied one by one, each
// by a machine of its own, and a file in which their steps witness when they
// begin and end.
type sharedStack struct {
	text, witness string
}

func newSharedStack(t testing.TB, place statePlace, n int, lease, step string) sharedStack {
	t.Helper()
	witness := filepath.Join(scratch(t), "witness")
	if err := os.WriteFile(witness, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if lease != "" {
		lease = fmt.Sprintf("lease = %q", lease)
	}
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Quote(strconv.Itoa(i))
	}
	if place.script != nil {
		step += "\n    " + place.script("${each.key}")
	}
	return sharedStack{witness: witness, text: fmt.Sprintf(`esd {
  %s
}
recipe "p" {
  for_each = toset([%s])
  version  = "1"
  script   = <<-EOT
    echo begin ${each.key} >> %[3]s
    mkdir -p $prefix && echo ${each.key} > $prefix/file
    %[4]s
    echo end ${each.key} >> %[3]s
  EOT
}
`, strings.ReplaceAll(place.block, "LEASE", lease), strings.Join(names, ", "), witness, step)}
}

// machine is one with the configuration, as a CI job has its own clone.
func (s sharedStack) machine(t testing.TB, place statePlace) *machine {
	t.Helper()
	m := newMachine(t, map[string]string{"esd.hcl": s.text})
	m.env = place.env
	return m
}

// one are the arguments of a run that applies the n-th recipe only.
func (s sharedStack) one(n int, more ...string) []string {
	return append([]string{"apply", "--auto-approve", "--sandbox", "none", "--target", recipeAddress(n)}, more...)
}

func recipeAddress(n int) string { return fmt.Sprintf("recipe.p[%q]", strconv.Itoa(n)) }

func TestRunsThatContendForAStateLoseNothing(t *testing.T) {
	t.Parallel()
	for name, open := range statePlaces {
		t.Run(name, func(t *testing.T) {
			n := applies()
			place := open(t, n+10)
			stack := newSharedStack(t, place, n, "", "sleep 0.01")
			machines := make([]*machine, n)
			for i := range machines {
				machines[i] = stack.machine(t, place)
			}
			begun := time.Now()
			var wg sync.WaitGroup
			for i, m := range machines {
				cmd := m.command(stack.one(i, "--lock-timeout", "20m")...)
				var said bytes.Buffer
				cmd.Stdout, cmd.Stderr = &said, &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					if err := cmd.Wait(); err != nil {
						t.Errorf("run %d: %v\n%s", i, err, said.String())
					}
				})
			}
			wg.Wait()
			took := time.Since(begun)
			order := stack.wantOneAtATime(t, n)
			wantOneChain(t, place.versions(t), order)
			t.Logf("%d runs took %.1f s", n, took.Seconds())
		})
	}
}

// wantOneAtATime reads what the steps have witnessed: no two of them at the
// same time. It returns their order.
func (s sharedStack) wantOneAtATime(t testing.TB, n int) (order []string) {
	t.Helper()
	data, err := os.ReadFile(s.witness)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i := 0; i < len(lines); i += 2 {
		name, ok := strings.CutPrefix(lines[i], "begin ")
		if !ok || i+1 == len(lines) || lines[i+1] != "end "+name {
			t.Fatalf("two held the lock at a time, about line %d of:\n%s", i+1, data)
		}
		order = append(order, name)
	}
	if len(order) != n {
		t.Errorf("%d of %d steps were run", len(order), n)
	}
	return order
}

// wantOneChain expects that the serials of all versions make one chain, each
// written by a holder of its own, and that the objects came in an order.
func wantOneChain(t testing.TB, versions []stateVersion, order []string) {
	t.Helper()
	if len(versions) != len(order) {
		t.Fatalf("%d versions of %d runs", len(versions), len(order))
	}
	holders := map[string]bool{}
	for i, v := range versions {
		if v.Serial != int64(i+1) {
			t.Errorf("the serials are no chain: version %d has serial %d", i+1, v.Serial)
		}
		if v.holder != "" && holders[v.holder] {
			t.Errorf("two versions were written under the lock %s", v.holder)
		}
		holders[v.holder] = true
		if i > 0 && v.previous != "" && v.previous != versions[i-1].digest {
			t.Errorf("serial %d follows %s, not %s", v.Serial, v.previous, versions[i-1].digest)
		}
		if v.Objects == nil && i < len(versions)-1 {
			continue // the place has kept the last document only
		}
		if i > 0 && versions[i-1].Lineage != "" && v.Lineage != versions[i-1].Lineage {
			t.Errorf("serial %d has lineage %s, the one before %s", v.Serial, v.Lineage, versions[i-1].Lineage)
		}
		found := map[string]bool{}
		for _, o := range v.Objects {
			found[o.Address] = true
		}
		for _, name := range order[:i+1] {
			if !found[fmt.Sprintf("recipe.p[%q]", name)] {
				t.Errorf("serial %d lost the update of %s", v.Serial, name)
			}
		}
		if len(found) != i+1 {
			t.Errorf("serial %d has %d objects", v.Serial, len(found))
		}
	}
}
