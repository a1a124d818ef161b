package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// bigStack is an image of one package of some megabytes that do not compress,
// and one small one.
func bigStack(host, about string) map[string]string {
	return map[string]string{"esd.hcl": `
recipe "big" {
  version = "1.0"
  script  = "mkdir -p $prefix; openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv 0 -in /dev/zero 2>/dev/null | head -c 8388608 > $prefix/big"
}
recipe "small" {
  version = "1.0"
  script  = "mkdir -p $prefix; echo ` + about + ` > $prefix/small"
}
target "image" "lab" {
  packages = [recipe.big, recipe.small]
  publish  = ["` + host + `/esd/lab:v1"]
}
output "digest" { value = target.image.lab.digest }
`}
}

// slowly reads the body of a request bit by bit, and tells when it begins.
type slowly struct {
	io.ReadCloser
	begun chan<- struct{}
	total int
}

func (s *slowly) Read(b []byte) (int, error) {
	if s.total > 100_000 {
		select {
		case s.begun <- struct{}{}:
		default:
		}
		time.Sleep(20 * time.Millisecond)
	}
	n, err := s.ReadCloser.Read(b[:min(len(b), 16<<10)])
	s.total += n
	return n, err
}

func TestAKillInTheMiddleOfAnUploadLeavesTheOldImageUnderTheTag(t *testing.T) {
	t.Parallel()
	need(t, "openssl")
	var f faults
	registry := newRegistry(t, nil)
	p := newProxy(t, registry, f.wrap)
	m := newMachine(t, replaced(bigStack(p.host, "one"), "8388608", "1000"))
	m.apply()
	old := tagged(t, registry, "esd/lab", "v1")

	begun := make(chan struct{}, 1)
	f.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if isUpload(r) {
			r.Body = &slowly{ReadCloser: r.Body, begun: begun}
		}
		return false
	})
	m.write(bigStack(p.host, "two"))
	r := m.start(applyJSON...)
	r.until("apply_start", "target.image.lab#publish")
	<-begun
	_ = r.cmd.Process.Kill()
	r.end()
	wantNoProcess(t, m.dir)
	if got := tagged(t, registry, "esd/lab", "v1"); got != old {
		t.Errorf("the tag names %s, want the old image %s", got, old)
	}
	wantWhole(t, registry, "esd/lab", "v1")

	f.set(nil)
	m.want(0, "state", "list")
	next := m.apply()
	if built := next.completed("build"); len(built) != 0 {
		t.Errorf("%v was built again", built)
	}
	if got := tagged(t, registry, "esd/lab", "v1"); got != m.output("digest") || got == old {
		t.Errorf("the tag names %s, want the new image %s", got, m.output("digest"))
	}
	wantWhole(t, registry, "esd/lab", "v1")
	m.wantNothingToDo()
}

// replaced replaces text in files.
func replaced(files map[string]string, old, new string) map[string]string {
	for name, text := range files {
		files[name] = strings.ReplaceAll(text, old, new)
	}
	return files
}
