package providertest_test

import (
	"bytes"
	"context"
	"runtime"

	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/apply"
	"esd/internal/config"
	"esd/internal/oci"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/providertest"
	"esd/internal/providers/registry"
	"esd/internal/sandbox"
	"esd/internal/state"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

const platform = "linux/" + runtime.GOARCH + "/test-1"

// place is a configuration on disk, with the state that its applies leave.
type place struct {
	testing.TB
	dir     string
	sandbox string
	images  map[string]string // pins of base images
	commits map[string]string // pins of refs
	state   *state.State
	logs    string
}

// newPlace writes files into a directory of its own.
func newPlace(t testing.TB, files map[string]string) *place {
	t.Helper()
	p := &place{TB: t, dir: t.TempDir(), logs: t.TempDir(), state: state.New(state.NewID(), "1.0.0")}
	for name, content := range files {
		p.write(name, content)
	}
	return p
}

func (p *place) write(name, content string) {
	p.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.Fatal(err)
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		p.Fatal(err)
	}
}

func (p *place) workDir() string { return filepath.Join(p.dir, ".esd") }

// Image and Commit are what a lock file would say.
func (p *place) Image(reference, _ string) (string, bool) {
	digest, ok := p.images[reference]
	return digest, ok
}

func (p *place) Environment(string) (providers.LockedEnvironment, bool) {
	return providers.LockedEnvironment{}, false
}

func (p *place) Commit(_, ref string) (string, bool) {
	commit, ok := p.commits[ref]
	return commit, ok
}

// resolve reads the configuration as a new process does.
func (p *place) resolve() (providertest.Configuration, hcl.Diagnostics) {
	p.Helper()
	kinds := registry.New(registry.Options{
		Dir: p.dir, WorkDir: p.workDir(), Platform: platform, Sandbox: p.sandbox,
		OCI: oci.Options{Credentials: oci.StaticCredential{}, Retry: oci.RetryPolicy{Attempts: 2, Base: time.Millisecond, Max: time.Millisecond}},
	})
	c, diags := config.Load(config.Options{Path: p.dir, Schemas: kinds.Schemas(), Version: "1.0.0"})
	if diags.HasErrors() {
		return providertest.Configuration{}, diags
	}
	out := providertest.Configuration{Kind: kinds.Kind}
	index := map[addr.Address]*providers.Object{}
	_, more := c.Evaluate(context.Background(), func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		object, diags := kinds[o.Schema.Kind].Resolve(context.Background(), providers.ResolveRequest{
			Address: o.Address, Config: o.Config, Dependencies: o.Dependencies, ModuleDir: o.ModuleDir, Range: o.Range,
			AttributeRange: o.AttributeRange, Object: func(a addr.Address) *providers.Object { return index[a] },
			Pins: p, Recorded: p.state.Get(o.Address.String()),
		})
		if diags.HasErrors() {
			return cty.DynamicVal, diags
		}
		object.PreventDestroy = o.PreventDestroy
		out.Objects = append(out.Objects, object)
		index[o.Address] = object
		return object.Attributes, diags
	})
	return out, append(diags, more...)
}

func (p *place) open(t testing.TB) providertest.Configuration {
	t.Helper()
	c, diags := p.resolve()
	if diags.HasErrors() {
		t.Fatal(diags.Error())
	}
	return c
}

func (p *place) object(address string) *providers.Object {
	p.Helper()
	for _, o := range p.open(p).Objects {
		if o.Address.String() == address {
			return o
		}
	}
	p.Fatalf("there is no %s", address)
	return nil
}

func (p *place) key(address string) string {
	p.Helper()
	return p.object(address).Key
}

func (p *place) plan(change ...func(*plan.Request)) (*plan.Plan, providertest.Configuration, error) {
	p.Helper()
	c := p.open(p)
	req := plan.Request{Mode: plan.Apply, Objects: c.Objects, Kind: c.Kind, State: p.state, ESDVersion: "1.0.0", CPUs: 2}
	for _, f := range change {
		f(&req)
	}
	made, err := plan.Make(context.Background(), req)
	return made, c, err
}

// nowhere is a journal that nobody reads.
type nowhere struct{}

func (nowhere) Append(apply.Entry) error { return nil }

// carryOut applies a plan; the outcome stands in the report.
func (p *place) carryOut(ctx context.Context, made *plan.Plan, c providertest.Configuration) *apply.Report {
	p.Helper()
	report, err := apply.Run(ctx, apply.Options{
		Plan: made, State: p.state, Journal: nowhere{}, CPUs: 2, LogDir: p.logs, Backoff: time.Millisecond,
		Provider: func(kind string) providers.Provider {
			provider, _ := c.Kind(kind).(providers.Provider)
			return provider
		},
	})
	if err != nil {
		p.Fatal(err)
	}
	return report
}

// apply plans and applies, and expects that it succeeds.
func (p *place) apply(change ...func(*plan.Request)) *plan.Plan {
	p.Helper()
	made, c, err := p.plan(change...)
	if err != nil {
		p.Fatal(err)
	}
	if r := p.carryOut(context.Background(), made, c); !r.OK() {
		for _, o := range r.Failed {
			log, _ := os.ReadFile(o.Log)
			p.Fatalf("%s: %v\n%s", o.Step.ID, o.Err, log)
		}
		p.Fatalf("%+v", r)
	}
	return made
}

// failure plans and applies, and expects that a step fails.
func (p *place) failure(change ...func(*plan.Request)) (log string, err error) {
	p.Helper()
	made, c, planErr := p.plan(change...)
	if planErr != nil {
		p.Fatal(planErr)
	}
	r := p.carryOut(context.Background(), made, c)
	if len(r.Failed) == 0 {
		p.Fatal("nothing failed")
	}
	data, _ := os.ReadFile(r.Failed[0].Log)
	return string(data), r.Failed[0].Err
}

// nothingToDo expects that the next plan is empty.
func (p *place) nothingToDo() {
	p.Helper()
	made, _, err := p.plan()
	if err != nil {
		p.Fatal(err)
	}
	if !made.Empty() {
		p.Errorf("there is still to do: %+v", made.Changes)
	}
}

// digest is what was recorded of an object.
func (p *place) digest(address string) string {
	p.Helper()
	o := p.state.Get(address)
	if o == nil {
		p.Fatalf("%s is not recorded", address)
	}
	return o.Attributes.String("digest")
}

// needSandbox skips where builds cannot be kept apart from the machine.
func needSandbox(t testing.TB) {
	t.Helper()
	if box, why, err := sandbox.Choose(sandbox.Probe(context.Background()), ""); err != nil || box.Name() == sandbox.None {
		t.Skipf("this machine has no namespaces: %s %v", why, err)
	}
}

// newRegistry starts a registry in this process.
func newRegistry(t testing.TB) string {
	t.Helper()
	yes := true
	reg := olareg.New(oconfig.Config{
		Log:     slog.New(slog.DiscardHandler),
		Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
		API:     oconfig.ConfigAPI{DeleteEnabled: &yes, Blob: oconfig.ConfigAPIBlob{DeleteEnabled: &yes}},
	})
	srv := httptest.NewServer(reg)
	t.Cleanup(func() {
		srv.Close()
		_ = reg.Close()
	})
	return strings.TrimPrefix(srv.URL, "http://")
}

// read gives the content of a blob that a manifest names.
func readAll(t testing.TB, r io.ReadCloser, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %v, and should say %q", err, w)
		}
	}
}
