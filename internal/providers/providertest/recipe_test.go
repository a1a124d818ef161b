package providertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/plan"
)

// recipe is a configuration of one recipe with a script.
func recipe(script string, more ...string) map[string]string {
	return map[string]string{"main.hcl": fmt.Sprintf("recipe \"a\" {\n  version = \"1\"\n  script = <<-EOT\n%s\n  EOT\n%s\n}\n", script, strings.Join(more, "\n"))}
}

// product unpacks what the cache of a place has of a recipe.
func (p *place) product(address string) string {
	p.Helper()
	ctx := context.Background()
	c, err := artifact.OpenCache(ctx, filepath.Join(p.workDir(), "cache"), artifact.Options{})
	if err != nil {
		p.Fatal(err)
	}
	record, err := c.Get(ctx, p.key(address))
	if err != nil {
		p.Fatal(err)
	}
	r, err := c.Open(ctx, record)
	if err != nil {
		p.Fatal(err)
	}
	defer r.Close()
	dir := p.TempDir()
	if _, err := archive.UnpackLayer(ctx, r, archive.LayerOptions{Dest: dir}); err != nil {
		p.Fatal(err)
	}
	return filepath.Join(dir, record.Prefix)
}

func (p *place) file(address, name string) string {
	p.Helper()
	data, err := os.ReadFile(filepath.Join(p.product(address), name))
	if err != nil {
		p.Fatal(err)
	}
	return string(data)
}

func TestScriptsFindTheirVariablesAndNothingElse(t *testing.T) {
	needSandbox(t)
	t.Setenv("ESD_TEST_LEAK", "leaked")
	p := newPlace(t, map[string]string{"main.hcl": `
recipe "base-lib" {
  version = "2"
  script  = "mkdir $prefix/bin && echo 'echo base' > $prefix/bin/base && chmod +x $prefix/bin/base"
}
recipe "mid" {
  version = "2"
  needs   = [recipe.base-lib]
  script  = "base > $prefix/x"
}
recipe "tool" {
  version = "2"
  script  = "mkdir $prefix/bin && echo 'echo tool' > $prefix/bin/tool && chmod +x $prefix/bin/tool"
}
recipe "top" {
  version     = "3"
  needs       = [recipe.mid]
  build_needs = [recipe.tool]
  env         = { COLOR = "red" }
  resources { cpus = 2 }
  script      = "env | sort > $prefix/env; pwd > $prefix/pwd; base > $prefix/base; tool > $prefix/tool"
}
recipe "user" {
  version = "1"
  needs   = [recipe.top]
  script  = "if command -v tool; then exit 9; fi; base > $prefix/base"
}
`})
	p.apply()
	env := map[string]string{}
	for line := range strings.Lines(p.file("recipe.top", "env")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[name] = value
	}
	short := regexp.MustCompile(`-[0-9a-f]{7}\b`)
	for name, value := range env {
		env[name] = short.ReplaceAllString(value, "-KEY")
	}
	delete(env, "_")
	delete(env, "SHLVL")
	delete(env, "PWD")
	want := map[string]string{
		"prefix": "/opt/esd/top-3-KEY", "source": "/opt/esd/.build/top-3-KEY/source", "jobs": "2", "SOURCE_DATE_EPOCH": "315532800",
		"HOME": "/homeless", "TMPDIR": "/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLOR": "red",
		"mid": "/opt/esd/mid-2-KEY", "tool": "/opt/esd/tool-2-KEY",
		"PATH":              "/opt/esd/mid-2-KEY/bin:/opt/esd/tool-2-KEY/bin:/opt/esd/base-lib-2-KEY/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"CMAKE_PREFIX_PATH": "/opt/esd/mid-2-KEY:/opt/esd/tool-2-KEY:/opt/esd/base-lib-2-KEY",
		"PKG_CONFIG_PATH": "/opt/esd/mid-2-KEY/lib/pkgconfig:/opt/esd/mid-2-KEY/share/pkgconfig:/opt/esd/tool-2-KEY/lib/pkgconfig:" +
			"/opt/esd/tool-2-KEY/share/pkgconfig:/opt/esd/base-lib-2-KEY/lib/pkgconfig:/opt/esd/base-lib-2-KEY/share/pkgconfig",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Error(diff)
	}
	if got := short.ReplaceAllString(p.file("recipe.top", "pwd"), "-KEY"); got != "/opt/esd/.build/top-3-KEY/source\n" {
		t.Error(got)
	}
	p.nothingToDo()
}

func TestScriptsAreKeptApartFromTheMachine(t *testing.T) {
	needSandbox(t)
	outside := t.TempDir()
	for name, script := range map[string]string{
		"no writing outside of the prefix":       "if echo x > " + outside + "/x; then exit 8; fi 2>/dev/null\necho ok > $prefix/ok",
		"no home":                                "if mkdir -p $HOME/x 2>/dev/null && [ -e /root/x ]; then exit 8; fi\necho ok > $prefix/ok",
		"no network but the own loopback":        "[ $(ls /sys/class/net | grep -cv lo) = 0 ] || [ ! -s /proc/net/route ] || [ $(wc -l < /proc/net/route) = 1 ] || exit 8\necho ok > $prefix/ok",
		"background processes do not outlive it": "(sleep 300; echo late > $prefix/late) & echo ok > $prefix/ok",
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			p := newPlace(t, recipe(script))
			p.apply()
			if got := p.file("recipe.a", "ok"); got != "ok\n" {
				t.Error(got)
			}
			if entries, _ := os.ReadDir(outside); len(entries) > 0 {
				t.Error("it wrote outside")
			}
			if time.Since(begin) > time.Minute {
				t.Error("it waited for what runs in the background")
			}
		})
	}
}

func TestScriptsThatFail(t *testing.T) {
	needSandbox(t)
	for name, test := range map[string]struct {
		files map[string]string
		words []string
		log   string
	}{
		"exit status":             {recipe("echo before; exit 3"), []string{"the script failed with exit status 3; its files are in "}, "before"},
		"a command in the middle": {recipe("false\necho after > $prefix/x"), []string{"exit status 1"}, ""},
		"a signal":                {recipe("kill -SEGV $$"), []string{"ended by signal 11 (segmentation fault)"}, ""},
		"hanging":                 {recipe("echo hanging; sleep 600", "resources { timeout = \"1s\" }"), []string{"took longer than its timeout of 1s"}, "hanging"},
		"no product":              {recipe("true"), []string{"the script installed nothing into $prefix"}, ""},
		"the prefix removed":      {recipe("rmdir $prefix"), []string{"the script removed $prefix"}, ""},
		"the prefix made a link":  {recipe("rmdir $prefix; ln -s /etc $prefix"), []string{"$prefix is no directory any more"}, ""},
		"the prefix made a file":  {recipe("rmdir $prefix; echo x > $prefix"), []string{"$prefix is no directory any more"}, ""},
		"a device in the product": {recipe("mkfifo $prefix/pipe"), []string{"pipe"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, test.files)
			log, err := p.failure()
			wantError(t, err, test.words...)
			if !strings.Contains(log, test.log) {
				t.Errorf("the log says %q", log)
			}
			if p.state.Get("recipe.a") != nil {
				t.Error("it is recorded")
			}
			if entries, _ := os.ReadDir(filepath.Join(p.workDir(), "tmp")); len(entries) > 0 {
				t.Errorf("left behind: %v", entries)
			}
			// The next build of the same key begins anew.
			p.write("main.hcl", recipe("echo ok > $prefix/ok")["main.hcl"])
			p.apply()
			p.nothingToDo()
		})
	}
}

func TestLongLogsAreCut(t *testing.T) {
	needSandbox(t)
	p := newPlace(t, recipe("head -c 200000000 /dev/zero | tr '\\0' 'x' | fold -w 1000; echo the end; exit 1"))
	log, err := p.failure()
	wantError(t, err, "exit status 1")
	if len(log) > 66<<20 || !strings.Contains(log, "the end") {
		t.Errorf("the log has %d bytes", len(log))
	}
}

func TestSourcesFromDirectories(t *testing.T) {
	needSandbox(t)
	files := func() map[string]string {
		f := recipe("cp -r . $prefix/; echo changed > file.txt", `source { path = "src" }`)
		f["src/file.txt"], f["src/sub/run.sh"] = "one", "#!/bin/sh\necho hi\n"
		return f
	}
	t.Run("a copy is built, and the original is left as it is", func(t *testing.T) {
		p := newPlace(t, files())
		p.apply()
		if got := p.file("recipe.a", "file.txt"); got != "one" {
			t.Error(got)
		}
		if data, _ := os.ReadFile(filepath.Join(p.dir, "src/file.txt")); string(data) != "one" {
			t.Errorf("the source now says %s", data)
		}
		p.nothingToDo()
	})
	t.Run("a change between plan and apply is refused", func(t *testing.T) {
		p := newPlace(t, files())
		made, c, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		p.write("src/file.txt", "two")
		r := p.carryOut(context.Background(), made, c)
		wantError(t, r.Failed[0].Err, "has changed since the plan was made: plan again")
		p.apply()
		p.nothingToDo()
	})
	t.Run("a change names the file", func(t *testing.T) {
		p := newPlace(t, files())
		p.apply()
		p.write("src/sub/run.sh", "#!/bin/sh\necho ho\n")
		made, _, err := p.plan()
		if err != nil || len(made.Changes) != 1 || made.Changes[0].Reason != "source file sub/run.sh changed" {
			t.Errorf("%v %+v", err, made.Changes)
		}
	})
	for name, test := range map[string]struct{ source, want string }{
		"missing":        {`source { path = "none" }`, "Unreadable source"},
		"empty":          {`source { path = "empty" }`, "Empty source"},
		"of two kinds":   {`source { path = "src" git = "x" commit = "` + strings.Repeat("a", 40) + `" }`, "Ambiguous source"},
		"no checksum":    {`source { url = "https://example.org/x.tar" }`, "Missing checksum"},
		"no commit":      {`source { git = "https://example.org/x.git" }`, "Missing commit"},
		"like an option": {`source { git = "--upload-pack=x" ref = "main" }`, "Invalid repository"},
	} {
		t.Run("a source that is "+name+" is refused", func(t *testing.T) {
			block := strings.NewReplacer(" git", "\n git", " ref", "\n ref", " commit", "\n commit", "{ ", "{\n", " }", "\n}").Replace(test.source)
			f := recipe("true", block)
			f["src/x"] = "x"
			p := newPlace(t, f)
			if err := os.MkdirAll(filepath.Join(p.dir, "empty"), 0o755); err != nil {
				t.Fatal(err)
			}
			_, diags := p.resolve()
			wantError(t, diags, test.want)
		})
	}
}

func TestKeysChangeWithWhatMattersAndWithNothingElse(t *testing.T) {
	base := func() map[string]string {
		return map[string]string{"src/x.c": "int x;", "main.hcl": `
recipe "lib" {
  version = "1"
  script  = "true"
}
recipe "a" {
  version = "1"
  source { path = "src" }
  needs   = [recipe.lib]
  env     = { A = "1" }
  script  = "make"
}
`}
	}
	edit := func(old, new string) func(*place) {
		return func(p *place) { p.write("main.hcl", strings.Replace(base()["main.hcl"], old, new, 1)) }
	}
	recipeA := func(line string) func(*place) { return edit("script  = \"make\"", "script = \"make\"\n"+line) }
	for name, test := range map[string]struct {
		change  func(*place)
		changes bool
	}{
		"another directory and user": {func(*place) {}, false},
		"the time of a file":         {func(p *place) { _ = os.Chtimes(filepath.Join(p.dir, "src/x.c"), time.Unix(1, 0), time.Unix(1, 0)) }, false},
		"a comment":                  {edit("recipe \"a\"", "# words\nrecipe \"a\""), false},
		"resources":                  {recipeA("resources {\n cpus = 4\n memory = \"1GiB\"\n timeout = \"1h\"\n}"), false},
		"version control":            {func(p *place) { p.write("src/.git/HEAD", "x") }, false},
		"the permission to read":     {func(p *place) { _ = os.Chmod(filepath.Join(p.dir, "src/x.c"), 0o600) }, false},
		"the version": {edit(`version = "1"
  source`, `version = "2"
  source`), true},
		"the script":                 {edit("make", "make all"), true},
		"a variable":                 {edit(`A = "1"`, `A = "2"`), true},
		"a file":                     {func(p *place) { p.write("src/x.c", "int y;") }, true},
		"a file's name":              {func(p *place) { _ = os.Rename(filepath.Join(p.dir, "src/x.c"), filepath.Join(p.dir, "src/y.c")) }, true},
		"a file becoming executable": {func(p *place) { _ = os.Chmod(filepath.Join(p.dir, "src/x.c"), 0o755) }, true},
		"the root": {func(p *place) {
			p.write("main.hcl", strings.ReplaceAll(base()["main.hcl"], "script ", "root = \"/opt/other\"\n script "))
		}, true},
		"the platform":                {recipeA(`platform = "linux/arm64/x"`), true},
		"the network":                 {recipeA("network = true"), true},
		"what it needs":               {edit("script  = \"true\"", "script = \"false\""), true},
		"needing it to be built only": {edit("needs   =", "build_needs ="), true},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := newPlace(t, base()), newPlace(t, base())
			test.change(two)
			if changed := one.key("recipe.a") != two.key("recipe.a"); changed != test.changes {
				t.Errorf("the key changes: %v", changed)
			}
		})
	}
	t.Run("a module makes no other packages of the same recipes", func(t *testing.T) {
		inModule := base()
		inModule["m/main.hcl"] = strings.Replace(inModule["main.hcl"], `"src"`, `"../src"`, 1)
		inModule["main.hcl"] = "module \"m\" {\n  source = \"./m\"\n}\n"
		one, two := newPlace(t, base()), newPlace(t, inModule)
		if one.key("recipe.a") != two.key("module.m.recipe.a") {
			t.Error("it would be built twice")
		}
	})
}

func TestProductsAreTheSameToTheBit(t *testing.T) {
	needSandbox(t)
	files := map[string]string{"main.hcl": `
recipe "lib" {
  version = "1"
  script  = "mkdir $prefix/bin; printf '#!/bin/sh\necho %s' $prefix > $prefix/bin/where; chmod +x $prefix/bin/where; ln -s $prefix/bin $prefix/link"
}
recipe "a" {
  version = "1"
  needs   = [recipe.lib]
  script  = "echo $prefix $lib > $prefix/paths; where > $prefix/where; date > $prefix/../.x; ln $prefix/paths $prefix/twice"
}
`}
	one, two, none := newPlace(t, files), newPlace(t, files), newPlace(t, files)
	none.sandbox = "none"
	one.apply()
	time.Sleep(1100 * time.Millisecond) // so that times would differ
	two.apply()
	none.apply()
	for _, address := range []string{"recipe.lib", "recipe.a"} {
		if one.digest(address) != two.digest(address) {
			t.Errorf("%s: %s and %s", address, one.digest(address), two.digest(address))
		}
		if one.digest(address) != none.digest(address) {
			t.Errorf("%s: %s in a sandbox, %s without", address, one.digest(address), none.digest(address))
		}
	}
	if got := none.file("recipe.a", "where"); !strings.HasPrefix(got, "/opt/esd/lib-1-") {
		t.Errorf("a product of no sandbox says %s", got)
	}
	none.nothingToDo()
}

func TestCaches(t *testing.T) {
	needSandbox(t)
	shared := t.TempDir()
	files := func(push bool) map[string]string {
		f := recipe("date +%N > $prefix/x")
		f["main.hcl"] += fmt.Sprintf("cache \"artifact\" \"shared\" {\n  url = %q\n  push = %v\n}\n", shared, push)
		return f
	}
	one := newPlace(t, files(true))
	one.apply()
	t.Run("another place uses what is there", func(t *testing.T) {
		two := newPlace(t, files(false))
		if made := two.apply(); len(made.Steps) != 0 || made.Summary.Reused != 1 {
			t.Errorf("%+v", made.Summary)
		}
		if two.digest("recipe.a") != one.digest("recipe.a") {
			t.Error("it has another product")
		}
	})
	t.Run("a product that appears between plan and apply is used", func(t *testing.T) {
		f := files(true)
		f["main.hcl"] = strings.Replace(f["main.hcl"], `version = "1"`, `version = "2"`, 1)
		first, second := newPlace(t, f), newPlace(t, f)
		made, c, err := second.plan()
		if err != nil {
			t.Fatal(err)
		}
		first.apply()
		if r := second.carryOut(context.Background(), made, c); !r.OK() || !r.Done[0].Reused {
			t.Errorf("%+v", r)
		}
		if first.digest("recipe.a") != second.digest("recipe.a") {
			t.Error("two products under one key")
		}
	})
	t.Run("--replace puts another product in its place", func(t *testing.T) {
		before := one.digest("recipe.a")
		one.apply(func(r *plan.Request) { r.Replaces = []addr.Target{{Address: one.object("recipe.a").Address}} })
		if one.digest("recipe.a") == before {
			t.Error("the product is the old one")
		}
		one.nothingToDo()
	})
	t.Run("where none takes the product, nothing is built", func(t *testing.T) {
		f := files(false)
		f["main.hcl"] = strings.Replace(f["main.hcl"], `version = "1"`, `version = "3"`, 1)
		log, err := newPlace(t, f).failure()
		wantError(t, err, "no cache takes the product: none of the cache blocks has push = true")
		if log != "" {
			t.Errorf("it was begun: %s", log)
		}
	})
	t.Run("a product that was damaged is built anew", func(t *testing.T) {
		p := newPlace(t, recipe("echo x > $prefix/x"))
		p.apply()
		err := filepath.WalkDir(filepath.Join(p.workDir(), "cache"), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && !strings.HasSuffix(path, ".json") {
				return os.Truncate(path, 3)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p.write("main.hcl", p.read("main.hcl")+"recipe \"b\" {\n  version = \"1\"\n  needs = [recipe.a]\n  script = \"cat $a/x > $prefix/y\"\n}\n")
		if err := os.RemoveAll(filepath.Join(p.workDir(), "store")); err != nil {
			t.Fatal(err)
		}
		made, c, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		p.carryOut(context.Background(), made, c) // fails, or mends: either way the next one is right
		p.apply()
		if got := p.file("recipe.b", "y"); got != "x\n" {
			t.Error(got)
		}
	})
}

func (p *place) read(name string) string {
	p.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.Fatal(err)
	}
	return string(data)
}

func TestStepsCarryNoPathsOfTheirMaker(t *testing.T) {
	p := newPlace(t, recipe("echo x > $prefix/x"))
	made, _, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	var spec map[string]any
	if err := json.Unmarshal(made.Steps[0].Spec, &spec); err != nil {
		t.Fatal(err)
	}
	delete(spec, "caches") // these have to say where they are
	if data, _ := json.Marshal(spec); strings.Contains(string(data), p.dir) {
		t.Errorf("%s", data)
	}
}
