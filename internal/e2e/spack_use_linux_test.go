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
)

func testTwoEnvironments(t *testing.T, s *spackStack) {
	m := s.copy(t, withMirror)
	m.relock(s.blocks() + s.environment("one", withBoth, "toy-leaf0") + s.environment("two", withBoth, "toy-leaf0", "toy-leaf1"))
	shared := node(t, m.spackLock("one"), "toy-alpha")
	if shared.Hash != node(t, m.spackLock("two"), "toy-alpha").Hash {
		t.Fatal("the environments share nothing")
	}
	// One package only, with what it needs.
	leaf := node(t, m.spackLock("one"), "toy-leaf0")
	target := "environment.one/toy-leaf0@1.0/" + leaf.Hash.Short()
	needed := []string{"toy-alpha", "toy-leaf0"}
	if s.layout == "v3" {
		needed = []string{"compiler-wrapper", "gcc-runtime", "toy-alpha", "toy-leaf0"}
	}
	wantSays(t, m.want(0, "why", target), "not in any cache", "environment.one")
	wantSays(t, m.want(0, "graph", "--packages"), "toy-leaf0", "toy-alpha")
	wantSays(t, m.want(0, "graph", "--packages", "--plan", "--format=json"), "toy-leaf0", "build")
	if built := short(m.apply("--target", target).completed("build")); !slices.Equal(built, needed) {
		t.Errorf("--target built %v, want %v", built, needed)
	}
	if built := short(m.apply().completed("build")); !slices.Equal(built, []string{"toy-leaf1"}) {
		t.Errorf("then %v were built, want what the second has beyond the first", built)
	}
	m.wantNothingToDo()
	wantSays(t, m.want(0, "why", target), "cache shared")
	// The same package by its address in the other environment.
	other := strings.Replace(target, "environment.one", "environment.two", 1)
	if e := m.esd("why", other); e.code != 0 {
		wantSays(t, e, other)
	}
	// Built again, in place.
	before := digests(t, m.top("cache"))
	if built := short(m.apply("--replace", target).completed("build")); !slices.Equal(built, []string{"toy-leaf0"}) {
		t.Errorf("--replace built %v", built)
	}
	after := digests(t, m.top("cache"))
	for _, file := range s.entryFiles(t, m.top("cache"), shared.Hash) {
		if before[file] != after[file] {
			t.Errorf("%s of another package has changed", file)
		}
	}
	m.wantNothingToDo()
	wantSays(t, m.want(0, "logs", target), "toy-leaf0")
}

func testQuarantine(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	leaf := node(t, s.lock, "toy-leaf1")
	removeFiles(t, m.top("cache"), s.entryFiles(t, m.top("cache"), leaf.Hash)...)
	before := digests(t, m.top("cache"))
	quarantine := fmt.Sprintf("cache \"buildcache\" \"quarantine\" {\n  url    = \"../quarantine\"\n  layout = %q\n}\n", s.layout)
	m.write(map[string]string{"esd.hcl": s.blocks() + quarantine + s.environment("toys", withBoth+"\n  quarantine = cache.buildcache.quarantine", "toy-all")})
	if built := short(m.apply().completed("build")); !slices.Equal(built, []string{"toy-leaf1"}) {
		t.Errorf("built %v", built)
	}
	for name, digest := range digests(t, m.top("cache")) {
		if before[name] != digest {
			t.Errorf("%s was stored in a cache that is to get nothing yet", name)
		}
	}
	s.entryFiles(t, m.top("quarantine"), leaf.Hash)
	m.wantNothingToDo()
	if err := os.RemoveAll(m.path(".esd")); err != nil {
		t.Fatal(err)
	}
	if done := m.apply(); len(done.completed("build"))+len(done.completed("push")) != 0 {
		t.Errorf("the second time, %v were built, %v stored", done.completed("build"), done.completed("push"))
	}

	wantSays(t, m.want(1, "promote", "environment.toys", "--auto-approve"), "nothing has checked it")
	m.want(0, "promote", "environment.toys", "--auto-approve", "--force")
	s.entryFiles(t, m.top("cache"), leaf.Hash)
	index := s.indexFiles(t, m.top("cache"))
	for name, digest := range digests(t, m.top("cache")) {
		if before[name] != "" && before[name] != digest && !slices.Contains(index, name) {
			t.Errorf("promoting has changed %s", name)
		}
	}
	if err := os.RemoveAll(m.top("quarantine")); err != nil {
		t.Fatal(err)
	}
	m.wantNothingToDo()
	s.wantInstallable(t, m)
}

func testSourcesFromMirror(t *testing.T, s *spackStack) {
	m := s.copy(t)
	var requests atomic.Int64
	repo := m.top("toys")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.FileServer(http.Dir(filepath.Join(repo, "sources"))).ServeHTTP(w, r)
	}))
	defer server.Close()
	if err := os.RemoveAll(repo); err != nil {
		t.Fatal(err)
	}
	if _, err := testrepo.Write(repo, testrepo.Options{API: s.api, BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	// A package that would use the network.
	s.addPackage(t, m.top(), "toy-net", `depends_on("toy-leaf0", type="build")`, "import socket",
		"address = ('127.0.0.1', "+server.URL[strings.LastIndex(server.URL, ":")+1:]+")",
		"try:", "    socket.create_connection(address, 5).close()", "    print('the network is there', flush=True)",
		"except OSError as e:", "    print('there is no network:', e, flush=True)")
	m.relock(s.blocks() + s.environment("toys", withBoth, "toy-beta", "toy-net"))
	m.want(0, "fetch", "--auto-approve")
	if n := requests.Load(); n == 0 {
		t.Error("nothing was fetched")
	}
	if err := os.RemoveAll(filepath.Join(repo, "sources")); err != nil {
		t.Fatal(err)
	}
	fetched := requests.Load()
	done := m.apply()
	if built := short(done.completed("build")); !slices.Contains(built, "toy-beta") || !slices.Contains(built, "toy-net") {
		t.Errorf("built %v", built)
	}
	if n := requests.Load() - fetched; n != 0 {
		t.Errorf("%d more requests although the mirror has everything", n)
	}
	log := m.want(0, "logs", m.address("toy-net")).all()
	if strings.Contains(log, "esd: sandbox namespace") && !strings.Contains(log, "there is no network") {
		t.Errorf("the build had a network:\n%s", log)
	}
	m.wantNothingToDo()

	// What no mirror has and nobody serves any more.
	if err := os.RemoveAll(m.top("mirror")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(m.top("cache")); err != nil {
		t.Fatal(err)
	}
	m.write(map[string]string{".esd/spack/none": ""})
	if err := os.RemoveAll(m.path(".esd")); err != nil {
		t.Fatal(err)
	}
	wantSays(t, m.want(6, "fetch", "--auto-approve"), "toy-beta", "does not exist")
}

func testOrdinaryUser(t *testing.T, s *spackStack) {
	m := s.copy(t, withMirror)
	m.relock(s.blocks() + s.environment("toys", withBoth, "toy-leaf0"))
	if err := os.RemoveAll(m.path(".esd")); err != nil {
		t.Fatal(err)
	}
	m.give(nobody(t))
	if built := short(m.apply().completed("build")); !slices.Contains(built, "toy-leaf0") {
		t.Errorf("built %v", built)
	}
	m.wantNothingToDo()
}

func testStaleLock(t *testing.T, s *spackStack) {
	m := s.copy(t, withMirror)
	m.want(0, "plan", "--out", "saved.plan")
	lock := m.path("locks/toys.spack.lock")
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	m.write(map[string]string{"locks/toys.spack.lock": strings.Replace(string(text), `"version":"2.1"`, `"version":"2.2"`, 1)})
	wantSays(t, m.want(5, "apply", "saved.plan"), "stale", "plan again")
	m.write(map[string]string{"locks/toys.spack.lock": string(text)})
	if e := m.esd("apply", "saved.plan"); e.code != 0 {
		t.Errorf("a saved plan: %s", e.all())
	}
	m.wantNothingToDo()
}
