package backendtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Variables of the environment by which the suite tells a process what to be.
const (
	roleVariable     = "ESD_BACKENDTEST_ROLE"
	locationVariable = "ESD_BACKENDTEST_LOCATION"
	nameVariable     = "ESD_BACKENDTEST_NAME"
)

// Main is to be called from TestMain: it is m.Run(), except in a process that
// the suite has started to be another user of the store. open returns a client
// for the Location of a Store. The result is the exit code.
func Main(m *testing.M, open func(location string) backend.Backend) int {
	role := os.Getenv(roleVariable)
	if role == "" {
		return m.Run()
	}
	b, name := open(os.Getenv(locationVariable)), os.Getenv(nameVariable)
	var err error
	switch role {
	case "update":
		err = update(context.Background(), b, name)
	case "hold":
		err = hold(context.Background(), b)
	case "write":
		err = writeForever(context.Background(), b)
	default:
		err = fmt.Errorf("no role %q", role)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process returns the command that starts the test binary in a role.
func process(ctx context.Context, t *testing.T, role, location, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, locationVariable+"="+location, nameVariable+"="+name)
	return cmd
}

// update adds one object to the state under the lock, as an apply does.
func update(ctx context.Context, b backend.Backend, name string) error {
	l, err := backend.Acquire(ctx, b, request("update "+name), backend.WaitOptions{
		Timeout: 5 * time.Minute, MinDelay: 5 * time.Millisecond, MaxDelay: 200 * time.Millisecond,
	})
	if err != nil {
		return err
	}
	s, _, err := b.Read(ctx)
	if err != nil {
		return err
	}
	if s == nil {
		s = state.New(lineage, "0.1.0")
	}
	next := s.Clone()
	next.Serial++
	next.Put(object("recipe."+name, next.Serial))
	if err := l.Write(ctx, next); err != nil {
		return err
	}
	return l.Unlock(ctx)
}

// hold takes the lock, says so, and keeps it until the process is killed or its
// input ends.
func hold(ctx context.Context, b backend.Backend) error {
	l, err := b.Lock(ctx, request("hold"))
	if err != nil {
		return err
	}
	fmt.Println(l.Info().ID)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// writeForever writes one state after another and says which are written.
func writeForever(ctx context.Context, b backend.Backend) error {
	l, err := backend.Acquire(ctx, b, request("write"), backend.WaitOptions{Timeout: time.Minute})
	if err != nil {
		return err
	}
	s, _, err := b.Read(ctx)
	if err != nil {
		return err
	}
	serial := int64(0)
	if s != nil {
		serial = s.Serial
	}
	for {
		serial++
		if err := l.Write(ctx, sample(serial, interruptedObjects)); err != nil {
			return err
		}
		fmt.Println(serial)
	}
}

// mustHoldAll checks that n updates make one chain: one object for each serial.
func mustHoldAll(t *testing.T, store Store, n int) {
	t.Helper()
	s, _, err := store.Open().Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if s == nil || s.Serial != int64(n) || len(s.Objects) != n {
		t.Fatalf("after %d updates: %s", n, describe(s))
	}
	var serials []int64
	for _, o := range s.Objects {
		serial, _ := o.Attributes.Int("serial")
		serials = append(serials, serial)
	}
	slices.Sort(serials)
	for i, serial := range serials {
		if serial != int64(i+1) {
			t.Fatalf("serials do not make one chain: %v", serials)
		}
	}
}

func contention(t *testing.T, store Store, _ Options) {
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := update(context.Background(), store.Open(), fmt.Sprintf("p%d", i)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	mustHoldAll(t, store, n)
}

func processes(t *testing.T, store Store, opts Options) {
	if store.Location == "" {
		t.Skip("this store cannot be reached from other processes")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range opts.Processes {
		cmd := process(ctx, t, "update", store.Location, fmt.Sprintf("p%d", i))
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
	mustHoldAll(t, store, opts.Processes)
}

func killed(t *testing.T, store Store, opts Options) {
	if store.Location == "" {
		t.Skip("this store cannot be reached from other processes")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+opts.TakeOver)
	defer cancel()
	id, kill := startHolder(ctx, t, store)
	var locked *backend.LockedError
	if _, err := store.Open().Lock(ctx, request("apply")); !errors.As(err, &locked) || locked.Holder.ID != id {
		t.Errorf("while the holder lives: %v", err)
	}
	kill()
	if holder, err := store.Open().Holder(ctx); err != nil || holder == nil || holder.ID != id {
		t.Errorf("the dead holder is not shown: %v, %v", holder, err)
	}
	l, err := backend.Acquire(ctx, store.Open(), request("apply"), backend.WaitOptions{Timeout: opts.TakeOver})
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	told := false
	for _, n := range l.Notices() {
		told = told || strings.Contains(n.Detail, id)
	}
	if !told {
		t.Errorf("no notice names the lock of the dead holder: %+v", l.Notices())
	}
	mustWrite(t, l, sample(1, 1))
	mustUnlock(t, l)
	l = mustLock(t, store.Open(), "apply")
	for _, n := range l.Notices() {
		if strings.Contains(n.Detail, id) {
			t.Errorf("the next lock tells it again: %+v", n)
		}
	}
	mustUnlock(t, l)
}

// interruptedObjects makes a write long enough to be killed in its midst.
const interruptedObjects = 300

func interrupted(t *testing.T, store Store, opts Options) {
	if store.Location == "" {
		t.Skip("this store cannot be reached from other processes")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	last := int64(0)
	for round := range 10 {
		lines, kill := start(ctx, t, store, "write")
		// Every other time only once it has written, however long that takes here.
		killSoon := sync.OnceFunc(func() { time.AfterFunc(time.Duration(20+rand.IntN(100))*time.Millisecond, kill) })
		if round%2 == 0 {
			killSoon()
		}
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			killSoon()
			if last, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		kill()
		s, _, err := store.Open().Read(ctx)
		if err != nil {
			t.Fatalf("after a kill: %v", err)
		}
		// The last write may have come to its end before it could be said.
		if s == nil && last > 0 || s != nil && (s.Serial < last || s.Serial > last+1 || !s.Equal(sample(s.Serial, interruptedObjects))) {
			t.Fatalf("after a kill past serial %d: %s", last, describe(s))
		}
		if s != nil {
			last = s.Serial
		}
		l, err := backend.Acquire(ctx, store.Open(), request("apply"), backend.WaitOptions{Timeout: opts.TakeOver})
		if err != nil {
			t.Fatalf("lock after a kill: %v", err)
		}
		mustUnlock(t, l)
	}
	if last == 0 {
		t.Error("no process got as far as one write")
	}
}

// startHolder starts a process that holds the lock, and returns the ID of the
// lock and a function that kills the process.
func startHolder(ctx context.Context, t *testing.T, store Store) (id string, kill func()) {
	t.Helper()
	lines, kill := start(ctx, t, store, "hold")
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the holder did not get the lock: %v", err)
	}
	return strings.TrimSpace(line), kill
}

// start starts a process in a role, and returns its output and a function that
// kills it.
func start(ctx context.Context, t *testing.T, store Store, role string) (lines *bufio.Reader, kill func()) {
	t.Helper()
	cmd := process(ctx, t, role, store.Location, "")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait() // not cmd.Wait, which would close the pipe before it is read
	})
	t.Cleanup(func() {
		kill()
		_ = cmd.Wait()
	})
	return bufio.NewReader(out), kill
}
