package filesystem_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTreesThatCannotBe(t *testing.T) {
	t.Parallel()
	t.Run("because a package was built at a shorter path", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t)
		p.toyAt("/opt/software", "zlib@1")
		p.toyAt("/opt/software", "app@1", "zlib@1:link")
		p.one(atTree, "app@1")
		_, _, err := p.plan()
		wantError(t, err, "target.filesystem.site", "2 packages cannot be installed in "+p.path("tree"), "app 1 was built at /opt/software/", "shorter path", "padded_length")
	})
	places := map[string]struct {
		prepare func(p *place)
		path    string
		words   []string
	}{
		"because there is a directory with something in it": {
			func(p *place) { _ = writeFile(p.path("docs/readme"), "x") }, "docs", []string{"has something in it (readme)", "no install tree", "empty it"},
		},
		"because there is a file": {
			func(p *place) { _ = writeFile(p.path("file"), "x") }, "file", []string{"file is no directory"},
		},
		"because it is the directory of the configuration": {nil, ".", []string{"no install tree"}},
		"because a symbolic link leads nowhere": {
			func(p *place) { _ = os.Symlink("gone", p.path("link")) }, "link", []string{"leads nowhere"},
		},
	}
	for name, c := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stack(t)
			if c.prepare != nil {
				c.prepare(p)
			}
			p.one(`  path = "`+c.path+`"`, "app@1")
			_, _, err := p.plan()
			wantError(t, err, c.words...)
		})
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	for name, c := range map[string]struct {
		attributes string
		words      []string
	}{
		"because it is the root":                              {`path = "/"`, []string{"no install tree"}},
		"because it is the root by a detour":                  {`path = "/opt/.."`, []string{"no install tree"}},
		"because it is the home directory":                    {`path = "` + home + `/x/.."`, []string{"give a directory of its own"}},
		"because it is in the working data":                   {`path = "WORK/tree"`, []string{"working data"}},
		"because the path has a space":                        {`path = "my tree"`, []string{`' '`, "would not work"}},
		"because there is no path":                            {``, []string{"path"}},
		"because there are no jobs":                           {"path = \"t\"\n jobs = 0", []string{"from 1 to 1024"}},
		"because the projections differ":                      {"path = \"t\"\n }\n environment \"other\" {\n specs = [\"extra@1\"]\n projection = \"{name}/{hash}\"\n caches = [cache.buildcache.c]\n}\n target \"filesystem\" \"two\" {\n packages = [environment.sim, environment.other]\n path = \"u\"", []string{"one projection", "{name}/{hash}"}},
		"because something else than an environment is named": {"path = \"t\"\n }\n target \"filesystem\" \"two\" {\n packages = [cache.buildcache.c]\n path = \"u\"", []string{"environment"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stack(t)
			p.lock("other", "extra@1")
			p.one(strings.ReplaceAll(c.attributes, "WORK", p.work), "app@1")
			_, diags := p.resolve()
			text := ""
			for _, d := range diags {
				text += d.Summary + ": " + d.Detail + "\n"
			}
			for _, w := range c.words {
				if !strings.Contains(text, w) {
					t.Errorf("it should say %q:\n%s", w, text)
				}
			}
		})
	}
	t.Run("because another target has the path", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		if err := os.MkdirAll(p.path("real"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("real", p.path("link")); err != nil {
			t.Fatal(err)
		}
		p.one("path = \"real/tree\"\n}\ntarget \"filesystem\" \"two\" {\n packages = [environment.sim]\n path = \"link/tree\"", "app@1")
		_, _, err := p.plan()
		wantError(t, err, "target.filesystem.site", "target.filesystem.two", filepath.Join("real", "tree"))
	})
}
