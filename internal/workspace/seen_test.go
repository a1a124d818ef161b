package workspace

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// TestWhatThisMachineHasSeenIsNotForgottenByAnyKind is about a place that forgets what was
// written to it, as a server does that was restored from a backup: every kind
// refuses it in another process, too.
func TestWhatThisMachineHasSeenIsNotForgottenByAnyKind(t *testing.T) {
	for _, flavour := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			dir, at := t.TempDir(), somewheres[flavour](t)
			wrote(t, openAt(t, dir, at), "a")
			seenAt := filepath.Join(dir, ".esd", "seen", "esd.json")
			memory, err := readSeen(seenAt)
			if err != nil || len(memory.Places) != 1 || memory.Places[0].Serial != 7 {
				t.Fatalf("%+v, %v", memory, err)
			}
			opened := openAt(t, dir, at)
			if read(t, opened) == nil {
				t.Fatal("nothing is recorded")
			}
			var untrusted *backend.UntrustedError
			for name, change := range map[string]func(s *sighting){
				"a higher serial was seen":  func(s *sighting) { s.Serial = 12 },
				"another lineage was seen ": func(s *sighting) { s.Lineage = state.NewID() },
			} {
				changed := seen{FormatVersion: seenVersion, Places: []sighting{memory.Places[0]}}
				change(&changed.Places[0])
				if err := changed.write(seenAt); err != nil {
					t.Fatal(err)
				}
				w := openAt(t, dir, at)
				if _, _, err := w.Recorded(t.Context()); !errors.As(err, &untrusted) {
					t.Errorf("%s: %v", name, err)
				}
				err := w.EditState(t.Context(), LockOptions{Operation: "state rm"}, func(s *state.State) error { return s.Remove("recipe.a") })
				if !errors.As(err, &untrusted) {
					t.Errorf("%s, and it is written: %v", name, err)
				}
				a, err := w.Accept(t.Context(), LockOptions{Operation: "state accept"}, func(Acceptance) (bool, error) { return true, nil })
				if err != nil || a.Untrusted == nil || a.Found.Serial != 7 {
					t.Errorf("%s: accepted %+v, %v", name, a, err)
				}
				if st := read(t, openAt(t, dir, at)); st == nil || st.Get("recipe.a") == nil {
					t.Error("it is not taken as it is")
				}
			}
			wantNoSecret(t, dir, at)
		})
	}
}

// TestEachPlaceIsNamedByItsAddressFromTheBeginning is about what people are told before anything
// was read: there is one name for a place.
func TestEachPlaceIsNamedByItsAddressFromTheBeginning(t *testing.T) {
	for _, flavour := range flavours() {
		t.Run(flavour, func(t *testing.T) {
			dir, at := t.TempDir(), somewheres[flavour](t)
			w := openAt(t, dir, at)
			first := w.location()
			if strings.HasPrefix(first, "state ") || !strings.Contains(first, "/") {
				t.Errorf("it is called %s", first)
			}
			wrote(t, w, "a")
			memory, err := readSeen(filepath.Join(dir, ".esd", "seen", "esd.json"))
			if err != nil || len(memory.Places) != 1 || memory.Places[0].Location != first {
				t.Errorf("it is called %s, and remembered as %+v (%v)", first, memory, err)
			}
		})
	}
}

func TestPlacesAreRememberedWithoutSecrets(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://states.example.org/lab":                              "https://states.example.org/lab",
		"https://robot:s3cr3t@states.example.org/lab":                 "https://states.example.org/lab",
		"https://states.example.org/lab?branch=main&private_token=s3": "https://states.example.org/lab?branch=main",
		"https://states.example.org/lab?b=2&a=1":                      "https://states.example.org/lab?b=2&a=1",
		"https://s3cr3t@states.example.org/lab":                       "https://states.example.org/lab",
		"https://states.example.org/lab?sv=2&sig=s3#token=s3":         "https://states.example.org/lab?sv=2",
		"postgres://robot:s3cr3t@db.example.org/states":               "postgres://db.example.org/states",
		"host=db user=robot password=s3cr3t":                          "host=db user=robot",
		"host=db password='s3 cr\\'3t' user=robot":                    "host=db  user=robot",
		"state/lab.json": "state/lab.json",
		"oci:states":     "oci:states",
	} {
		if got := withoutSecrets(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestTheMemoryOfAStateIsRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ content, problem string }{
		"nothing":             {"", "cannot be read from"},
		"no JSON":             {"<html>", "cannot be read from"},
		"a newer format":      {`{"format_version": 99}`, "newer esd"},
		"something longer":    {strings.Repeat(" ", maxSeen) + "{}", "cannot be read from"},
		"what was written":    {`{"format_version": 1, "places": [{"kind": "local", "serial": 3}]}`, ""},
		"fields not known":    {`{"format_version": 1, "places": [{"kind": "local", "serial": 3, "more": true}], "more": 1}`, ""},
		"a place of no kind":  {`{"format_version": 1, "places": [{}]}`, ""},
		"no places, as a map": {`{"format_version": 1, "places": {}}`, "cannot be read from"},
	} {
		path := filepath.Join(t.TempDir(), "seen.json")
		if err := os.WriteFile(path, []byte(tc.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readSeen(path)
		if (err == nil) != (tc.problem == "") || err != nil && !strings.Contains(err.Error(), tc.problem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestADamagedStateIsNotTrustedWhereverItIsKept is about a document that another
// program has written to, or that was cut.
func TestADamagedStateIsNotTrustedWhereverItIsKept(t *testing.T) {
	t.Parallel()
	for name, document := range map[string]string{
		"cut": `{"format_version": 1, "lineage": "9db5`, "empty": "  ", "of something else": `{"terraform_version": "1.9.0"}`, "no JSON": "<html>",
	} {
		for kind, place := range map[string]func(t *testing.T) somewhere{
			"local": func(t *testing.T) somewhere {
				path := filepath.Join(t.TempDir(), "state.json")
				if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
					t.Fatal(err)
				}
				return somewhere{block: fmt.Sprintf("state \"local\" { path = %q }", path)}
			},
			"http": func(t *testing.T) somewhere {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(document))
				}))
				t.Cleanup(server.Close)
				return somewhere{block: fmt.Sprintf("state \"http\" { address = \"%s/lab\" }", server.URL)}
			},
		} {
			t.Run(name+" in "+kind, func(t *testing.T) {
				t.Parallel()
				_, _, err := openAt(t, t.TempDir(), place(t)).Recorded(t.Context())
				var unreadable *backend.UnreadableError
				var untrusted *backend.UntrustedError
				if !errors.As(err, &unreadable) && !errors.As(err, &untrusted) {
					t.Errorf("%v", err)
				}
				if unreadable != nil && !(strings.Contains(err.Error(), "esd state rebuild") && strings.Contains(err.Error(), "esd state push --force")) {
					t.Errorf("it says no way out: %v", err)
				}
			})
		}
	}
}

// TestOfTwoWhoBeginAStateWithoutALockOneIsTold is about two first runs at a place
// that locks nothing.
func TestOfTwoWhoBeginAStateWithoutALockOneIsTold(t *testing.T) {
	t.Parallel()
	at := somewhere{block: fmt.Sprintf("state \"oci\" {\n    repository = \"oci:%s\"\n    lock = false\n  }", t.TempDir())}
	begin := func() (backend.Lock, *state.State) {
		w := openAt(t, t.TempDir(), at)
		l, err := w.Backend.Lock(t.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply"}))
		if err != nil {
			t.Fatal(err)
		}
		s := state.New(state.NewID(), "0.1.0")
		s.Serial = 1
		return l, s
	}
	first, one := begin()
	second, other := begin()
	if err := first.Write(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if err := second.Write(t.Context(), other); !errors.Is(err, backend.ErrBegun) {
		t.Errorf("%v", err)
	}
}
