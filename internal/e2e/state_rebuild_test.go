package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/buildcache"
	"esd/internal/workspace"
)

// recorded is what the state says of its objects and outputs, but for times.
func (m *machine) recorded() map[string]any {
	m.t.Helper()
	var doc struct {
		Objects json.RawMessage `json:"objects"`
		Outputs map[string]any  `json:"outputs"`
	}
	e := m.want(0, "state", "pull")
	if err := json.Unmarshal([]byte(e.stdout), &doc); err != nil {
		m.t.Fatal(err)
	}
	var objects any
	if err := json.Unmarshal(doc.Objects, &objects); err != nil {
		m.t.Fatal(err)
	}
	untimed(objects)
	return map[string]any{"objects": objects, "outputs": doc.Outputs}
}

// untimed takes out when objects were made.
func untimed(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			untimed(e)
		}
	case map[string]any:
		delete(v, "when")
		for _, e := range v {
			untimed(e)
		}
	}
}

// loseState loses the state and all that this machine remembers of it.
func (m *machine) loseState() {
	m.t.Helper()
	for _, name := range []string{"esd.state.json", "esd.state.json.backup", "seen", "journal"} {
		if err := os.RemoveAll(m.path(".esd", name)); err != nil {
			m.t.Fatal(err)
		}
	}
}

const variedStack = `
locals { levels = { fast = "-O3", small = "-Os" } }
recipe "lib" {
  for_each = local.levels
  version  = "1"
  env      = { FLAGS = each.value }
  script   = "mkdir -p $prefix && echo $FLAGS > $prefix/flags"
}
recipe "tool" {
  version = "2"
  script  = "mkdir -p $prefix/bin && echo tool > $prefix/bin/tool"
}
recipe "app" {
  version     = "3"
  needs       = [recipe.lib["fast"]]
  build_needs = [recipe.tool]
  script      = "mkdir -p $prefix && cat $lib/flags > $prefix/app"
}
`

func TestARebuiltStateSaysWhatTheAppliedOneSaid(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T) *machine{
		"recipes, variants and images": func(t *testing.T) *machine {
			m := newMachine(t, nil)
			m.write(map[string]string{"esd.hcl": variedStack + `
target "image" "lab" {
  for_each = local.levels
  packages = [recipe.lib[each.key], recipe.app]
  publish  = ["oci:dist/lab:${each.key}"]
  lifecycle { prevent_destroy = true }
}
output "digests" { value = { for k, v in target.image.lab : k => v.digest } }
output "secret" {
  value     = "hush"
  sensitive = true
}
`})
			return m
		},
		"two caches and two registries": func(t *testing.T) *machine {
			one, two := newRegistry(t, nil), newRegistry(t, nil)
			m := newMachine(t, nil)
			m.write(map[string]string{"esd.hcl": fmt.Sprintf(`
cache "artifact" "one" { url = "oci://%[1]s/cache" }
cache "artifact" "two" { url = "products" }
%[3]s
target "image" "lab" {
  packages = [recipe.app]
  publish  = ["%[1]s/lab:1", "%[2]s/lab:1"]
}
`, one, two, variedStack)})
			return m
		},
		"an environment, an image and an install tree": func(t *testing.T) *machine {
			s := newToys(8)
			cache := dirCache(t)
			pushToys(t, s, cache, 50, buildcache.Options{})
			tree := filepath.Join(scratch(t), strings.Repeat("tree", 4))
			return toyMachine(t, s, cache, `root = "/opt/sw"`, toyImage("oci:dist/lab:1")+fmt.Sprintf("target \"filesystem\" \"tree\" {\n  packages = [environment.sim]\n  path     = %q\n}\n", tree))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := prepare(t)
			m.apply()
			m.wantNothingToDo()
			want := m.recorded()
			wantSays(t, m.want(0, "state", "rebuild", "--force"), "The state says just that", " 0 not as wanted, 0 lost.")
			for how, lose := range map[string]func(){
				"lost": m.loseState,
				"cut": func() {
					if err := os.Truncate(m.path(".esd", "esd.state.json"), 300); err != nil {
						t.Fatal(err)
					}
				},
			} {
				lose()
				m.want(0, "state", "rebuild", "--force")
				if diff := cmp.Diff(want, m.recorded()); diff != "" {
					t.Errorf("%s: -applied +rebuilt:\n%s", how, diff)
				}
				m.wantNothingToDo()
			}
		})
	}
}

// TestARebuiltStateLeadsToTheSameWork loses at random some of what was made, and
// then has to find the same to do with the state as without it.
func TestARebuiltStateLeadsToTheSameWork(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 21))
	m := newMachine(t, nil)
	m.write(map[string]string{"esd.hcl": variedStack + `
cache "artifact" "products" { url = "products" }
target "image" "lab" {
  for_each = local.levels
  packages = [recipe.lib[each.key], recipe.app]
  publish  = ["oci:dist/lab-${each.key}:1", "oci:copy/lab-${each.key}:1"]
}
output "digests" { value = { for k, v in target.image.lab : k => v.digest } }
`})
	for round := range 8 {
		m.apply()
		records, err := filepath.Glob(m.path("products", "records", "*", "*.json"))
		images, imagesErr := filepath.Glob(m.path("*", "lab-*"))
		if err != nil || imagesErr != nil || len(images) != 4 {
			t.Fatalf("%v %v %v %v", records, images, err, imagesErr)
		}
		for _, path := range append(records, images...) {
			if random.IntN(2) == 0 {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
		}
		before := stepsOf(t, m)
		if round%2 == 0 {
			m.loseState()
		}
		m.want(0, "state", "rebuild", "--force")
		if diff := cmp.Diff(before, stepsOf(t, m)); diff != "" {
			t.Errorf("round %d: steps -with the state +with the rebuilt one:\n%s", round, diff)
		}
	}
}

// stepsOf lists what a plan does.
func stepsOf(t *testing.T, m *machine) []string {
	t.Helper()
	p, err := openStack(t, m.dir).Plan(t.Context(), workspace.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, s := range p.Plan.Steps {
		list = append(list, s.ID)
	}
	slices.Sort(list)
	return list
}
