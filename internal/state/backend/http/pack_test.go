package httpstate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"esd/internal/state"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/http/testserver"
)

// large is a state with n objects, like that of a stack.
func large(n int, serial int64) *state.State {
	s := sample(serial)
	for i := range n {
		key := fmt.Sprintf("%064x", uint64(i)*0x9e3779b97f4a7c15+uint64(serial))
		s.Put(&state.Object{
			Address: fmt.Sprintf("recipe.package-%06d", i), Kind: "recipe", Key: key, When: "2026-11-21T10:00:00Z",
			Attributes:   state.Attributes{"prefix": "/opt/esd/" + key[32:], "digest": "sha256:" + key, "size": int64(i) * 4097},
			Inputs:       map[string]string{"script": key[52:], "source": key[40:52]},
			Dependencies: []string{fmt.Sprintf("recipe.package-%06d", i/2), fmt.Sprintf("recipe.package-%06d", i/3)},
		})
	}
	return s
}

func TestALargeStateGoesPackedAndComesBack(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["GitLab"]
	b := open(url + path)
	l := mustLock(t, b)
	for serial := int64(1); serial < 3; serial++ {
		want := large(20000, serial)
		if err := l.Write(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, meta, err := open(url + path).Read(t.Context())
		if err != nil || !got.Equal(want) {
			t.Fatalf("came back different: %v", err)
		}
		raw := server.Raw(path)
		var header struct {
			Serial  int64
			Lineage string
		}
		if err := json.Unmarshal(raw, &header); err != nil || header.Serial != serial || header.Lineage != lineage {
			t.Errorf("the server sees %+v, %v", header, err)
		}
		if int64(len(raw))*3 > meta.Size {
			t.Errorf("%d bytes became %d", meta.Size, len(raw))
		}
	}
	mustWrite(t, l, 3)
	if raw := server.Raw(path); !bytes.Contains(raw, []byte("format_version")) {
		t.Errorf("a small state is packed: %.100s", raw)
	}
}

func TestAPackedStateThatIsDamagedIsNotRead(t *testing.T) {
	t.Parallel()
	data, err := state.Encode(large(20000, 1))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := httpstate.Pack(data, large(0, 1).Header())
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(packed, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		rest, _ := json.Marshal(m)
		// The version stands first, or it is no packed document.
		return append([]byte(fmt.Sprintf(`{"packed_version":%v,`, m["packed_version"])), rest[1:]...)
	}
	for name, tc := range map[string]struct {
		data []byte
		is   error
	}{
		"cut":                  {packed[:len(packed)/2], state.ErrTruncated},
		"of a newer format":    {edit(func(m map[string]any) { m["packed_version"] = 2 }), state.ErrNewerFormat},
		"with another digest":  {edit(func(m map[string]any) { m["sha256"] = "00" }), state.ErrInvalid},
		"with another size":    {edit(func(m map[string]any) { m["size"] = 5 }), state.ErrInvalid},
		"with other contents":  {edit(func(m map[string]any) { m["content"] = "AAAA" }), state.ErrInvalid},
		"with what is no text": {edit(func(m map[string]any) { m["content"] = 7 }), state.ErrTruncated},
	} {
		if got, err := httpstate.Unpack(tc.data, "x"); !errors.Is(err, tc.is) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzUnpack reads documents as a server may serve them.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte(`{"packed_version":1,"lineage":"x","serial":1,"size":0,"sha256":"","content":""}`))
	f.Add([]byte(`{"packed_version":1,"content":"KLUv/QQAAQAAYQ=="}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := httpstate.Unpack(data, "x")
		if err != nil && got != nil || len(got) > state.MaxSize {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// FuzzParseHolder reads the fields of a lock as a server may serve them.
func FuzzParseHolder(f *testing.F) {
	f.Add([]byte(`{"ID":"1","Operation":"apply","Info":"{}","Who":"a@b","Version":"1","Created":"2026-11-21T10:00:00.000Z","Path":"x"}`))
	f.Add([]byte(`{"ID":"\u001b[2J","Created":"never"}`))
	f.Add([]byte("locked"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id := httpstate.ParseHolder(data); len(id) > 255 || bytes.ContainsAny([]byte(id), "\x1b\n\r") {
			t.Errorf("ID %q", id)
		}
	})
}

func BenchmarkWriteOf100000Objects(b *testing.B) {
	server := httptest.NewServer(&testserver.Server{Username: testUser, Password: testPassword})
	defer server.Close()
	path := paths["GitLab"]
	backend := open(server.URL + path)
	l, err := backend.Lock(b.Context(), request("apply"))
	if err != nil {
		b.Fatal(err)
	}
	s := large(100000, 1)
	var size int
	for b.Loop() {
		if err := l.Write(b.Context(), s); err != nil {
			b.Fatal(err)
		}
		s.Serial++
	}
	b.StopTimer()
	_ = l.Unlock(b.Context())
	for _, e := range server.Config.Handler.(*testserver.Server).History(path) {
		if e.What == "write" {
			size = e.Size
		}
	}
	b.ReportMetric(float64(size)/1e6, "MB-on-the-wire")
}
