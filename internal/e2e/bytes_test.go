package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// manyPackages is an image of n packages of some bytes each that do not
// compress. Package number `changed` is another one than otherwise; -1 for
// none.
func manyPackages(n, bytes, changed int, cacheURL, publish string) map[string]string {
	var b strings.Builder
	fmt.Fprintf(&b, "cache \"artifact\" \"shared\" {\n  url = %q\n}\n", cacheURL)
	names := make([]string, n)
	for i := range n {
		names[i] = fmt.Sprintf("recipe.p%03d", i)
		content := i
		if i == changed {
			content += 1000
		}
		fmt.Fprintf(&b, `recipe "p%03d" {
  version = "1.0"
  script  = "mkdir -p $prefix; openssl enc -aes-128-ctr -nosalt -K %032x -iv 0 -in /dev/zero 2>/dev/null | head -c %d > $prefix/data"
}
`, i, content+1, bytes)
	}
	fmt.Fprintf(&b, `target "image" "big" {
  packages = [%s]
  publish  = [%q]
}
output "digest" { value = target.image.big.digest }
`, strings.Join(names, ", "), publish)
	return map[string]string{"esd.hcl": b.String()}
}

// traffic is what one changed package costs, at the proxies in front of the
// cache and in front of the registry of the image.
type traffic struct {
	cacheSent, cacheRead, imageSent, imageRead int64
	cacheRequests, imageRequests               int
	built                                      []string
}

// changeOne publishes an image of n packages, changes one, and measures what
// the second apply moves. With together, the cache is in the registry that the
// image goes to.
func changeOne(t testing.TB, n, bytes int, together bool) (first, second traffic) {
	t.Helper()
	need(t, "openssl")
	registry := startDistribution(t, "")
	images := newProxy(t, registry, nil)
	caches := images
	if !together {
		caches = newProxy(t, registry, nil)
	}
	measure := func(m *machine) traffic {
		images.reset()
		caches.reset()
		built := m.apply().completed("build")
		return traffic{
			caches.in.Load(), caches.out.Load(), images.in.Load(), images.out.Load(), caches.total(), images.total(), built,
		}
	}
	cache, publish := "oci://"+caches.host+"/esd/cache", images.host+"/esd/big:v1"
	m := newMachine(t, manyPackages(n, bytes, -1, cache, publish))
	first = measure(m)
	m.write(manyPackages(n, bytes, n/2, cache, publish))
	second = measure(m)
	wantWhole(t, registry, "esd/big", "v1")
	m.wantNothingToDo()
	return first, second
}

// size is how large the image of the headline is.
func size() (packages, bytes int) {
	if testing.Short() {
		return 20, 1 << 20
	}
	return 100, 5 << 20
}

func TestAChangedPackageIsAllThatIsReadAndSent(t *testing.T) {
	n, bytes := size()
	// Room for headers, manifests, records and configurations; far less than
	// one more package.
	slack := int64(bytes) / 5
	for name, together := range map[string]bool{"cache and image in two registries": false, "cache and image in one registry": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := changeOne(t, n, bytes, together)
			if len(first.built) != n || len(second.built) != 1 {
				t.Errorf("%d and %d packages were built, want %d and 1", len(first.built), len(second.built), n)
			}
			atMost := func(what string, got, packages int64) {
				t.Helper()
				if got > packages*int64(bytes)+slack {
					t.Errorf("%s: %d bytes, want %d packages and no more", what, got, packages)
				}
			}
			if together {
				atMost("sent to the registry", second.imageSent, 1)
				atMost("read from the registry", second.imageRead, 0)
			} else {
				atMost("sent to the cache", second.cacheSent, 1)
				atMost("read from the cache", second.cacheRead, 1)
				atMost("sent to the registry", second.imageSent, 1)
				atMost("read from the registry", second.imageRead, 0)
			}
			t.Logf("%d packages of %d bytes. At first: %v\none changed: %v", n, bytes, first, second)
		})
	}
}

func (f traffic) String() string {
	return fmt.Sprintf("%d built; cache: %d bytes sent, %d read, %d requests; image: %d sent, %d read, %d requests",
		len(f.built), f.cacheSent, f.cacheRead, f.cacheRequests, f.imageSent, f.imageRead, f.imageRequests)
}

// BenchmarkChangeOnePackage tells what one changed package of an image costs.
// What it measures is bytes and requests, not time.
func BenchmarkChangeOnePackage(b *testing.B) {
	n, bytes := size()
	for b.Loop() {
		_, second := changeOne(b, n, bytes, false)
		b.ReportMetric(float64(second.cacheRead)/float64(bytes), "packages-read/op")
		b.ReportMetric(float64(second.imageSent)/float64(bytes), "packages-sent/op")
		b.ReportMetric(float64(second.imageRead), "registry-bytes-read/op")
		b.ReportMetric(float64(second.imageRequests), "registry-requests/op")
		b.ReportMetric(float64(second.cacheRequests), "cache-requests/op")
	}
}
