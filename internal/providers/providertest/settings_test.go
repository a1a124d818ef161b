package providertest_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/providers/cache"
	"esd/internal/providers/executor"
)

func TestSettings(t *testing.T) {
	p := newPlace(t, map[string]string{"main.hcl": `
cache "artifact" "z-local" {
  url  = "file://caches/z"
  push = false
}
cache "artifact" "remote" {
  url        = "oci://registry.example.org/cache"
  plain_http = true
  ca_file    = "ca.pem"
}
cache "artifact" "a-local" {
  url = "/a"
}
executor "local" {
  cpus    = 3
  memory  = "2GiB"
  sandbox = "none"
}
site "here" {
  microarchitecture = "zen2"
}
recipe "a" {
  version = site.here.microarchitecture
  script  = "true"
}
`})
	settings := plan.NewSettings(p.open(t).Objects)
	want := []cache.Settings{
		{Name: "a-local", URL: "/a", Push: true}, {Name: "z-local", URL: filepath.Join(p.dir, "caches/z")},
		{Name: "remote", URL: "oci://registry.example.org/cache", Push: true, PlainHTTP: true, CAFile: filepath.Join(p.dir, "ca.pem")},
	}
	if diff := cmp.Diff(want, cache.Of(settings, "/default")); diff != "" {
		t.Errorf("caches, directories before registries: %s", diff)
	}
	if diff := cmp.Diff(executor.Settings{CPUs: 3, Memory: 2 << 30, Sandbox: "none"}, executor.Of(settings)); diff != "" {
		t.Error(diff)
	}
	if title := p.object("recipe.a").Title; title != "a zen2" {
		t.Errorf("attributes of a site can be referred to: %s", title)
	}
	none := plan.NewSettings(nil)
	if diff := cmp.Diff([]cache.Settings{{Name: "default", URL: "/default", Push: true}}, cache.Of(none, "/default")); diff != "" {
		t.Error(diff)
	}
	if got := executor.Of(none); got != (executor.Settings{}) {
		t.Errorf("%+v", got)
	}
}

func TestSettingsThatCannotBeAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"cache \"artifact\" \"x\" {\n  url = \"s3://x\"\n}": `"s3://x" is no place for a cache`,
		"cache \"artifact\" \"x\" {\n  url = \"\"\n}":       `is no place for a cache`,
		"executor \"local\" {\n  cpus = 0\n}":               "a whole number of at least 1",
		"executor \"local\" {\n  cpus = 1.5\n}":             "a whole number of at least 1",
		"executor \"local\" {\n  memory = \"much\"\n}":      "memory",
		"executor \"local\" {\n  sandbox = \"jail\"\n}":     `"jail" is not a sandbox`,
		"executor \"slurm\" {\n  cpus = 1\n}":               "Unknown executor",
	} {
		p := newPlace(t, map[string]string{"main.hcl": text})
		_, diags := p.resolve()
		wantError(t, diags, want)
	}
}
