package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
)

func TestStepsRunAfterWhatTheyNeed(t *testing.T) {
	s := newSetting(t, planOf("app: lib tool", "lib: base", "tool", "base"))
	for _, st := range s.opts.Plan.Steps {
		id, needs := st.ID, st.Needs
		s.fake.does[strings.TrimPrefix(st.Address, "recipe.")] = func(context.Context, providers.Run) (providers.Result, error) {
			for _, n := range needs {
				if !s.journal.has(n) {
					t.Errorf("%s began before the journal had %s", id, n)
				}
			}
			return providers.Result{}, nil
		}
	}
	if r := s.run(t, t.Context()); !r.OK() || r.Recorded != 4 {
		t.Errorf("%s, %d recorded", ended(r), r.Recorded)
	}
}

func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		plan  []string
		does  map[string]behave
		opts  func(*apply.Options)
		ended string
		err   string // in the outcome of the step that failed
	}{
		"a failed step fails what needs it, and nothing else": {
			[]string{"lib", "app: lib", "top: app", "other"}, map[string]behave{"lib": fails}, nil,
			"done: other; failed: lib; skipped: app top", "it is broken",
		},
		"with fail-fast nothing more is started": {
			[]string{"a", "b", "c"}, map[string]behave{"a": fails, "b": fails, "c": fails},
			func(o *apply.Options) { o.FailFast, o.CPUs = true, 1 }, "done: ; failed: a; skipped: b c", "it is broken",
		},
		"a provider that panics fails its step": {
			[]string{"a", "b"}, map[string]behave{"a": func(context.Context, providers.Run) (providers.Result, error) { panic("index out of range") }}, nil,
			"done: b; failed: a; skipped: ", "this is a bug in esd: index out of range",
		},
		"a step without a provider fails": {
			[]string{"a"}, nil, func(o *apply.Options) { o.Provider = func(string) providers.Provider { return nil } },
			"done: ; failed: a; skipped: ", "no provider for recipe",
		},
		"a step whose log cannot be written fails": {
			[]string{"a"}, map[string]behave{"a": func(_ context.Context, run providers.Run) (providers.Result, error) {
				_, _ = fmt.Fprintln(run.Log, "hello")
				return providers.Result{}, nil
			}}, func(o *apply.Options) { o.LogDir = "/dev/null/logs" }, "done: ; failed: a; skipped: ", "writing the log",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t, planOf(test.plan...))
			s.fake.does = test.does
			if test.opts != nil {
				test.opts(&s.opts)
			}
			r := s.run(t, t.Context())
			if got := ended(r); got != test.ended {
				t.Errorf("%s, want %s", got, test.ended)
			}
			if len(r.Failed) == 0 || !strings.Contains(r.Failed[0].Err.Error(), test.err) {
				t.Errorf("%v", r.Failed)
			}
			if r.OK() {
				t.Error("a run with failures is not OK")
			}
			for _, o := range r.Failed {
				if s.opts.State.Get(o.Step.Address) != nil {
					t.Errorf("%s failed and is recorded", o.Step.ID)
				}
			}
		})
	}
	t.Run("what was skipped says because of whom", func(t *testing.T) {
		s := newSetting(t, planOf("lib", "app: lib", "top: app"))
		s.fake.does["lib"] = fails
		for _, o := range s.run(t, t.Context()).Skipped {
			if o.Because != "recipe.lib#build" {
				t.Errorf("%s because of %q", o.Step.ID, o.Because)
			}
		}
	})
	t.Run("the log of a panic has the stack", func(t *testing.T) {
		s := newSetting(t, planOf("a"))
		s.fake.does["a"] = func(context.Context, providers.Run) (providers.Result, error) { panic("ouch") }
		data, err := os.ReadFile(s.run(t, t.Context()).Failed[0].Log)
		if err != nil || !strings.Contains(string(data), "run_test.go") {
			t.Errorf("%v %s", err, data)
		}
	})
}

func TestInterrupts(t *testing.T) {
	waits := func(started chan<- struct{}) behave {
		return func(ctx context.Context, _ providers.Run) (providers.Result, error) {
			close(started)
			select {
			case <-time.After(time.Hour):
				return providers.Result{}, nil
			case <-ctx.Done():
				return providers.Result{}, context.Cause(ctx)
			}
		}
	}
	for name, test := range map[string]struct {
		interrupt func(drain chan struct{}, cancel context.CancelFunc)
		ended     string
		elapsed   time.Duration
		kind      apply.EventKind
	}{
		"the first lets running steps finish and starts nothing more": {
			func(drain chan struct{}, _ context.CancelFunc) { close(drain) }, "done: a; failed: ; skipped: b c", time.Hour, apply.Draining,
		},
		"the second ends running steps": {
			func(_ chan struct{}, cancel context.CancelFunc) { cancel() }, "done: ; failed: a; skipped: b c", 0, apply.Stopping,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSetting(t, planOf("a", "b: a", "c"))
				s.opts.CPUs = 1
				drain, started := make(chan struct{}), make(chan struct{})
				s.opts.Drain = drain
				s.fake.does["a"] = waits(started)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					<-started
					test.interrupt(drain, cancel)
				}()
				begin := time.Now()
				r := s.run(t, ctx)
				if got := ended(r); got != test.ended || !r.Interrupted || r.OK() {
					t.Errorf("%s, interrupted %v", got, r.Interrupted)
				}
				if got := time.Since(begin); got != test.elapsed || r.Elapsed != test.elapsed {
					t.Errorf("it took %s, and says %s", got, r.Elapsed)
				}
				told := false
				for _, e := range s.events {
					told = told || e.Kind == test.kind
				}
				if !told {
					t.Errorf("no event says %s", test.kind)
				}
			})
		})
	}
	t.Run("of a run that has not begun: nothing is started", func(t *testing.T) {
		s := newSetting(t, planOf("a", "b"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if r := s.run(t, ctx); ended(r) != "done: ; failed: ; skipped: a b" || !r.Interrupted {
			t.Errorf("%s, interrupted %v", ended(r), r.Interrupted)
		}
	})
}

func TestRetries(t *testing.T) {
	network := func() error { return fmt.Errorf("fetching: %w", &providers.RetryError{Err: errors.New("503")}) }
	for name, test := range map[string]struct {
		fails   int // how many attempts fail
		err     func() error
		ok      bool
		ran     int
		elapsed time.Duration
		cpus    []int
	}{
		"what may go away is tried again, ever later":    {2, network, true, 3, 3 * time.Second, []int{4, 4, 4}},
		"but not for ever":                               {9, network, false, 4, 7 * time.Second, []int{4, 4, 4, 4}},
		"anything else is not":                           {9, func() error { return errBroken }, false, 1, 0, []int{4}},
		"out of memory is tried once with half the jobs": {1, func() error { return &providers.RetryError{Err: errBroken, OutOfMemory: true} }, true, 2, 0, []int{4, 2}},
		"and not a second time":                          {9, func() error { return &providers.RetryError{Err: errBroken, OutOfMemory: true} }, false, 2, 0, []int{4, 2}},
		"a step that took too long is not": {
			9, func() error { time.Sleep(time.Minute); return network() }, false, 1, time.Minute, []int{4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSetting(t, planOf("a"))
				s.opts.Backoff = time.Second
				s.opts.Plan.Steps[0].Resources = providers.Resources{CPUs: 4, Timeout: 30 * time.Second}
				var cpus []int
				s.fake.does["a"] = func(_ context.Context, run providers.Run) (providers.Result, error) {
					cpus = append(cpus, run.CPUs)
					if run.Attempt != len(cpus) && run.Attempt != 4 {
						t.Errorf("attempt %d is called %d", len(cpus), run.Attempt)
					}
					if len(cpus) <= test.fails {
						return providers.Result{}, test.err()
					}
					return providers.Result{}, nil
				}
				begin := time.Now()
				r := s.run(t, t.Context())
				if r.OK() != test.ok || time.Since(begin) != test.elapsed {
					t.Errorf("ok %v after %s", r.OK(), time.Since(begin))
				}
				if diff := cmp.Diff(test.cpus, cpus); diff != "" {
					t.Error(diff)
				}
				retried := 0
				for _, e := range s.events {
					if e.Kind == apply.StepRetried {
						retried++
						if e.Err == nil {
							t.Error("a retry says why")
						}
					}
				}
				if retried != test.ran-1 {
					t.Errorf("%d events of retries", retried)
				}
			})
		})
	}
	t.Run("an interrupt ends the waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newSetting(t, planOf("a"))
			s.opts.Backoff = time.Hour
			s.fake.does["a"] = func(context.Context, providers.Run) (providers.Result, error) { return providers.Result{}, network() }
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if r := s.run(t, ctx); r.Elapsed != time.Second || !r.Interrupted {
				t.Errorf("%s after %s", ended(r), r.Elapsed)
			}
		})
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetting(t, planOf("a", "b: a", "c"))
		s.opts.Plan.Steps[0].Resources.Timeout = 30 * time.Second
		s.fake.does["a"] = func(ctx context.Context, _ providers.Run) (providers.Result, error) {
			<-ctx.Done()
			return providers.Result{}, errors.New("the script was ended by signal 9")
		}
		r := s.run(t, t.Context())
		var late *apply.TimeoutError
		if ended(r) != "done: c; failed: a; skipped: b" || !errors.As(r.Failed[0].Err, &late) || late.Limit != 30*time.Second {
			t.Errorf("%s: %v", ended(r), r.Failed)
		}
		if got := r.Failed[0].Err.Error(); got != "took longer than its timeout of 30s (the script was ended by signal 9)" {
			t.Error(got)
		}
		if r.Interrupted {
			t.Error("a timeout is no interrupt")
		}
	})
}

func TestTheJournalIsWhatCounts(t *testing.T) {
	full := errors.New("no space left on device")
	t.Run("a step that cannot be recorded has failed, and nothing more is started", func(t *testing.T) {
		s := newSetting(t, planOf("a", "b", "c: a"))
		s.opts.CPUs = 1
		s.journal.fail = func(apply.Entry) error { return full }
		report, err := apply.Run(t.Context(), s.opts)
		if !errors.Is(err, apply.ErrJournal) || !errors.Is(err, full) {
			t.Error(err)
		}
		if got := ended(report); got != "done: ; failed: a; skipped: b c" {
			t.Error(got)
		}
		s.checkEvents(t, report)
	})
	t.Run("a move that cannot be recorded ends the run as any other", func(t *testing.T) {
		s := newSetting(t, planOf("a"))
		s.opts.State.Put(object("recipe.old"))
		s.opts.Plan.Changes = append(s.opts.Plan.Changes, plan.Change{Address: "recipe.new", From: "recipe.old", Action: plan.Move})
		s.journal.fail = func(apply.Entry) error { return full }
		report, err := apply.Run(t.Context(), s.opts)
		if !errors.Is(err, apply.ErrJournal) || report == nil {
			t.Fatal(report, err)
		}
		if got := ended(report); got != "done: ; failed: ; skipped: a" {
			t.Error(got)
		}
		s.checkEvents(t, report)
	})
}

func TestResources(t *testing.T) {
	hour := func(ctx context.Context, run providers.Run) (providers.Result, error) {
		time.Sleep(time.Hour)
		return providers.Result{}, nil
	}
	for name, test := range map[string]struct {
		cpus, memory []int
		opts         apply.Options
		hours        int
	}{
		"processors are shared":                           {[]int{2, 2, 2, 2}, []int{0, 0, 0, 0}, apply.Options{CPUs: 4}, 2},
		"memory is shared":                                {[]int{1, 1, 1}, []int{6, 6, 4}, apply.Options{CPUs: 8, Memory: 10}, 2},
		"a step that wants more than there is runs alone": {[]int{9, 1}, []int{0, 0}, apply.Options{CPUs: 4}, 2},
		"and with more memory than there is too":          {[]int{1, 1}, []int{99, 1}, apply.Options{CPUs: 4, Memory: 10}, 2},
		"no limit of memory is none":                      {[]int{1, 1}, []int{1 << 40, 1 << 40}, apply.Options{CPUs: 4}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var lines []string
				for i := range test.cpus {
					lines = append(lines, fmt.Sprint("p", i))
				}
				s := newSetting(t, planOf(lines...))
				s.opts.CPUs, s.opts.Memory = test.opts.CPUs, test.opts.Memory
				for i := range test.cpus {
					s.opts.Plan.Steps[i].Resources = providers.Resources{CPUs: test.cpus[i], Memory: int64(test.memory[i])}
					s.fake.does[fmt.Sprint("p", i)] = hour
				}
				if r := s.run(t, t.Context()); r.Elapsed != time.Duration(test.hours)*time.Hour || !r.OK() {
					t.Errorf("it took %s", r.Elapsed)
				}
			})
		})
	}
}

func TestEventsTellBytesAndTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetting(t, planOf("a", "b: a"))
		s.opts.CPUs = 1
		for i := range s.opts.Plan.Steps {
			s.opts.Plan.Steps[i].Seconds = 60
			s.fake.does[string(rune('a'+i))] = func(_ context.Context, run providers.Run) (providers.Result, error) {
				run.Progress(5, 10)
				time.Sleep(time.Minute)
				return providers.Result{Downloaded: 3, Uploaded: 4, Size: 9}, nil
			}
		}
		r := s.run(t, t.Context())
		if r.Downloaded != 6 || r.Uploaded != 8 {
			t.Errorf("%d down, %d up", r.Downloaded, r.Uploaded)
		}
		var left []time.Duration
		for _, e := range s.events {
			switch e.Kind {
			case apply.StepProgress:
				if e.Bytes != 5 || e.TotalBytes != 10 {
					t.Errorf("%+v", e)
				}
			case apply.StepDone:
				left = append(left, e.Counts.Remaining)
				if e.Elapsed != time.Minute {
					t.Errorf("took %s", e.Elapsed)
				}
			}
		}
		if diff := cmp.Diff([]time.Duration{time.Minute, 0}, left); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLogNames(t *testing.T) {
	long := "recipe." + strings.Repeat("a", 400) + "#build"
	for id, want := range map[string]string{
		"recipe.greet#build":                                 "recipe.greet.build.log",
		`recipe.greet["zen3"]#build`:                         "recipe.greet_zen3.build-*.log",
		"target.image.lab#publish oci:../../../etc/passwd:1": "target.image.lab.publish_oci_.._.._.._etc_passwd_1-*.log",
		"..#..":                      "......log",
		"recipe.größe#build":         "recipe.gr__e.build-*.log",
		"recipe.a\x00b\n#build":      "recipe.a_b_.build-*.log",
		long:                         long[:200] + "-*.log",
		"target.image.lab#check a#b": "target.image.lab.check_a.b-*.log",
	} {
		got := apply.LogName(id)
		if ok, err := filepath.Match(want, got); err != nil || !ok {
			t.Errorf("LogName(%q) = %s, want %s", id, got, want)
		}
		if filepath.Base(got) != got || len(got) > 255 || got == "." || got == ".." {
			t.Errorf("LogName(%q) = %s is no file name", id, got)
		}
	}
	seen := map[string]string{}
	for _, id := range []string{
		"t.x#check a b", "t.x#check a_b", "t.x#check a.b", "t.x#check a#b", "t.x#check/a b", `t.x["a"]#b`, "t.x_a#b", `t.x["a"#b`, "t.xa#b",
		strings.Repeat("x", 300) + "a#b", strings.Repeat("x", 300) + "b#b",
	} {
		name := apply.LogName(id)
		if other, taken := seen[name]; taken {
			t.Errorf("%q and %q have the same log %s", id, other, name)
		}
		seen[name] = id
	}
}

func TestLogsAreMadeWhenThereIsSomethingToSay(t *testing.T) {
	s := newSetting(t, planOf("silent", "talks"))
	s.fake.does["talks"] = func(_ context.Context, run providers.Run) (providers.Result, error) {
		_, err := fmt.Fprint(run.Log, "hello")
		return providers.Result{}, err
	}
	for _, o := range s.run(t, t.Context()).Done {
		if o.Step.Address == "recipe.silent" && o.Log != "" {
			t.Error("a silent step has a log")
		}
		if data, _ := os.ReadFile(o.Log); o.Step.Address == "recipe.talks" && string(data) != "hello" {
			t.Errorf("%s: %q", o.Log, data)
		}
	}
}
