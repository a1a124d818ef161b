package register_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
	"esd/internal/state/backend/wire"
)

// written is a store with serial 3, and the client that wrote it.
func written(t *testing.T, f *faulty) *register.Backend {
	t.Helper()
	b := register.New(f.store(), register.Options{})
	l := mustLock(t, b, request("apply"))
	for serial := int64(1); serial <= 3; serial++ {
		must(t, l.Write(t.Context(), newState(serial)))
	}
	must(t, l.Unlock(t.Context()))
	return b
}

func TestWhatCannotBeRightIsNotBelieved(t *testing.T) {
	t.Parallel()
	answer := func(text string) func(*faulty) {
		return func(f *faulty) {
			f.load = func([]byte, string, error) ([]byte, string, error) { return []byte(text), "7", nil }
		}
	}
	document := func(change func([]byte) []byte) func(*faulty) {
		return func(f *faulty) {
			f.get = func(_ string, data []byte, err error) ([]byte, error) { return change(bytes.Clone(data)), err }
		}
	}
	pack := func(t *testing.T, s *state.State) []byte {
		t.Helper()
		data, err := state.Encode(s)
		must(t, err)
		packed, err := wire.Pack(data)
		must(t, err)
		return packed
	}
	foreign := state.New("00000000-0000-4000-8000-000000000000", "0.1.0")
	foreign.Serial = 3
	for name, tc := range map[string]struct {
		wrong func(*faulty)
		says  string
	}{
		"HTML":                      {answer("<html>Log in</html>"), "HTML or XML"},
		"nothing":                   {answer(""), "empty"},
		"something":                 {answer("OK"), "something else"},
		"another document":          {answer(`{"a": 1}`), "something else"},
		"a list":                    {answer(`[1]`), "something else"},
		"a state of Terraform":      {answer(`{"version": 4, "terraform_version": "1.11.4", "serial": 1}`), "Terraform"},
		"a newer head":              {answer(`{"format_version": 2}`), "newer esd"},
		"numbers below zero":        {answer(`{"format_version": 1, "revision": -1}`), "cannot be"},
		"a version elsewhere":       {answer(`{"format_version": 1, "revision": 9, "state": {"name": "../x", "sha256": ""}}`), "cannot be"},
		"a lock of nobody":          {answer(`{"format_version": 1, "revision": 9, "lock": {}}`), "without an ID"},
		"an endless head":           {answer(strings.Repeat(" ", 2<<20)), "more than"},
		"an older head":             {answer(`{"format_version": 1, "revision": 2, "fence": 1}`), "older than before"},
		"no head any more":          {func(f *faulty) { f.load = func([]byte, string, error) ([]byte, string, error) { return nil, "", nil } }, "it is gone"},
		"no state any more":         {answer(`{"format_version": 1, "revision": 99}`), "no version any more"},
		"an older state":            {answer(`{"format_version": 1, "revision": 99, "state": {"name": "x", "serial": 2, "lineage": "` + lineage + `", "sha256": "` + strings.Repeat("0", 64) + `"}}`), "serial 2, and had 3"},
		"another lineage":           {answer(`{"format_version": 1, "revision": 99, "state": {"name": "x", "serial": 4, "lineage": "` + foreign.Lineage + `", "sha256": "` + strings.Repeat("0", 64) + `"}}`), "another deployment"},
		"another document in place": {document(func([]byte) []byte { return pack(t, foreign) }), "has the digest"},
		"a document that is cut":    {document(func(data []byte) []byte { return data[:len(data)/2] }), "damaged"},
		"a document that is gone": {func(f *faulty) {
			f.get = func(name string, _ []byte, _ error) ([]byte, error) {
				return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
			}
		}, "is not there"},
		"a document that is a page": {document(func([]byte) []byte { return []byte("<html>") }), "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty()
			b := written(t, f)
			before := headOf(t, f.Memory)
			f.set(tc.wrong)
			s, meta, err := b.Read(t.Context())
			if s != nil || meta != (backend.Meta{}) || err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("read: %v, %v", s, err)
			}
			var format *state.FormatError
			if !isUntrusted(err) && !errors.As(err, &format) {
				t.Errorf("read: %s", describe(err))
			}
			// A client that has seen nothing before does not overwrite it either.
			l, err := register.New(f.store(), register.Options{}).Lock(t.Context(), request("apply"))
			if err == nil {
				if err := l.Write(t.Context(), newState(4)); err == nil {
					t.Error("it was overwritten")
				}
				must(t, l.Unlock(t.Context()))
			}
			f.set(func(f *faulty) { f.load, f.get = nil, nil })
			if after := headOf(t, f.Memory); before.State.Name != after.State.Name {
				t.Errorf("the version was %+v and is %+v", before.State, after.State)
			}
		})
	}
}

func TestAMissingVersionIsNotReplacedWithoutForce(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	written(t, f)
	must(t, f.Delete(t.Context(), headOf(t, f.Memory).State.Name))
	b := register.New(f.store(), register.Options{})
	l := mustLock(t, b, request("apply"))
	if err := l.Write(t.Context(), newState(4)); !isUntrusted(err) || !strings.Contains(err.Error(), "was not replaced") || !strings.Contains(err.Error(), "serial 2") {
		t.Errorf("%v", err)
	}
	must(t, l.Overwrite(t.Context(), newState(4)))
	must(t, l.Unlock(t.Context()))
	if serial := serialOf(t, f.Memory); serial != 4 {
		t.Errorf("serial %d", serial)
	}
}

func TestAfterItsOwnOverwriteAClientBelievesAnOlderState(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	b := written(t, f)
	l := mustLock(t, b, request("state push"))
	foreign := state.New("00000000-0000-4000-8000-000000000000", "0.1.0")
	foreign.Serial = 1
	must(t, l.Overwrite(t.Context(), foreign))
	must(t, l.Unlock(t.Context()))
	if s, _, err := b.Read(t.Context()); err != nil || s.Lineage != foreign.Lineage {
		t.Errorf("%v, %v", s, err)
	}
}

func TestTheLastVersionsAreKept(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	l := mustLock(t, register.New(registertest.Plain(m), register.Options{Keep: 3}), request("apply"))
	for serial := int64(1); serial <= 9; serial++ {
		must(t, l.Write(t.Context(), newState(serial)))
	}
	h := headOf(t, m)
	names, err := m.List(t.Context())
	must(t, err)
	if len(h.Previous) != 3 || h.Previous[0].Serial != 8 || h.Previous[2].Serial != 6 || len(names) != 4 {
		t.Errorf("%+v, %q", h, names)
	}
	// The same again is no other version.
	must(t, l.Overwrite(t.Context(), newState(9)))
	if h := headOf(t, m); len(h.Previous) != 3 || h.State.Serial != 9 || h.Previous[0].Serial != 8 || serialOf(t, m) != 9 {
		t.Errorf("%+v", h)
	}
}

func TestWhatKilledWritersLeftIsSweptAway(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	b := register.New(m, register.Options{})
	l := mustLock(t, b, request("apply"))
	must(t, l.Write(t.Context(), newState(1)))
	must(t, l.Unlock(t.Context()))
	left := "0000000002-000001-0123456789abcdef.json.zst"
	foreign := []string{"conditions", "notes.txt", "0000000002-000099-0123456789abcdef.json.zst"} // the last one of a lock to come
	for _, name := range append(foreign, left) {
		must(t, m.Put(t.Context(), name, []byte("x")))
	}
	l = mustLock(t, b, request("apply"))
	must(t, l.Write(t.Context(), newState(2)))
	for _, name := range foreign {
		if _, err := m.Get(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Get(t.Context(), left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	for _, v := range append(headOf(t, m).Previous, *headOf(t, m).State) {
		if _, err := m.Get(t.Context(), v.Name); err != nil {
			t.Error(err)
		}
	}
}

// A version may grow old between the moments in which a reader learns of it and
// asks for it.
func TestAReaderIsNotHeldUpByTheRemovalOfOldVersions(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	l := mustLock(t, register.New(registertest.Plain(f.Memory), register.Options{Keep: 1}), request("apply"))
	must(t, l.Write(t.Context(), newState(1)))
	f.set(func(f *faulty) {
		f.load = func(head []byte, version string, err error) ([]byte, string, error) {
			f.set(func(f *faulty) { f.load = nil })
			for serial := int64(2); serial <= 4; serial++ {
				must(t, l.Write(t.Context(), newState(serial)))
			}
			return head, version, err
		}
	})
	if s, _, err := register.New(f.store(), register.Options{}).Read(t.Context()); err != nil || s.Serial != 4 {
		t.Errorf("%v, %v", s, err)
	}
}

// A full disk, or whatever keeps a document from being written, changes nothing.
func TestADocumentThatCannotBeWrittenIsNotPointedAt(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	b := written(t, f)
	full := errors.New("no space left on device")
	f.set(func(f *faulty) { f.put = func(string) error { return full } })
	l := mustLock(t, b, request("apply"))
	if err := l.Write(t.Context(), newState(4)); !errors.Is(err, full) {
		t.Error(err)
	}
	if serial := serialOf(t, f.Memory); serial != 3 {
		t.Errorf("serial %d", serial)
	}
}
