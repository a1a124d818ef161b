package plan_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// layered is a configuration of n packages, each of which needs up to three
// others, and one image of the last of them.
func layered(n int, version func(i int) string) *config {
	c := newConfig()
	for i := range n {
		var needs []string
		for d := 1; d <= 3; d++ {
			if j := i - d*d*7; j >= 0 {
				needs = append(needs, fmt.Sprintf("p%d", j))
			}
		}
		c.add(fmt.Sprintf("p%d", i), version(i), needs...)
	}
	var last []string
	for i := range min(n, 50) {
		last = append(last, fmt.Sprintf("p%d", n-1-i))
	}
	c.add("target.image.all", "1", last...)
	return c
}

const large = 100_000

// largePlan is one in which all of so many packages are built anew, with
// steps that say as much as real ones do.
func largePlan(b *testing.B) (*plan.Plan, *config, *state.State) {
	b.Helper()
	_, s := deployed(layered(large, func(int) string { return "1.0" }))
	after := layered(large, func(int) string { return "1.1" })
	p := mustPlan(b, request(after, newWorld(), s))
	for i := range p.Steps {
		sum := sha256.Sum256([]byte(p.Steps[i].ID))
		p.Steps[i].Spec, _ = json.Marshal(map[string]any{
			"name": p.Steps[i].Address, "version": "1.1", "root": "/opt/esd", "base": "p-1.1-" + hex.EncodeToString(sum[:]),
			"caches": []any{map[string]any{"name": "shared", "url": "oci://registry.example.org/esd/cache", "push": true}},
			"script": "./configure --prefix=$prefix\nmake -j$jobs\nmake install\n" + hex.EncodeToString(sum[:]),
		})
	}
	if len(p.Changes) != large+1 {
		b.Fatalf("%d changes", len(p.Changes))
	}
	return p, after, s
}

func BenchmarkSave(b *testing.B) {
	p, _, _ := largePlan(b)
	path := filepath.Join(b.TempDir(), "plan")
	for b.Loop() {
		if err := p.Save(path); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB")
	b.ReportMetric(float64(info.Size())/large, "B/change")
}

func BenchmarkLoad(b *testing.B) {
	p, _, _ := largePlan(b)
	path := filepath.Join(b.TempDir(), "plan")
	if err := p.Save(path); err != nil {
		b.Fatal(err)
	}
	p = nil
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		if _, err := plan.Load(path); err != nil {
			b.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/1e6, "MB/load")
}

func BenchmarkVerify(b *testing.B) {
	p, c, s := largePlan(b)
	s = s.Clone()
	s.Serial++
	s.Put(&state.Object{Address: "recipe.else", Kind: "recipe", Key: p.Changes[0].Key})
	req := request(c, newWorld(), s)
	req.Objects = append(req.Objects, &providers.Object{Address: at("site.here"), Kind: "site"})
	req.Config.Digest = "another"
	for b.Loop() {
		if _, err := p.Verify(req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyThatAllGoes(b *testing.B) {
	c := layered(large, func(int) string { return "1.0" })
	_, s := deployed(c)
	req := request(c, newWorld(), s)
	req.Mode = plan.Destroy
	p := mustPlan(b, req)
	req.State = s.Clone()
	req.State.Serial++
	for b.Loop() {
		if _, err := p.Verify(req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPlanWhatItRestsOn(b *testing.B) {
	_, s := deployed(layered(large, func(int) string { return "1.0" }))
	after := layered(large, func(int) string { return "1.1" })
	for b.Loop() {
		mustPlan(b, request(after, newWorld(), s))
	}
}
