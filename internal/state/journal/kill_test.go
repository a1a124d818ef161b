package journal_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"esd/internal/state/journal"
)

const childVariable = "ESD_JOURNAL_TEST_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(appendForever(dir))
	}
	os.Exit(m.Run())
}

// appendForever is the process that is killed. It acknowledges on its output
// what is in the journal.
func appendForever(dir string) int {
	w, err := journal.Create(dir, header(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := entry(fmt.Sprintf("p%d-%d", g, i), at1)
				if err := w.Append(e); err != nil {
					return
				}
				// One write each, so that lines of several goroutines stay whole.
				os.Stdout.WriteString(e.Step + "\n")
			}
		})
	}
	wg.Wait()
	return 1
}

func TestWhatWasAppendedSurvivesAKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	total := 0
	for range rounds {
		dir := t.TempDir()
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(5+rand.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		acknowledged := readLines(bufio.NewReader(out))
		_ = cmd.Wait()
		kill.Stop()

		journals, err := journal.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		have := map[string]bool{}
		for _, j := range journals {
			if j.Live {
				t.Error("the journal of a dead run is called live")
			}
			for _, e := range j.Entries {
				have[e.Step] = true
			}
		}
		for _, step := range acknowledged {
			if !have[step] {
				t.Fatalf("%q was acknowledged and is lost; %d others are there", step, len(have))
			}
		}
		total += len(acknowledged)
	}
	if total == 0 {
		t.Error("no child got as far as one append")
	}
	t.Logf("%d appends survived %d kills", total, rounds)
}

// readLines reads whole lines until the input ends.
func readLines(r *bufio.Reader) []string {
	var lines []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return lines
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}
