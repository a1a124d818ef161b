package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"esd/internal/cli"
	"esd/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Init() // builds start this program again
	testscript.Main(m, map[string]func(){
		"esd": func() { os.Exit(cli.Main(os.Args[1:], cli.SystemIO())) },
		// One that takes its input for a terminal.
		"esd-asks": func() {
			io := cli.SystemIO()
			io.CanAsk = true
			os.Exit(cli.Main(os.Args[1:], io))
		},
	})
}

// TestScripts runs the scripts in testdata/script, one for each behaviour.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("LC_ALL", "C.UTF-8")
			// The race detector lets each process sleep a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code":      exitsWith,
			"waitfor":   waitFor,
			"snapshot":  snapshot,
			"json":      jsonDocument,
			"jsonlines": jsonLines,
			"spacklock": writeSpackLock, "buildcache": fillBuildcache,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// exitsWith runs a program and checks its exit code: code CODE PROGRAM ARGS...
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Logf("[stdout]\n%s[stderr]\n%s", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// waitFor waits until files exist: waitfor FILE...
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(30 * time.Second)
	for _, name := range args {
		for {
			if _, err := os.Stat(ts.MkAbs(name)); err == nil {
				break
			}
			if time.Now().After(deadline) {
				ts.Fatalf("%s has not come into being", name)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// snapshot lists what is in a directory, with modes, sizes and times:
// snapshot DIR FILE
func snapshot(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: snapshot DIR FILE")
	}
	var list []byte
	dir := ts.MkAbs(args[0])
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = fmt.Appendf(list, "%s %s %d %s\n", path, info.Mode(), info.Size(), info.ModTime().Format(time.RFC3339Nano))
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), list, 0o644))
}

// jsonDocument checks that the last program wrote one JSON document.
func jsonDocument(ts *testscript.TestScript, neg bool, args []string) {
	if out := ts.ReadFile("stdout"); !json.Valid([]byte(out)) {
		ts.Fatalf("not a JSON document:\n%s", out)
	}
}

// jsonLines checks that the last program wrote one JSON document a line.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	out := strings.TrimSuffix(ts.ReadFile("stdout"), "\n")
	for line := range strings.SplitSeq(out, "\n") {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("not a JSON document: %q", line)
		}
	}
}
