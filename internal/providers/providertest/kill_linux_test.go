package providertest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestABuildThatWasEndedIsBegunAnew(t *testing.T) {
	needSandbox(t)
	// The script, whose text must stay the same, hangs before a moment and not
	// after it.
	moment := time.Now().Add(3 * time.Second)
	p := newPlace(t, recipe(fmt.Sprintf(
		"echo half > $prefix/half; [ $(date +%%s) -gt %d ] || sleep 60; rm -f $prefix/half; echo whole > $prefix/whole", moment.Unix())))
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for { // until the script runs
			if found, _ := filepath.Glob(filepath.Join(p.workDir(), "build", "*", "a-*", "half")); len(found) > 0 {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if r := p.carryOut(ctx, made, c); r.OK() || !r.Interrupted {
		t.Fatalf("%+v", r)
	}
	time.Sleep(time.Until(moment.Add(time.Second)))
	p.apply()
	if got := p.file("recipe.a", "whole"); got != "whole\n" {
		t.Error(got)
	}
	if _, err := os.Stat(filepath.Join(p.product("recipe.a"), "half")); err == nil {
		t.Error("what the build that was ended had made is in the product")
	}
	p.nothingToDo()
}

func TestAFullDisk(t *testing.T) {
	needSandbox(t)
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	for name, test := range map[string]struct{ script, want string }{
		"while the script runs":       {"head -c 20000000 /dev/zero > $prefix/x", "the script failed"},
		"while the product is packed": {"head -c 5000000 /dev/urandom > $prefix/x", "no space left on device"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, recipe(test.script))
			if err := os.Mkdir(p.workDir(), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount("tmpfs", p.workDir(), "tmpfs", 0, "size=8m"); err != nil {
				t.Skipf("cannot mount: %v", err)
			}
			defer unix.Unmount(p.workDir(), unix.MNT_DETACH)
			log, err := p.failure()
			if !strings.Contains(err.Error()+log, test.want) || !strings.Contains(err.Error()+log, "o space left on device") {
				t.Errorf("%v\n%s", err, log)
			}
			if left, _ := filepath.Glob(filepath.Join(p.workDir(), "tmp", "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if err := unix.Mount("tmpfs", p.workDir(), "tmpfs", unix.MS_REMOUNT, "size=200m"); err != nil {
				t.Skipf("cannot make it larger: %v", err)
			}
			p.apply()
			p.nothingToDo()
		})
	}
}
