package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/apply"
	"esd/internal/plan"
)

// play sends the events of a run with a failure and a retry to a follower, as
// time goes by.
func play(f Progress, p *plan.Plan, slow time.Duration) *apply.Report {
	counts := apply.Counts{Total: len(p.Steps), Remaining: -1}
	began := time.Now()
	send := func(e apply.Event) {
		e.Time, e.Counts = time.Now(), counts
		f.Event(e)
	}
	s := p.Steps
	send(apply.Event{Kind: apply.RunStarted, Plan: p})
	counts.Running = 2
	send(apply.Event{Kind: apply.StepStarted, Step: &s[0]})
	send(apply.Event{Kind: apply.StepStarted, Step: &s[1]})
	time.Sleep(slow)
	send(apply.Event{Kind: apply.StepProgress, Step: &s[0], Bytes: 3 << 20, TotalBytes: 12 << 20})
	send(apply.Event{Kind: apply.StepRetried, Step: &s[1], Err: errors.New("connection reset\nby peer"), Wait: 2 * time.Second, Log: "b.log"})
	time.Sleep(time.Second)
	counts.Running, counts.Done, counts.Remaining = 1, 1, 90*time.Second
	send(apply.Event{Kind: apply.StepDone, Step: &s[0], Elapsed: slow + time.Second})
	time.Sleep(time.Second)
	send(apply.Event{Kind: apply.Draining})
	counts.Running, counts.Failed = 0, 1
	send(apply.Event{Kind: apply.StepFailed, Step: &s[1], Err: errors.New("exit status 2\nmore"), Elapsed: slow + 2*time.Second, Log: "b.log"})
	r := &apply.Report{
		Done: []apply.Outcome{{Step: &s[0]}}, Interrupted: true, Elapsed: time.Since(began),
		Failed: []apply.Outcome{{Step: &s[1], Err: errors.New("exit status 2")}},
	}
	for i := range s[2:] {
		counts.Skipped++
		r.Skipped = append(r.Skipped, apply.Outcome{Step: &s[2+i], Because: s[1].ID})
		send(apply.Event{Kind: apply.StepSkipped, Step: &s[2+i], Because: s[1].ID})
	}
	send(apply.Event{Kind: apply.RunDone, Report: r, Elapsed: r.Elapsed})
	return r
}

func TestTheLogOfARunHasALineForEachStepAndAHeartbeatEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		f := NewPlain(&b, Options{}, Clock{})
		play(f, firstBuild(), 130*time.Second)
		for range 2 {
			if err := f.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, "progress_plain", b.Bytes())
	})
}

func TestTheStreamOfARunHasTerraformsShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := firstBuild()
		f := NewStream(&b, "0.1.0", Clock{})
		f.Plan(driftPlan())
		play(f, p, 70*time.Second)
		f.Error(errors.New("cannot publish:\nno route to host"))
		if err := f.Stop(); err != nil {
			t.Fatal(err)
		}
		golden(t, "stream", b.Bytes())
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"@level", "@message", "@module", "@timestamp", "type"} {
				if _, ok := m[name].(string); !ok {
					t.Errorf("no %s in %s", name, line)
				}
			}
		}
	})
}

// screen is as much of a terminal as the live region uses: what was written
// last in each row, and the width that no row may reach.
type screen struct {
	mu      sync.Mutex
	rows    []string
	at      int
	writes  int
	columns int
	wide    int // rows that reached the width
	cursor  bool
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	text := string(p)
	s.cursor = !strings.Contains(text, hideCursor) && s.cursor || strings.Contains(text, showCursor)
	text = strings.ReplaceAll(strings.ReplaceAll(text, hideCursor, ""), showCursor, "")
	var up int
	if rest, ok := strings.CutPrefix(text, "\r\x1b["); ok {
		if n, err := fmt.Sscanf(rest, "%dA", &up); n == 1 && err == nil {
			s.at -= up
			text = rest[strings.IndexByte(rest, 'A')+1:]
		}
	}
	if rest, ok := strings.CutPrefix(text, eraseBelow); ok {
		s.rows, text = s.rows[:s.at], rest
	}
	for {
		line, rest, ok := strings.Cut(text, "\r\n")
		if !ok {
			break
		}
		text = rest
		line, inFrame := strings.CutSuffix(line, eraseRight)
		if line = stripSequences(line); inFrame && displayWidth(line) >= s.columns {
			s.wide++
		}
		s.rows = append(s.rows[:s.at], append([]string{line}, s.rows[min(s.at+1, len(s.rows)):]...)...)
		s.at++
	}
	if text == eraseBelow {
		s.rows = s.rows[:s.at]
	}
	return len(p), nil
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.rows, "\n") + "\n"
}

func TestATerminalShowsRunningStepsBelowFinishedOnes(t *testing.T) {
	for name, columns := range map[string]int{"wide": 90, "middle": 50, "narrow": 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &screen{columns: columns, cursor: true}
				f := NewLive(s, LiveOptions{Options: Options{Unicode: true, Color: name == "wide"}, Size: func() (int, int) { return columns, 24 }})
				frames, shot := "", make(chan struct{})
				go func() {
					defer close(shot)
					for _, wait := range []time.Duration{5500, 1300, 1100} {
						time.Sleep(wait * time.Millisecond)
						frames += s.text() + "---\n"
					}
				}()
				p := firstBuild()
				p.Steps[1].Title = "build tools \x1b[31m日本語\x1b[0m 0.9"
				p.Steps[1].Address = "recipe.日本語-tools-of-a-long-name"
				play(f, p, 6*time.Second)
				time.Sleep(time.Second)
				if err := f.Stop(); err != nil {
					t.Fatal(err)
				}
				<-shot
				if !s.cursor || s.wide > 0 {
					t.Errorf("cursor shown: %v; rows as wide as the terminal: %d", s.cursor, s.wide)
				}
				golden(t, "live_"+name, []byte(frames+s.text()))
			})
		})
	}
}

func TestATerminalIsDrawnAtMostTenTimesASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &screen{columns: 80, cursor: true}
		f := NewLive(s, LiveOptions{})
		step := aStep("recipe.a", "fetch", "fetch a")
		f.Event(apply.Event{Kind: apply.RunStarted, Time: time.Now(), Plan: emptyPlan(), Counts: apply.Counts{Total: 1}})
		f.Event(apply.Event{Kind: apply.StepStarted, Time: time.Now(), Step: &step})
		for i := range 10000 {
			f.Event(apply.Event{Kind: apply.StepProgress, Time: time.Now(), Step: &step, Bytes: int64(i), TotalBytes: 10000})
			time.Sleep(time.Millisecond)
		}
		_ = f.Stop()
		if s.writes > 103 {
			t.Errorf("%d writes in 10 s", s.writes)
		}
		t.Logf("%d writes for 10,000 events in 10 s", s.writes)
	})
}

func TestATerminalThatGetsNarrowerIsErasedWhole(t *testing.T) {
	s := &screen{columns: 100, cursor: true}
	columns := 100
	ticks := make(chan time.Time)
	now := time.Unix(0, 0)
	f := NewLive(s, LiveOptions{Options: Options{Unicode: true}, Size: func() (int, int) { return columns, 24 }, Clock: Clock{
		Now: func() time.Time { return now }, Ticks: func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} },
	}})
	step := aStep("recipe.a", "fetch", "fetch a")
	f.Event(apply.Event{Kind: apply.RunStarted, Time: now, Counts: apply.Counts{Total: 1, Remaining: -1}})
	f.Event(apply.Event{Kind: apply.StepStarted, Time: now, Step: &step, Counts: apply.Counts{Total: 1, Remaining: -1}})
	ticks <- now
	ticks <- now // the first frame is done
	f.mu.Lock()
	if got := f.height(50); got != 3 {
		t.Errorf("a row of 99 columns and a short one take %d rows of 50, want 3", got)
	}
	f.mu.Unlock()
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAFollowerReportsThatItCouldNotWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, f := range []Progress{NewPlain(broken{}, Options{}, Clock{}), NewStream(broken{}, "", Clock{}), NewLive(broken{}, LiveOptions{})} {
			play(f, firstBuild(), time.Second)
			if err := f.Stop(); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%T: %v", f, err)
			}
		}
	})
}

func TestTimeLeftIsToldRoughly(t *testing.T) {
	now := time.Unix(100, 0)
	for left, want := range map[time.Duration]string{
		-1: "", 3 * time.Second: "a few seconds left", 95 * time.Second: "about 1m35s left",
		754 * time.Second: "about 13m left", 2*time.Hour + 90*time.Second: "about 2h02m left",
	} {
		b := board{seen: now, counts: apply.Counts{Remaining: left}}
		if diff := cmp.Diff(want, b.left(now)); diff != "" {
			t.Error(diff)
		}
	}
}
