package sandbox

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
)

func TestACommandWritesToItsPrefixRoot(t *testing.T) {
	s, why, err := Choose(Probe(t.Context()), Namespace)
	if err != nil {
		t.Skip(err)
	}
	t.Log(why)
	dir := t.TempDir()
	var log bytes.Buffer
	_, err = s.Run(context.Background(), Spec{
		Root: "/opt/esd", RootDir: dir, Argv: []string{"sh", "-c", "pwd; echo hello > file"},
		Env: []string{"PATH=/usr/bin:/bin"}, Stdout: &log,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	data, err := os.ReadFile(filepath.Join(dir, "file"))
	if err != nil || string(data) != "hello\n" || log.String() != "/opt/esd\n" {
		t.Errorf("got file %q (%v), log %q", data, err, log.String())
	}
}
