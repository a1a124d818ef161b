package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"esd/internal/archive"
	"esd/internal/artifact"
)

// fill puts a product for every recipe that a plan would build into the
// directory cache, so that thousands of recipes are as if built, and has them
// all recorded.
func fill(b testing.TB, bin, dir string) {
	b.Helper()
	ctx := context.Background()
	saved := filepath.Join(b.TempDir(), "plan")
	run(b, dir, []int{0}, bin, "plan", "--out", saved)
	data, err := os.ReadFile(saved)
	if err != nil {
		b.Fatal(err)
	}
	var file struct {
		Plan struct {
			Changes []struct{ Address, Key string }
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		b.Fatal(err)
	}
	var product bytes.Buffer
	summary, err := archive.PackFiles(ctx, &product, archive.PackFilesOptions{
		Files: []archive.File{{Target: "/opt/esd/x/data", Content: []byte("x")}}, MTime: time.Unix(0, 0),
	})
	if err != nil {
		b.Fatal(err)
	}
	cache, err := artifact.OpenCache(ctx, filepath.Join(dir, ".esd", "cache"), artifact.Options{})
	if err != nil {
		b.Fatal(err)
	}
	args := []string{"apply", "--auto-approve"}
	for _, c := range file.Plan.Changes {
		_, err := cache.Put(ctx, artifact.Record{
			Key: c.Key, Kind: "recipe", Name: c.Address, Prefix: "/opt/esd/x", Archive: artifact.DescriptorOf(summary), Files: 1,
		}, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(product.Bytes())), nil })
		if err != nil {
			b.Fatal(err)
		}
		args = append(args, "--target", c.Address)
	}
	run(b, dir, []int{0}, bin, args...)
}

// BenchmarkPlanNoOp plans when everything is built and recorded. Every recipe
// is a toplevel of the plan, so each is compared and looked up.
func BenchmarkPlanNoOp(b *testing.B) {
	bin := build(b)
	for _, n := range []int{2000, 5000} {
		dir := b.TempDir()
		layered(b, dir, n)
		fill(b, bin, dir)
		args := []string{"plan"}
		for i := range n {
			args = append(args, "--target", fmt.Sprintf("recipe.p%d", i))
		}
		if out := run(b, dir, []int{0}, bin, args...).stdout; !bytes.Contains(out, []byte("No changes.")) {
			b.Fatalf("not a no-op: %s", tail(out))
		}
		info, err := os.Stat(filepath.Join(dir, ".esd", "esd.state.json"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			measure(b, n, dir, bin, "plan")
			b.ReportMetric(float64(info.Size())/float64(n), "state-B/object")
		})
		b.Run(fmt.Sprint(n, " all"), func(b *testing.B) { measure(b, n, dir, bin, args...) })
	}
}
