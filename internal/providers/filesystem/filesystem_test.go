package filesystem_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers/providertest"
)

// stack makes an application, two libraries of which one is needed by both, and
// a tool that is needed only to build; and what the system has.
func stack(t testing.TB) *place {
	t.Helper()
	p := newPlace(t)
	p.toy("tool@1")
	p.external("glibc@2.36")
	p.toy("zlib@1.2", "tool@1:build", "glibc@2.36:link")
	p.toy("hdf@1", "zlib@1.2:link", "tool@1:build")
	p.toy("app@1", "hdf@1:link,run", "zlib@1.2:link")
	p.toy("extra@1", "zlib@1.2:link")
	return p
}

func TestInstallTrees(t *testing.T) {
	t.Parallel()
	t.Run("get all that is needed to run, relocated, with what was asked for marked", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		made := p.apply()
		if c := change(made, "target.filesystem.site"); c.Action != plan.Create || c.Reason != "does not exist yet" {
			t.Errorf("%+v", c)
		}
		want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2")
		out, err := exec.Command(prefixBelow(p.path("tree"), p.specs["app@1"]) + "/bin/app").CombinedOutput()
		if err != nil || string(out) != "app 1\nhdf 1\nzlib 1.2\n" {
			t.Errorf("%v %s", err, out)
		}
		o := p.state.Get("target.filesystem.site")
		if n, _ := o.Attributes.Int("packages"); n != 3 || o.Attributes.String("path") != p.path("tree") {
			t.Errorf("%+v", o.Attributes)
		}
		p.nothingToDo()
	})
	t.Run("need only what is missing, and say what somebody took away", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		p.apply()
		if err := os.RemoveAll(prefixBelow(p.path("tree"), p.specs["hdf@1"])); err != nil {
			t.Fatal(err)
		}
		made, _, err := p.plan()
		if err != nil {
			t.Fatal(err)
		}
		c := change(made, "target.filesystem.site")
		if c.Action != plan.Update || !c.Drift || c.Reason != "hdf 1 is not installed in "+p.path("tree") {
			t.Errorf("%+v", c)
		}
		if made.Summary.Reused != 1 || made.Steps[0].Title != "install 1 package into "+p.path("tree") {
			t.Errorf("%+v %+v", made.Summary, made.Steps)
		}
		p.apply()
		want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("are taken as they are when everything is there", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.asSomebodyElse("tree", "zlib@1.2", "hdf@1", "app@1")
		p.one(atTree, "app@1")
		if c := change(p.apply(), "target.filesystem.site"); c.Action != plan.Adopt {
			t.Errorf("%+v", c)
		}
		p.nothingToDo()
		p.apply(destroying)
		want(t, p.installed("tree"), "app@1*", "hdf@1*", "zlib@1.2*")
	})
	t.Run("mark what is asked for and was there because something else needs it", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		p.apply()
		p.one(atTree, "app@1", "hdf@1")
		made := p.apply()
		if len(made.Steps) != 1 || !strings.HasPrefix(made.Steps[0].Title, "note what was asked for") {
			t.Errorf("%+v", made.Steps)
		}
		want(t, p.installed("tree"), "app@1*", "hdf@1*", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("repair what --replace names", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		p.apply()
		damaged := prefixBelow(p.path("tree"), p.specs["zlib@1.2"]) + "/share/name"
		if err := os.Remove(damaged); err != nil {
			t.Fatal(err)
		}
		p.nothingToDo() // only looking into each file would tell
		p.apply(func(req *plan.Request) { req.Replaces = []addr.Target{{Address: address("target.filesystem.site")}} })
		if _, err := os.Stat(damaged); err != nil {
			t.Error(err)
		}
		want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2")
	})
	t.Run("serve several environments", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.configure(map[string][]string{"a": {"app@1"}, "b": {"extra@1", "zlib@1.2"}}, `
target "filesystem" "site" {
  packages = [environment.a, environment.b]
  path     = "tree"
}
output "extra" { value = target.filesystem.site.packages["extra"] }
`)
		made := p.apply()
		want(t, p.installed("tree"), "app@1*", "extra@1*", "hdf@1", "zlib@1.2*")
		if made.Summary.Reused != 4 {
			t.Errorf("%+v", made.Summary)
		}
		p.nothingToDo()
	})
	t.Run("can be on a path with a symbolic link in it", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		if err := os.Symlink(t.TempDir(), p.path("link")); err != nil {
			t.Fatal(err)
		}
		p.one(`  path = "link/tree"`, "app@1")
		p.apply()
		want(t, p.installed("link/tree"), "app@1*", "hdf@1", "zlib@1.2")
		p.nothingToDo()
	})
}

func TestPackagesThatAreNoLongerPartOfATree(t *testing.T) {
	t.Parallel()
	t.Run("are removed", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.one(atTree, "extra@1")
		made := p.apply()
		if c := change(made, "target.filesystem.site"); c.Action != plan.Update || c.Reason != "package app removed" {
			t.Errorf("%+v", c)
		}
		want(t, p.installed("tree"), "extra@1*", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("are kept with prune = false, and removed when that is taken back", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.one(atTree+"\n  prune = false", "extra@1")
		p.apply()
		want(t, p.installed("tree"), "app@1*", "extra@1*", "hdf@1", "zlib@1.2")
		p.nothingToDo()
		p.one(atTree, "extra@1")
		made := p.apply()
		if c := change(made, "target.filesystem.site"); c.Drift || c.Reason != "app 1 and hdf 1 are no longer part of it" {
			t.Errorf("%+v", c)
		}
		want(t, p.installed("tree"), "extra@1*", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("are kept while something of somebody else needs them", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.toy("theirs@1", "hdf@1:link", "zlib@1.2:link")
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.asSomebodyElse("tree", "theirs@1")
		p.one(atTree, "extra@1")
		p.apply()
		want(t, p.installed("tree"), "extra@1*", "hdf@1", "theirs@1*", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("are kept when somebody asked for them since", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.asSomebodyElse("tree", "hdf@1") // as `spack mark --explicit` does
		p.one(atTree, "extra@1")
		p.apply()
		want(t, p.installed("tree"), "extra@1*", "hdf@1*", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("are kept when the target did not install them", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.asSomebodyElse("tree", "zlib@1.2", "hdf@1")
		p.one(atTree, "app@1")
		p.apply()
		p.one(atTree, "zlib@1.2")
		p.apply()
		want(t, p.installed("tree"), "hdf@1*", "zlib@1.2*")
		p.nothingToDo()
	})
	t.Run("are kept when another configuration has them in the same tree", func(t *testing.T) {
		t.Parallel()
		p, other := stack(t), stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		other.one(`  path = "`+p.path("tree")+`"`, "hdf@1")
		made := other.apply()
		if len(made.Steps) != 1 {
			t.Errorf("%+v", made.Steps)
		}
		p.one(atTree, "extra@1")
		p.apply()
		want(t, p.installed("tree"), "extra@1*", "hdf@1*", "zlib@1.2")
		p.apply(destroying)
		want(t, p.installed("tree"), "hdf@1*", "zlib@1.2")
		other.nothingToDo()
	})
}

func TestDestroying(t *testing.T) {
	t.Parallel()
	t.Run("removes the tree, if there is nothing else in it", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		p.apply()
		p.apply(destroying)
		if _, err := os.Stat(p.path("tree")); err == nil {
			t.Error("it is still there")
		}
	})
	t.Run("leaves alone what others have", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.asSomebodyElse("tree", "zlib@1.2", "extra@1")
		p.one(atTree, "app@1")
		made := p.apply()
		if !strings.HasSuffix(made.Steps[0].Title, "install 2 packages into "+p.path("tree")+", beside 1 package of others") {
			t.Errorf("%+v", made.Steps)
		}
		if c := change(made, "target.filesystem.site"); c.Action != plan.Create || !strings.HasSuffix(c.Reason, "beside 1 package of others") {
			t.Errorf("%+v", c)
		}
		p.apply(destroying)
		want(t, p.installed("tree"), "extra@1*", "zlib@1.2*")
	})
	t.Run("does nothing where the tree is gone", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1")
		p.apply()
		if err := os.RemoveAll(p.path("tree")); err != nil {
			t.Fatal(err)
		}
		p.apply(destroying)
	})
	t.Run("leaves what a target of another name has at the same path", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.configure(map[string][]string{"sim": {"app@1"}}, "target \"filesystem\" \"new\" {\n packages = [environment.sim]\n"+atTree+"\n}\n")
		p.apply()
		want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2")
		p.nothingToDo()
	})
	t.Run("follows a target that moved", func(t *testing.T) {
		t.Parallel()
		p := stack(t)
		p.one(atTree, "app@1", "extra@1")
		p.apply()
		p.configure(map[string][]string{"sim": {"app@1"}}, "target \"filesystem\" \"new\" {\n packages = [environment.sim]\n"+atTree+"\n}\n")
		moved := func(req *plan.Request) {
			req.Moved = []plan.Moved{{From: addr.Target{Address: address("target.filesystem.site")}, To: addr.Target{Address: address("target.filesystem.new")}}}
		}
		p.apply(moved)
		want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2")
		p.nothingToDo()
	})
}

func TestAChangedPathMovesTheTree(t *testing.T) {
	t.Parallel()
	p := stack(t)
	p.one(atTree, "app@1")
	p.apply()
	p.one(`  path = "elsewhere"`, "app@1")
	p.apply()
	want(t, p.installed("elsewhere"), "app@1*", "hdf@1", "zlib@1.2")
	if _, err := os.Stat(p.path("tree")); err == nil {
		t.Error("the old tree is still there")
	}
	p.nothingToDo()
}

func TestProviderKeepsWhatThePlannerReliesOn(t *testing.T) {
	t.Parallel()
	p := stack(t)
	p.one(atTree, "app@1")
	providertest.Run(t, providertest.Case{Open: p.open, Address: address("target.filesystem.site"), Dir: p.dir})
}

func address(s string) addr.Address {
	a, err := addr.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func want(t testing.TB, got []string, list ...string) {
	t.Helper()
	if diff := cmp.Diff(list, got); diff != "" {
		t.Error(diff)
	}
}
