package filesystem_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"esd/internal/providers"
	"esd/internal/providers/filesystem"
)

// The configuration that a child applies, and its working data.
const (
	childDir  = "ESD_TEST_FILESYSTEM_CHILD"
	childWork = "ESD_TEST_FILESYSTEM_CHILD_WORK"
)

// TestChildApplies is what the processes that are killed do.
func TestChildApplies(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("is run by other tests")
	}
	p := newPlace(t)
	p.dir, p.work = dir, os.Getenv(childWork)
	p.adopt()
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path("begun"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.carryOut(made, c)
}

func TestARunThatIsKilledAnywhereIsCompletedByTheNext(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.toy("zlib@1")
	roots := []string{}
	for i := range 20 {
		p.toy(fmt.Sprintf("leaf%02d@1", i), "zlib@1:link")
		roots = append(roots, fmt.Sprintf("leaf%02d@1", i))
	}
	p.one(atTree, roots...)
	states := map[int]bool{}
	for delay := time.Duration(0); delay < 60*time.Millisecond; delay += 5 * time.Millisecond {
		p.killed(delay)
		states[p.prefixes("tree")] = true
		if t.Failed() {
			return
		}
	}
	t.Logf("killed with so many prefixes in place: %v", states)
	p.apply()
	if got := p.installed("tree"); len(got) != 21 {
		t.Errorf("%v", got)
	}
	p.nothingToDo()
	p.apply(destroying) // also what killed runs have installed is the target's
	if _, err := os.Stat(p.path("tree")); err == nil {
		left, _ := exec.Command("find", p.path("tree")).Output()
		t.Errorf("something is left of the tree:\n%s", left)
	}
}

// killed runs an apply and kills it.
func (p *place) killed(delay time.Duration) {
	p.Helper()
	_ = os.Remove(p.path("begun"))
	child := exec.Command(os.Args[0], "-test.run=^TestChildApplies$")
	child.Env = append(os.Environ(), childDir+"="+p.dir, childWork+"="+p.work, "TMPDIR="+p.TempDir())
	if err := child.Start(); err != nil {
		p.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	for {
		if _, err := os.Stat(p.path("begun")); err == nil {
			break
		}
		select {
		case err := <-ended:
			p.Errorf("it ended before it began: %v", err)
			return
		case <-time.After(time.Millisecond):
		}
	}
	time.Sleep(delay)
	_ = child.Process.Kill()
	<-ended
}

func (p *place) prefixes(tree string) int {
	found, _ := filepath.Glob(filepath.Join(p.path(tree), "linux-x86_64_v3", "*"))
	return len(found)
}

func TestADatabaseThatSomebodyElseLockedIsAnErrorAfterAWhile(t *testing.T) {
	t.Parallel()
	p := stack(t)
	p.asSomebodyElse("tree", "zlib@1.2")
	p.one(atTree, "app@1")
	made, c, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(p.path("tree/.spack-db/lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	whole := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(lock.Fd(), unix.F_OFD_SETLK, &whole); err != nil {
		t.Skipf("no locks here: %v", err)
	}
	impatient := filesystem.New(filesystem.Options{WorkDir: p.work, Archives: p.archives(), LockTimeout: 50 * time.Millisecond})
	step := made.Steps[0]
	_, err = impatient.Apply(context.Background(), providers.Run{
		Address: address(step.Address), Op: step.Op, Key: step.Key, Spec: step.Spec, CPUs: 2, Log: t.Output(), Progress: func(_, _ int64) {},
	})
	wantError(t, err, "locked by", ".spack-db/lock", "wait until it has ended")
	lock.Close()
	if r := p.carryOut(made, c); !r.OK() {
		t.Errorf("%+v", r.Failed)
	}
	want(t, p.installed("tree"), "app@1*", "hdf@1", "zlib@1.2*")
}

func TestAPackageThatSomebodyElseInstallsIsAnErrorAfterAWhile(t *testing.T) {
	t.Parallel()
	p := stack(t)
	p.one(atTree, "zlib@1.2")
	made, _, err := p.plan()
	if err != nil {
		t.Fatal(err)
	}
	step := made.Steps[0]
	impatient := filesystem.New(filesystem.Options{WorkDir: p.work, Archives: p.archives(), PackageTimeout: 50 * time.Millisecond})
	began, done := make(chan struct{}), make(chan error, 1)
	release := make(chan struct{})
	go func() { done <- p.installSlowly("zlib@1.2", began, release) }()
	<-began
	_, err = impatient.Apply(context.Background(), providers.Run{
		Address: address(step.Address), Op: step.Op, Key: step.Key, Spec: step.Spec, CPUs: 2, Log: t.Output(), Progress: func(_, _ int64) {},
	})
	wantError(t, err, "zlib@1.2", "locked by")
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	want(t, p.installed("tree"), "zlib@1.2*")
}
