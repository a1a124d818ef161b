package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// victim is the configuration that is killed: recipes in a row, side by side
// and joined, an image of them in a layout and in a registry.
func victim(host, repository string) map[string]string {
	var b strings.Builder
	b.WriteString("cache \"artifact\" \"shared\" {\n  url = \"../cache\"\n}\n")
	packages := []string{"recipe.join"}
	simple := func(name, needs string, size int) {
		fmt.Fprintf(&b, `recipe %q {
  version = "1.0"
  needs   = [%s]
  script  = <<-EOT
    mkdir -p "$prefix/share"
    i=0; while [ $i -lt %d ]; do echo "%s line $i"; i=$((i+1)); done > "$prefix/share/%s"
  EOT
}
`, name, needs, size, name, name)
	}
	before := ""
	for i := range 4 {
		name := fmt.Sprintf("chain%d", i)
		simple(name, before, 200*(i+1))
		before = "recipe." + name
	}
	joined := []string{before}
	for i := range 7 {
		name := fmt.Sprintf("wide%d", i)
		simple(name, "", 500*(i+1))
		joined = append(joined, "recipe."+name)
	}
	simple("join", strings.Join(joined, ", "), 100)
	if _, err := exec.LookPath("cc"); err == nil {
		b.WriteString(`recipe "program" {
  version = "1.0"
  source { path = "src" }
  needs   = [recipe.wide0]
  script  = "mkdir -p $prefix/bin; cc -o $prefix/bin/program program.c"
}
`)
		packages = append(packages, "recipe.program")
	}
	fmt.Fprintf(&b, `target "image" "lab" {
  packages = [%s]
  files    = { "/etc/about" = "about.txt" }
  publish  = ["oci:dist/lab:v1", "%s/%s:v1"]
}
output "digest" { value = target.image.lab.digest }
`, strings.Join(packages, ", "), host, repository)
	return map[string]string{
		"esd.hcl": b.String(), "about.txt": "the image that was killed\n",
		"src/program.c": "#include <stdio.h>\nint main(void) { puts(\"program\"); return 0; }\n",
	}
}

// seed is that of the random moments; a failure is repeated with it.
func seed(t testing.TB) uint64 {
	t.Helper()
	s := uint64(time.Now().UnixNano())
	if text := os.Getenv("ESD_E2E_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ESD_E2E_SEED=%d", s)
	return s
}

// moment is when a run is killed: so long after its start, or after it has
// told of so many events.
type moment struct {
	after  time.Duration
	events int  // 0: only the time counts
	last   bool // after the last event of a run, when it records the state
}

func (m moment) String() string {
	if m.events > 0 {
		return fmt.Sprintf("%v after event %d", m.after.Round(time.Microsecond), m.events)
	}
	return fmt.Sprintf("after %v", m.after.Round(100*time.Microsecond))
}

// moments spreads half of the kills evenly over the time of an undisturbed run,
// and the other half around its events, the boundaries of steps.
func moments(r *rand.Rand, n int, took time.Duration, events int) []moment {
	list := make([]moment, n)
	for i := range list {
		if i%2 == 0 {
			list[i].after = time.Duration((float64(i) + 2*r.Float64()) / float64(n) * float64(took))
			continue
		}
		list[i].events = 1 + (i/2)*events/(n/2)
		list[i].after = time.Duration(r.Float64() * r.Float64() * 4e6)
	}
	return list
}

// killed runs esd and kills it, and nothing else, at a moment. It gives what
// it had told, and whether the kill met a running process.
func (m *machine) killed(at moment, args ...string) (events, bool) {
	m.t.Helper()
	cmd := m.command(args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	if at.events == 0 && !at.last {
		time.AfterFunc(at.after, func() { _ = cmd.Process.Kill() })
	}
	var told strings.Builder
	lines := bufio.NewReader(stdout)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		told.WriteString(line)
		if err == io.EOF {
			break
		}
		if err != nil {
			m.t.Fatal(err)
		}
		if n == at.events || at.last && strings.Contains(line, `"operation":"apply"`) {
			time.Sleep(at.after)
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	met := cmd.ProcessState.ExitCode() == -1
	if !met && cmd.ProcessState.ExitCode() != 0 {
		m.t.Errorf("esd %s exits with %d before it is killed:\n%s%s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), told.String(), stderr.String())
	}
	return parseEvents(m.t, told.String()), met
}

var applyJSON = []string{"apply", "--auto-approve", "--format=json"}

func TestARunThatIsKilledAtAnyMomentLosesOnlyWhatWasRunning(t *testing.T) {
	t.Parallel()
	n := 100
	if testing.Short() {
		n = 20
	}
	host := newRegistry(t, nil)
	first := newMachine(t, victim(host, "kill/undisturbed"))
	begun := time.Now()
	whole := first.apply()
	took := time.Since(begun)
	digest := first.output("digest")
	all := records(t, first.path("../cache"))
	first.wantNothingToDo()

	var tally killTally
	list := moments(rand.New(rand.NewPCG(seed(t), 0)), n, took, len(whole))
	t.Cleanup(func() { tally.log(t, n, took, len(all)) })
	work := make(chan int)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for i := range work {
				t.Run(fmt.Sprintf("kill %d %v", i, list[i]), func(t *testing.T) {
					repository := fmt.Sprintf("kill/trial%d", i)
					m := newMachine(t, victim(host, repository))
					tally.add(killOnce(t, m, list[i], all, digest))
					if got := tagged(t, host, repository, "v1"); got != digest {
						t.Errorf("the registry has %s under the tag, want %s", got, digest)
					}
				})
			}
		})
	}
	for i := range list {
		work <- i
	}
	close(work)
	workers.Wait()
}

// killTally sums up what the kills met.
type killTally struct {
	met, finished, again, fetched, stray atomic.Int64
	resumed                              atomic.Int64 // nanoseconds
}

type killResult struct {
	met                             bool
	finished, again, fetched, stray int
	resumed                         time.Duration
}

func (k *killTally) add(r killResult) {
	if r.met {
		k.met.Add(1)
	}
	k.finished.Add(int64(r.finished))
	k.again.Add(int64(r.again))
	k.fetched.Add(int64(r.fetched))
	k.stray.Add(int64(r.stray))
	k.resumed.Add(int64(r.resumed))
}

func (k *killTally) log(t *testing.T, n int, took time.Duration, packages int) {
	t.Logf("%d kills over %v, %d met the running program; of %d packages each, %.1f were in the cache when it was killed, "+
		"%.1f were built by the next run (which took %v) and %.1f fetched; none was built again; %d temporary files were left behind",
		n, took.Round(time.Millisecond), k.met.Load(), packages, float64(k.finished.Load())/float64(n), float64(k.again.Load())/float64(n),
		(time.Duration(k.resumed.Load()) / time.Duration(n)).Round(time.Millisecond), float64(k.fetched.Load())/float64(n), k.stray.Load())
}

// killOnce kills one run and judges what is left, and what the next run makes
// of it.
func killOnce(t *testing.T, m *machine, at moment, all map[string]string, digest string) killResult {
	t.Helper()
	told, met := m.killed(at, applyJSON...)
	wantNoProcess(t, m.dir)
	m.want(0, "state", "list")
	if got := layoutTag(t, m.path("dist/lab"), "v1"); got != "" && got != digest {
		t.Errorf("the layout has %s under the tag, which is neither nothing nor the image", got)
	}
	finished := records(t, m.path("../cache"))
	for name, record := range finished {
		if record != all[name] {
			t.Errorf("the run that was killed has made %s as %s, want %s", name, record, all[name])
		}
	}
	for _, address := range told.completed("build") {
		if _, ok := finished[strings.TrimPrefix(address, "recipe.")]; !ok {
			t.Errorf("%s was told to be complete, and is not in the cache", address)
		}
	}

	begun := time.Now()
	next := m.apply()
	result := killResult{met: met, finished: len(finished), resumed: time.Since(begun), fetched: len(next.completed("fetch"))}
	var want []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, done := finished[name]; !done {
			want = append(want, "recipe."+name)
		}
	}
	built := next.completed("build")
	result.again = len(built)
	if !slices.Equal(built, want) {
		t.Errorf("the next run has built %v, want %v", built, want)
	}
	if got := m.output("digest"); got != digest {
		t.Errorf("the image is %s, want %s as without a kill", got, digest)
	}
	if got := layoutTag(t, m.path("dist/lab"), "v1"); got != digest {
		t.Errorf("the layout has %s under the tag, want %s", got, digest)
	}
	if diff := cmp.Diff(all, records(t, m.path("../cache"))); diff != "" {
		t.Errorf("the cache has other products than without a kill:\n%s", diff)
	}
	for _, pattern := range []string{"../cache/tmp/*", ".esd/tmp/*", ".esd/build/*", ".esd/*.tmp.*", "dist/lab/.esd-ingest/*"} {
		left, _ := filepath.Glob(m.path(pattern))
		result.stray += len(left)
		for _, l := range left {
			t.Logf("left behind: %s", l)
		}
	}
	m.wantNothingToDo()
	return result
}
