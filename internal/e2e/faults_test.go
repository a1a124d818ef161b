package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// smallStack is an image of two packages; about is what one of them says.
func smallStack(about string, publish ...string) map[string]string {
	return map[string]string{"esd.hcl": `
recipe "fixed" {
  version = "1.0"
  script  = "mkdir -p $prefix; echo fixed > $prefix/fixed"
}
recipe "moving" {
  version = "1.0"
  needs   = [recipe.fixed]
  script  = "mkdir -p $prefix; echo ` + about + ` > $prefix/moving"
}
target "image" "lab" {
  packages = [recipe.moving]
  publish  = ["` + strings.Join(publish, `", "`) + `"]
}
output "digest" { value = target.image.lab.digest }
`}
}

// status answers all requests with a status.
func status(code int, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

// onUploads is a fault of what is written only.
func onUploads(fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method != http.MethodGet && r.Method != http.MethodHead && fault(w, r)
	}
}

// times is a fault that goes away after some requests.
func times(n int64, fault func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	var met atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool { return met.Add(1) <= n && fault(w, r) }
}

func cutOff(w http.ResponseWriter, r *http.Request) bool { return cut(w, r, 10) }

// lie answers with an image that is not what the digest says.
func lie(w http.ResponseWriter, r *http.Request) bool {
	if !strings.Contains(r.URL.Path, "/manifests/") || r.Method == http.MethodPut {
		return false
	}
	content := `{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}`
	w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
	w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("5", 64))
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write([]byte(content))
	}
	return true
}

func slowAnswers(http.ResponseWriter, *http.Request) bool {
	time.Sleep(100 * time.Millisecond)
	return false
}

func TestARegistryWithFaults(t *testing.T) {
	t.Parallel()
	const (
		fine   = 0
		failed = 1
		partly = 6
	)
	type fault = func(http.ResponseWriter, *http.Request) bool
	tests := map[string]struct {
		fault fault
		code  int
		says  []string
		slow  bool // tried for a long time before it is given up
	}{
		"that lets nobody in ends the plan":            {status(http.StatusUnauthorized), failed, []string{"log in"}, false},
		"that denies everything ends the plan":         {status(http.StatusForbidden), failed, []string{"access denied"}, false},
		"that cannot take uploads fails the step":      {onUploads(status(http.StatusNotFound)), partly, []string{"404"}, false},
		"that denies uploads fails the step":           {onUploads(status(http.StatusUnauthorized)), partly, []string{"log in"}, false},
		"that has no space fails the step":             {onUploads(status(http.StatusInsufficientStorage)), partly, []string{"507"}, true},
		"that is overloaded for a while is waited for": {times(3, status(http.StatusTooManyRequests, "Retry-After", "1")), fine, nil, false},
		"that wants an hour of rest ends the plan":     {status(http.StatusTooManyRequests, "Retry-After", "3600"), failed, []string{"1h0m0s"}, false},
		"that is broken for a while is asked again":    {times(3, status(http.StatusInternalServerError)), fine, nil, false},
		"that stays broken ends the plan":              {status(http.StatusInternalServerError), failed, []string{"500", "tried"}, true},
		"that cuts uploads off for a while gets them":  {times(2, onUploads(cutOff)), fine, nil, false},
		"that always cuts uploads off fails the step":  {onUploads(cutOff), partly, []string{"tried"}, true},
		"that answers slowly is waited for":            {slowAnswers, fine, nil, false},
		"that lies about a digest ends the plan":       {lie, failed, []string{"sha256:5555"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.slow && testing.Short() {
				t.Skip("it takes long until esd gives up")
			}
			var f faults
			registry := newRegistry(t, nil)
			p := newProxy(t, registry, f.wrap)
			m := newMachine(t, smallStack("one", p.host+"/esd/lab:v1"))
			m.apply()
			old := tagged(t, registry, "esd/lab", "v1")

			f.set(test.fault)
			m.write(smallStack("two", p.host+"/esd/lab:v1"))
			e := m.want(test.code, "apply", "--auto-approve")
			if test.code != fine {
				wantSays(t, e, append(test.says, p.host)...)
				if got := tagged(t, registry, "esd/lab", "v1"); got != old {
					t.Errorf("the tag names %s, want the old image %s", got, old)
				}
				t.Logf("after %v: %s", e.took.Round(10*time.Millisecond), lastLines(e.stderr, 12))
			}
			wantWhole(t, registry, "esd/lab", "v1")

			f.set(nil)
			m.apply()
			if got := tagged(t, registry, "esd/lab", "v1"); got == old || got != m.output("digest") {
				t.Errorf("the tag names %s, want the new image %s", got, m.output("digest"))
			}
			wantWhole(t, registry, "esd/lab", "v1")
			m.wantNothingToDo()
		})
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func TestARegistryThatIsDownEndsThePlan(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes long until esd gives up")
	}
	host := freePort(t)
	m := newMachine(t, smallStack("one", host+"/esd/lab:v1"))
	e := m.want(1, "apply", "--auto-approve")
	wantSays(t, e, host, "refused")
	t.Logf("after %v: %s", e.took.Round(10*time.Millisecond), lastLines(e.stderr, 8))
}

// damage changes bytes in the middle of a file, and keeps its size.
func damage(t testing.TB, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 2; i < min(len(data)/2+8, len(data)); i++ {
		data[i] ^= 0xff
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestACacheThatLies(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, cache string){
		"with damaged archives": func(t *testing.T, cache string) {
			each(t, cache, "blobs/sha256/*/*", func(f string) { damage(t, f) })
		},
		"with archives that are cut short": func(t *testing.T, cache string) {
			each(t, cache, "blobs/sha256/*/*", func(f string) {
				if err := os.Truncate(f, 20); err != nil {
					t.Fatal(err)
				}
			})
		},
		"with archives that are gone": func(t *testing.T, cache string) {
			each(t, cache, "blobs/sha256/*/*", func(f string) {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			})
		},
		"with records that are no records": func(t *testing.T, cache string) {
			each(t, cache, "records/*/*", func(f string) {
				if err := os.WriteFile(f, []byte(`{"format_version":`), 0o644); err != nil {
					t.Fatal(err)
				}
			})
		},
		"with the record of another package": func(t *testing.T, cache string) {
			var files []string
			each(t, cache, "records/*/*", func(f string) { files = append(files, f) })
			data, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[1], data, 0o644); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newRegistry(t, nil)
			stack := func() map[string]string {
				files := smallStack("one", host+"/esd/lab:v1")
				files["cache.hcl"] = "cache \"artifact\" \"shared\" {\n  url = \"../cache\"\n}\n"
				return files
			}
			good := newMachine(t, stack())
			good.apply()
			digest := good.output("digest")

			m := newMachine(t, replaced(stack(), "esd/lab:v1", "esd/other:v1"))
			if err := os.CopyFS(m.path("../cache"), os.DirFS(good.path("../cache"))); err != nil {
				t.Fatal(err)
			}
			spoil(t, m.path("../cache"))
			// An error is right as long as it is said, nothing is published,
			// and running the same command again gets further.
			var e ended
			for range 4 {
				if e = m.esd("apply", "--auto-approve"); e.code == 0 {
					break
				}
				t.Logf("exit code %d: %s", e.code, lastLines(e.stderr, 6))
				if got := tagged(t, host, "esd/other", "v1"); got != "" {
					t.Errorf("%s was published in spite of the exit code %d", got, e.code)
				}
				wantSays(t, e, "cache")
			}
			if e.code != 0 {
				t.Fatalf("no number of runs helps:\n%s", e.all())
			}
			if got := tagged(t, host, "esd/other", "v1"); got != digest {
				t.Errorf("the image is %s, want %s", got, digest)
			}
			wantWhole(t, host, "esd/other", "v1")
			records(t, m.path("../cache"))
			m.wantNothingToDo()
		})
	}
}

func each(t testing.TB, dir, pattern string, do func(file string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	for _, f := range files {
		do(f)
	}
}

func TestWithoutWorkingDataEverythingIsAdopted(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, nil)
	files := smallStack("one", host+"/esd/lab:v1", "oci:dist/lab:v1")
	files["cache.hcl"] = "cache \"artifact\" \"shared\" {\n  url = \"../cache\"\n}\n"
	m := newMachine(t, files)
	m.apply()
	digest := m.output("digest")
	if err := os.RemoveAll(m.path(".esd")); err != nil {
		t.Fatal(err)
	}
	told := m.apply()
	for _, e := range told {
		if e.Type == "apply_complete" && !e.Hook.Reused {
			t.Errorf("%s was done again", e.Hook.Step)
		}
	}
	if got := m.output("digest"); got != digest {
		t.Errorf("the image is %s, want %s", got, digest)
	}
	m.wantNothingToDo()
}

// spoiled answers requests for blobs with other bytes of the same length.
func spoiled(next http.Handler) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || about(r.URL.Path) != "blobs" {
			return false
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		body := answer.Body.Bytes()
		for i := range body {
			body[i] ^= 0x55
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(body)
		return true
	}
}

func TestACacheInARegistryThatLies(t *testing.T) {
	t.Parallel()
	for name, inImage := range map[string]bool{"about what an image takes": true, "about what a build needs": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f faults
			caches, images := newProxy(t, newRegistry(t, nil), f.wrap), newRegistry(t, nil)
			stack := func(about, repository string) map[string]string {
				files := smallStack(about, images+"/esd/"+repository+":v1")
				files["cache.hcl"] = "cache \"artifact\" \"shared\" {\n  url = \"oci://" + caches.host + "/esd/cache\"\n}\n"
				return files
			}
			newMachine(t, stack("one", "first")).apply()
			about := "one"
			if !inImage {
				about = "two" // is built, and needs what the cache has
			}
			second := newMachine(t, stack(about, "second"))
			f.set(spoiled(f.next))
			e := second.want(6, "apply", "--auto-approve")
			wantSays(t, e, "damaged")
			t.Log(lastLines(e.stderr, 6))
			if got := tagged(t, images, "esd/second", "v1"); got != "" {
				t.Errorf("%s was published", got)
			}
			f.set(nil)
			second.apply()
			wantWhole(t, images, "esd/second", "v1")
			second.wantNothingToDo()
		})
	}
}
