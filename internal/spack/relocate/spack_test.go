package relocate

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// spackPython runs a script with the Python and the modules of a real Spack.
func spackPython(t *testing.T, script string, input, output any) {
	t.Helper()
	env := os.Getenv("ESD_TEST_SPACK")
	if env == "" {
		t.Skip("ESD_TEST_SPACK is not set: no Spack to compare with")
	}
	dir := t.TempDir()
	data, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"in.json": data, "script.py": []byte(script)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", "-c", `. "$0" && cd "$1" && spack python script.py`, env, dir)
	cmd.Env = append(os.Environ(), "SPACK_DISABLE_LOCAL_CONFIG=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("spack python: %v\n%s", err, out)
	}
	data, err = os.ReadFile(filepath.Join(dir, "out.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, output); err != nil {
		t.Fatal(err)
	}
}

const compareScript = `
import base64, io, json
from spack.relocate_text import TextFilePrefixReplacer, BinaryFilePrefixReplacer, BinaryTextReplaceError
out = []
for case in json.load(open("in.json")):
    mapping = {o: n for o, n in case["Map"]}
    data = base64.b64decode(case["Data"])
    cls = BinaryFilePrefixReplacer if case["Binary"] else TextFilePrefixReplacer
    f = io.BytesIO(data)
    f.truncate = lambda *a, _f=f: io.BytesIO.truncate(_f, *a)
    try:
        cls.from_strings_or_bytes(mapping).apply_to_file(f)
        out.append(base64.b64encode(f.getvalue()).decode())
    except BinaryTextReplaceError as e:
        out.append(type(e).__name__)
json.dump(out, open("out.json", "w"))
`

type comparison struct {
	Map    [][2]string
	Data   string
	Binary bool
}

// randomComparisons are made of the pieces that the rules tell apart.
func randomComparisons(n int) []comparison {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rnd.IntN(len(from))] }
	prefixes := []string{"/opt/store", "/opt/store/a-1-abcdefg", "/opt/store/b.2", "/opt", "/usr/up/c", "/opt/store/a"}
	news := []string{"/opt/store", "/o", "/opt/stove", "/much/longer/than/the/old/ones/are", "/x/a-1-abcdefg", "/s", "/opt/xtor/a-1-abcdefg"}
	cases := make([]comparison, n)
	for i := range cases {
		c := comparison{Binary: i%2 == 1}
		used := map[string]bool{}
		for range 1 + rnd.IntN(4) {
			if o := pick(prefixes...); !used[o] {
				used[o] = true
				c.Map = append(c.Map, [2]string{o, pick(news...)})
			}
		}
		var data []byte
		for range rnd.IntN(40) {
			data = append(data, pick(append(prefixes, "/", "a", "-I", "x_", "\n", "\x00", "\x00\x00", " ", "=", ":", ".", "\xff", "lib", "/lib64/foo")...)...)
		}
		c.Data = base64.StdEncoding.EncodeToString(data)
		cases[i] = c
	}
	return cases
}

func TestReplacesAsSpackDoes(t *testing.T) {
	t.Parallel()
	cases := randomComparisons(20000)
	var want []string
	spackPython(t, compareScript, cases, &want)
	changed := 0
	for i, c := range cases {
		var rs []Replacement
		for _, r := range c.Map {
			rs = append(rs, Replacement{r[0], r[1]})
		}
		m, err := New(rs)
		if err != nil {
			t.Fatal(err)
		}
		data, _ := base64.StdEncoding.DecodeString(c.Data)
		got := ""
		if c.Binary {
			b := &Buffer{bytes.Clone(data)}
			_, _, err := m.Binary("f", b, int64(len(data)))
			got = base64.StdEncoding.EncodeToString(b.Data)
			if err != nil {
				got = strings.TrimSuffix(strings.Split(fmt.Sprintf("%T", err), ".")[1], "Error")
				got = strings.Replace(got, "CannotShrinkString", "CannotShrinkCString", 1)
			}
		} else {
			out, _ := m.Text(data)
			got = base64.StdEncoding.EncodeToString(out)
			var streamed bytes.Buffer
			if _, err := m.TextStream(&streamed, bytes.NewReader(data)); err != nil || !bytes.Equal(streamed.Bytes(), out) {
				t.Fatalf("streamed %q: %v", data, err)
			}
		}
		if got != c.Data {
			changed++
		}
		if got != want[i] {
			g, _ := base64.StdEncoding.DecodeString(got)
			w, _ := base64.StdEncoding.DecodeString(want[i])
			t.Fatalf("%v on %q (binary %v):\n got %q %s\nwant %q %s", c.Map, data, c.Binary, g, got, w, want[i])
		}
	}
	if changed < len(cases)/4 {
		t.Errorf("only %d of %d cases changed anything", changed, len(cases))
	}
}
