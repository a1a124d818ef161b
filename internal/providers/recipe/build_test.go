package recipe

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/providers"
)

// maxVariable is what Linux accepts of one variable (MAX_ARG_STRLEN).
const maxVariable = 128 << 10

func TestSearchPathsStayBelowWhatTheKernelAccepts(t *testing.T) {
	w := &workshop{root: "/opt/esd"}
	for i := range 4000 {
		w.needed = append(w.needed, fmt.Sprintf("a-package-with-a-long-name-%04d-1.2.3-abcdefg", i))
	}
	j := &job{run: providers.Run{CPUs: 2}, step: stepSpec{Base: "x-1-abcdefg", Env: map[string]string{"A": "b"}}}
	for _, v := range j.environment(w) {
		name, value, _ := strings.Cut(v, "=")
		if len(v) >= maxVariable {
			t.Errorf("%s has %d bytes", name, len(v))
		}
		if name == "PATH" && (!strings.HasPrefix(value, "/opt/esd/"+w.needed[0]+"/bin:") || !strings.HasSuffix(value, ":/usr/bin:/sbin:/bin")) {
			t.Errorf("the nearest package is not first, or the system's programs are lost: %s … %s", value[:60], value[len(value)-60:])
		}
		if strings.HasSuffix(value, ":") || strings.Contains(value, "::") {
			t.Errorf("%s names the working directory", name)
		}
	}
}

func TestTheEnvironmentIsSortedAndComplete(t *testing.T) {
	w := &workshop{root: "/opt/esd", scratch: ".build/x-1-k", needed: []string{"lib-1-k"}}
	j := &job{run: providers.Run{CPUs: 3}, step: stepSpec{
		Base: "x-1-k", Env: map[string]string{"LC_ALL": "de_DE", "B": "="}, Needs: []need{{Variable: "lib", Base: "lib-1-k"}},
	}}
	want := []string{
		"B==", "CMAKE_PREFIX_PATH=/opt/esd/lib-1-k", "HOME=/homeless", "LC_ALL=de_DE",
		"PATH=/opt/esd/lib-1-k/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PKG_CONFIG_PATH=/opt/esd/lib-1-k/lib/pkgconfig:/opt/esd/lib-1-k/share/pkgconfig", "SOURCE_DATE_EPOCH=315532800", "TMPDIR=/tmp",
		"TZ=UTC", "jobs=3", "lib=/opt/esd/lib-1-k", "prefix=/opt/esd/x-1-k", "source=/opt/esd/.build/x-1-k/source",
	}
	if diff := cmp.Diff(want, j.environment(w)); diff != "" {
		t.Error(diff)
	}
}

func TestClosures(t *testing.T) {
	p := place{root: "/opt/esd", dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(p.dir, metaDir), 0o755); err != nil {
		t.Fatal(err)
	}
	install := func(base string, needs ...need) {
		t.Helper()
		if err := os.MkdirAll(p.path(base), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := p.complete(base, installed{Key: "k" + base, Needs: needs}); err != nil {
			t.Fatal(err)
		}
	}
	on := func(base string) need { return need{Base: base, Key: "k" + base} }
	toBuild := func(base string) need { return need{Base: base, Key: "k" + base, BuildOnly: true} }
	install("base")
	install("tool")
	install("lib", on("base"), toBuild("tool"))
	install("app", on("lib"), on("base"))
	got, err := p.closure([]need{on("app")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app", "lib", "base"}, got); diff != "" {
		t.Errorf("the nearest first, each once, without what was needed to build: %s", diff)
	}
	for name, break_ := range map[string]func(){
		"is of another key":      func() { install("base"); _ = p.complete("base", installed{Key: "other"}) },
		"has no mark":            func() { _ = os.Remove(p.meta("base")) },
		"has a mark but is gone": func() { install("base"); _ = os.RemoveAll(p.path("base")) },
		"has a damaged mark":     func() { install("base"); _ = os.WriteFile(p.meta("base"), []byte("{"), 0o644) },
	} {
		break_()
		if _, err := p.closure([]need{on("app")}); err == nil || !strings.Contains(err.Error(), "the needed package base is not installed") {
			t.Errorf("a package that %s: %v", name, err)
		}
		install("base")
	}
}
