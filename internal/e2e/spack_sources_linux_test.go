package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"esd/internal/spack/testrepo"
	"esd/internal/spack/transport"
	"esd/internal/spack/transport/s3test"
)

// TestSourcesOnS3WithRealSpack brings sources, a checkout among them, into a bucket on
// one machine, and builds on another from there, where nothing else can be reached.
func TestSourcesOnS3WithRealSpack(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	for name, serve := range map[string]func(t *testing.T) transport.S3Options{
		"S3":        func(t *testing.T) transport.S3Options { return s3test.NewFake().Serve(t) },
		"versitygw": func(t *testing.T) transport.S3Options { return s3test.Versity(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s3 := serve(t)
			eachRealSpack(t, func(t *testing.T, s realSpack) { testSourcesOnS3(t, s, s3) })
		})
	}
}

func testSourcesOnS3(t *testing.T, s realSpack, s3 transport.S3Options) {
	m := newMachine(t, nil)
	repo := m.top("toys")
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.FileServer(http.Dir(filepath.Join(repo, "sources"))).ServeHTTP(w, r)
	}))
	defer server.Close()
	if _, err := testrepo.Write(repo, testrepo.Options{API: s.api, BaseURL: server.URL, Git: true}); err != nil {
		t.Fatal(err)
	}
	s.vars["TOP"] = m.top()
	s.writeBuiltin(t, m.top())
	for from, to := range map[string]string{"packages.yaml": "packages.yaml", "linux/compilers.yaml": "compilers.yaml"} {
		if text, err := os.ReadFile(filepath.Join(s.vars["SPACK_USER_CONFIG_PATH"], from)); err == nil {
			m.write(map[string]string{to: string(text)})
		}
	}
	m.env["AWS_ACCESS_KEY_ID"], m.env["AWS_SECRET_ACCESS_KEY"] = s3.AccessKeyID, s3.SecretAccessKey
	mirror := fmt.Sprintf("cache \"sources\" \"mirror\" {\n  url = %q\n  endpoint = %q\n}", "s3://bucket/"+s.layout, s3.Endpoint)
	m.relock(strings.Replace(s.blocks(), `cache "sources" "mirror" { url = "../mirror" }`, mirror, 1) + s.environment("toys", withBoth, "toy-beta", "toy-git"))
	m.want(0, "fetch", "--auto-approve")
	if requests.Load() == 0 {
		t.Error("nothing was fetched")
	}
	fetched := requests.Load()
	m.want(0, "fetch", "--auto-approve")
	if err := os.RemoveAll(filepath.Join(repo, "sources")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(m.path(".esd")); err != nil { // another machine
		t.Fatal(err)
	}
	built := short(m.apply().completed("build"))
	if !slices.Contains(built, "toy-beta") || !slices.Contains(built, "toy-git") || requests.Load() != fetched {
		t.Errorf("built %v with %d more requests", built, requests.Load()-fetched)
	}
	m.wantNothingToDo()
}
