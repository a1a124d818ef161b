package store

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestSbangRunsTheInterpreterOfTheSecondLine(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s := openStore(t, root, Options{})
	if err := s.installSbang(); err != nil {
		t.Fatal(err)
	}
	sbang := filepath.Join(root, "bin", "sbang")
	for name, c := range map[string]struct{ lines, want string }{
		"an interpreter":     {"#!/long/python3", "/long/python3 FILE a b c"},
		"with an argument":   {"#!/long/python3 -E", "/long/python3 -E FILE a b c"},
		"after a blank":      {"#! /bin/sh", "/bin/sh FILE a b c"},
		"by env":             {"#!/usr/bin/env python3", "/usr/bin/env python3 FILE a b c"},
		"perl":               {"#!/long/perl -w", "/long/perl -w -x FILE a b c"},
		"ruby by env":        {"#!/usr/bin/env ruby", "/usr/bin/env ruby -x FILE a b c"},
		"lua":                {"--!/long/lua", "/long/lua FILE a b c"},
		"node":               {"//!/long/node", "/long/node FILE a b c"},
		"php":                {"<?php #!/long/php ?>", "/long/php FILE a b c"},
		"a pattern":          {"#!/long/* -x", "/long/* -x FILE a b c"},
		"no end of the line": {"#!/long/end\x00", "/long/end FILE a b c"},
		"nothing":            {"echo", "would run sbang again"},
		"sbang":              {"#!/bin/sh " + sbang, "would run sbang again"},
		"sbang itself":       {"#!" + sbang, "would run sbang again"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "script")
			text := "#!/bin/sh " + sbang + "\n" + c.lines + "\necho\n"
			if before, cut := strings.CutSuffix(c.lines, "\x00"); cut {
				text = "#!/bin/sh " + sbang + "\n" + before
			}
			if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/bin/sh", sbang, file, "a", "b c")
			cmd.Env = append(os.Environ(), "SBANG_DEBUG=1")
			out, _ := cmd.CombinedOutput()
			if got := strings.ReplaceAll(string(out), file, "FILE"); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	script := filepath.Join(t.TempDir(), "run")
	if err := os.WriteFile(script, []byte("#!/bin/sh "+sbang+"\n#!/bin/sh\necho \"$# $2\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(script, "one", "two words").CombinedOutput(); err != nil || string(out) != "2 two words\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAnSbangThatIsThereIsKept(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	path := filepath.Join(root, "bin", "sbang")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("Spack's"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := openStore(t, root, Options{}).installSbang(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "Spack's" {
		t.Errorf("%s, %v", text, err)
	}
}
