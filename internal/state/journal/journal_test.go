package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
	"esd/internal/state/journal"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

func header(serial int64) journal.Header {
	return journal.Header{
		Run: state.NewID(), Lineage: lineage, Serial: serial, Operation: "apply", Who: "ops@host",
		When: "2026-11-21T10:00:00Z", ESDVersion: "0.1.0",
	}
}

func entry(name, when string) journal.Entry {
	sum := sha256.Sum256([]byte(name + when))
	key := hex.EncodeToString(sum[:])
	return journal.Entry{
		Step: "build recipe." + name, Result: "done", When: when,
		Object: &state.Object{
			Address: "recipe." + name, Kind: "recipe", Key: key, When: when, Dependencies: []string{"recipe.base"},
			Attributes: state.Attributes{"prefix": "/opt/esd/" + name}, Inputs: map[string]string{"script": key[:12]},
		},
		Measured: name, Duration: &state.Duration{Seconds: 1.5, PeakMemory: 1 << 20},
	}
}

func create(t testing.TB, dir string, h journal.Header) *journal.Writer {
	t.Helper()
	w, err := journal.Create(dir, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func appendAll(t testing.TB, w *journal.Writer, entries ...journal.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
}

// written makes a journal with entries of a run that has ended.
func written(t testing.TB, h journal.Header, entries ...journal.Entry) *journal.Journal {
	t.Helper()
	w := create(t, t.TempDir(), h)
	appendAll(t, w, entries...)
	w.Close()
	return read(t, w.Path())
}

func read(t testing.TB, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestWhatWasAppendedIsRead(t *testing.T) {
	t.Parallel()
	h := header(3)
	w := create(t, filepath.Join(t.TempDir(), ".esd", "journal"), h)
	want := []journal.Entry{
		entry("a", "2026-11-21T10:00:01Z"),
		{Step: "remove recipe.b", Result: "done", Removed: "recipe.b", When: "2026-11-21T10:00:02Z"},
		{Step: "build recipe.c", Result: "failed", Error: "exit status 1\n<html>", When: "2026-11-21T10:00:03Z"},
	}
	appendAll(t, w, want...)
	if j := read(t, w.Path()); !j.Live {
		t.Error("a journal that is open is not called live")
	}
	w.Close()
	j := read(t, w.Path())
	h.FormatVersion = journal.FormatVersion
	if diff := cmp.Diff(&journal.Journal{Path: w.Path(), Header: h, Entries: want}, j); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := w.Append(want[0]); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	data, err := os.ReadFile(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		if !json.Valid(line) {
			t.Errorf("a line is not JSON: %s", line)
		}
	}
}

func TestConcurrentAppendsAreAllRead(t *testing.T) {
	t.Parallel()
	w := create(t, t.TempDir(), header(0))
	const goroutines, each = 16, 25
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				if err := w.Append(entry(fmt.Sprintf("p%d-%d", g, i), "2026-11-21T10:00:00Z")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	last := make([]int, goroutines)
	for _, e := range read(t, w.Path()).Entries {
		var g, i int
		fmt.Sscanf(e.Measured, "p%d-%d", &g, &i)
		if i < last[g] {
			t.Errorf("entries of one goroutine are out of order")
		}
		last[g] = i
		seen[e.Step] = true
	}
	if len(seen) != goroutines*each {
		t.Errorf("%d entries of %d", len(seen), goroutines*each)
	}
}

func TestATornEndIsDropped(t *testing.T) {
	t.Parallel()
	w := create(t, t.TempDir(), header(0))
	appendAll(t, w, entry("a", "2026-11-21T10:00:00Z"), entry("b", "2026-11-21T10:00:00Z"))
	w.Close()
	whole, err := os.ReadFile(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut.jsonl")
	for size := range len(whole) {
		if err := os.WriteFile(path, whole[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Read(path)
		if err != nil {
			t.Fatalf("cut at %d: %v", size, err)
		}
		lines := bytes.Count(whole[:size], []byte("\n"))
		if len(j.Entries) != max(0, lines-1) || (j.Torn == 0) != (size == 0 || whole[size-1] == '\n') {
			t.Fatalf("cut at %d: %d entries, %d bytes torn", size, len(j.Entries), j.Torn)
		}
	}
}

func TestDamageBeforeTheEndIsAnError(t *testing.T) {
	t.Parallel()
	w := create(t, t.TempDir(), header(0))
	appendAll(t, w, entry("a", "2026-11-21T10:00:00Z"), entry("b", "2026-11-21T10:00:00Z"), entry("c", "2026-11-21T10:00:00Z"))
	w.Close()
	whole, err := os.ReadFile(w.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	path := filepath.Join(t.TempDir(), "damaged.jsonl")
	for name, tc := range map[string]struct {
		data string
		line int
	}{
		"a changed byte":      {strings.Replace(string(whole), "/opt/esd/a", "/opt/esd/x", 1), 2},
		"a changed header":    {strings.Replace(string(whole), `"serial":0`, `"serial":1`, 1), 1},
		"a lost line":         {lines[0] + lines[1] + lines[3], 3},
		"two lines exchanged": {lines[0] + lines[2] + lines[1] + lines[3], 2},
		"a line twice":        {lines[0] + lines[1] + lines[1] + lines[2] + lines[3], 3},
		"no header":           {lines[1] + lines[2] + lines[3], 1},
		"a line in between":   {lines[0] + "hello\n" + lines[1] + lines[2], 2},
		"zeros in the middle": {lines[0] + strings.Repeat("\x00", len(lines[1])) + lines[2] + lines[3], 2},
	} {
		if err := os.WriteFile(path, []byte(tc.data), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := journal.Read(path)
		var corrupt *journal.CorruptError
		if !errors.As(err, &corrupt) || corrupt.Line != tc.line || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	data := journal.Line(1, 0, "header", `{"format_version":2,"esd_version":"9.0.0"}`)
	path := filepath.Join(t.TempDir(), "new.jsonl")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := journal.Read(path)
	var newer *journal.NewerFormatError
	if !errors.As(err, &newer) || !strings.Contains(err.Error(), "use esd 9.0.0 or newer") {
		t.Errorf("got %v", err)
	}
}

func TestAGroupThatWasNotSyncedMayBeDamagedAnywhere(t *testing.T) {
	t.Parallel()
	h := `{"format_version":1,"run":"r","lineage":"` + lineage + `","serial":0}`
	e := `{"step":"s","result":"done","when":"2026-11-21T10:00:00Z"}`
	data := journal.Line(1, 0, "header", h)
	group := int64(len(data))
	data = append(data, journal.Line(2, group, "entry", e)...)
	hole := len(data)
	data = append(data, journal.Line(3, group, "entry", e)...)
	data = append(data, journal.Line(4, group, "entry", e)...)
	for i := range 20 {
		data[hole+30+i] = 0 // a block that did not reach the disk when the power went
	}
	path := filepath.Join(t.TempDir(), "group.jsonl")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if j := read(t, path); len(j.Entries) != 1 || j.Torn == 0 {
		t.Errorf("%d entries, %d bytes torn", len(j.Entries), j.Torn)
	}
	data = append(data, journal.Line(5, int64(len(data)), "entry", e)...)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var corrupt *journal.CorruptError
	if _, err := journal.Read(path); !errors.As(err, &corrupt) || corrupt.Line != 3 {
		t.Errorf("damage before a later group: %v", err)
	}
}

func TestReadDirSortsByBeginAndToleratesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, serial := range []int64{7, 3, 5} {
		w := create(t, dir, header(serial))
		w.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	journals, err := journal.ReadDir(dir)
	if err != nil || len(journals) != 3 || journals[0].Header.Serial != 3 || journals[2].Header.Serial != 7 {
		t.Errorf("%v, %v", journals, err)
	}
	damaged := append(journal.Line(2, 0, "entry", `{}`), journal.Line(2, 50, "entry", `{}`)...)
	if err := os.WriteFile(filepath.Join(dir, "0.jsonl"), damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	var corrupt *journal.CorruptError
	if again, err := journal.ReadDir(dir); !errors.As(err, &corrupt) || len(again) != 3 {
		t.Errorf("%v, %v", again, err)
	}
	if err := journal.Remove(journals); err != nil {
		t.Fatal(err)
	}
	if none, err := journal.ReadDir(filepath.Join(dir, "missing")); none != nil || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

func TestWhatCannotBeReadIsNotAppended(t *testing.T) {
	t.Parallel()
	w := create(t, t.TempDir(), header(0))
	bad := entry("a", at1)
	bad.Object.Key = "short"
	long := entry("b", at1)
	long.Duration.Seconds = -1
	for _, e := range []journal.Entry{bad, long, {Step: "s", Error: strings.Repeat("x", 20<<20)}} {
		if err := w.Append(e); err == nil {
			t.Errorf("appended %.100v", e)
		}
	}
	appendAll(t, w, entry("c", at1))
	if j := read(t, w.Path()); len(j.Entries) != 1 {
		t.Errorf("%d entries", len(j.Entries))
	}
}

func TestTwoRunsCannotShareAJournal(t *testing.T) {
	t.Parallel()
	dir, h := t.TempDir(), header(0)
	w := create(t, dir, h)
	if _, err := journal.Create(dir, h); err == nil {
		t.Error("made twice")
	}
	if err := w.Remove(); err != nil {
		t.Fatal(err)
	}
	h.Run = "../x"
	if _, err := journal.Create(dir, h); err == nil {
		t.Error("made outside of its directory")
	}
}

func FuzzRead(f *testing.F) {
	j := written(f, header(1), entry("a", "2026-11-21T10:00:00Z"), entry("b", "2026-11-21T10:00:00Z"))
	data, err := os.ReadFile(j.Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add([]byte(""))
	f.Add([]byte("{}\n{}\n"))
	f.Add(journal.Line(1, 0, "entry", `{"object":{"address":"recipe.a"}}`))
	f.Add([]byte(`{"step":"s","removed":"recipe.a","measured":"m","duration":{"seconds":-1,"size":9e18}}`))
	if e, err := json.Marshal(entry("a", at1)); err == nil {
		f.Add(e)
	}
	first := journal.Line(1, 0, "header", `{"format_version":1,"run":"r","lineage":"`+lineage+`","serial":0}`)
	f.Fuzz(func(t *testing.T, data []byte) {
		if !bytes.HasPrefix(data, []byte(`{"sum"`)) {
			// The checksum would keep everything out: give it a right one.
			data = append(bytes.Clone(first), journal.Line(2, int64(len(first)), "entry", string(data))...)
		}
		j, err := journal.Parse(data, "f")
		if err != nil {
			return
		}
		if j.Torn < 0 || j.Torn > int64(len(data)) {
			t.Fatalf("%d bytes torn of %d", j.Torn, len(data))
		}
		if s := journal.Fold(nil, []*journal.Journal{j}).State; s != nil {
			if _, err := state.Encode(s); err != nil {
				t.Fatalf("folded into a state that cannot be written: %v", err)
			}
		}
	})
}

// BenchmarkAppend is 1,000 appends from n goroutines.
func BenchmarkAppend(b *testing.B) {
	for _, goroutines := range []int{1, 2, 16} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			e := entry("a", "2026-11-21T10:00:00Z")
			for b.Loop() {
				w := create(b, b.TempDir(), header(0))
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for range 1000 / goroutines {
							if err := w.Append(e); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
				w.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "µs/append")
		})
	}
}
