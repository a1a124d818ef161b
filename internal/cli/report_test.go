package cli_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAnInterruptedRunIsReported(t *testing.T) {
	t.Parallel()
	dir := recipes(t, "600")
	p := start(t, dir, "esd", "apply", "--auto-approve", "--junit", "junit.xml", "--summary", "summary.json", "--json-into", "events.jsonl")
	p.untilBuilding()
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	wantContains(t, read("events.jsonl"), `"type":"apply_start"`) // while it runs
	p.signal(syscall.SIGINT)
	p.untilSaid("interrupt")
	p.signal(syscall.SIGINT)
	p.ends(130)
	wantContains(t, read("summary.json"), `"result":"interrupted"`, `"exit_code":130`, `"id":"recipe.quick#build"`, `"result":"done"`, `"id":"recipe.after#build"`)
	wantContains(t, read("junit.xml"), `name="build recipe.quick"`, `<skipped message=`)
	wantContains(t, read("events.jsonl"), `"type":"run_interrupted"`, `"type":"change_summary"`)
}
