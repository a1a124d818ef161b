package pg_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/pg/pgtest"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
)

func rows(t *testing.T, s *pgtest.Server, database, sql string) []string {
	t.Helper()
	found, err := s.Rows(database, sql)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func exec(t *testing.T, s *pgtest.Server, database, sql string) {
	t.Helper()
	if err := s.Exec(database, sql); err != nil {
		t.Fatal(err)
	}
}

func swap(t *testing.T, s *pg.Store, version, head string) string {
	t.Helper()
	next, err := s.Swap(t.Context(), version, []byte(head))
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestADatabaseIsAStore(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, sharedServer(t))
	registertest.Run(t, func() register.Store { return newStore(t, p) })
}

func TestReadingCreatesNothing(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	store := newStore(t, p)
	if head, version, err := store.Load(t.Context()); head != nil || version != "" || err != nil {
		t.Errorf("load: %q, %q, %v", head, version, err)
	}
	if _, err := store.Get(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get: %v", err)
	}
	if names, err := store.List(t.Context()); len(names) > 0 || err != nil {
		t.Errorf("list: %q, %v", names, err)
	}
	if err := store.Delete(t.Context(), "x"); err != nil {
		t.Errorf("delete: %v", err)
	}
	if gone, err := store.Gone(t.Context(), 1); gone || err != nil {
		t.Errorf("gone: %v, %v", gone, err)
	}
	if s, _, err := open(p.location()).Read(t.Context()); s != nil || err != nil {
		t.Errorf("read: %v, %v", s, err)
	}
	if found := rows(t, server, database, "SELECT nspname FROM pg_namespace WHERE nspname = 'esd'"); found != nil {
		t.Errorf("there is a schema now: %q", found)
	}
}

func TestManyFirstUsersMakeTheTablesOnce(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, pgtest.Start(t, pgtest.Options{}))
	const users = 200 // twice as many as the server has connections
	var wg sync.WaitGroup
	var won atomic.Int64
	for i := range users {
		wg.Go(func() {
			store := newStore(t, p)
			if err := store.Put(t.Context(), fmt.Sprintf("of-%d", i), []byte("x")); err != nil {
				t.Errorf("put: %v", err)
			}
			switch _, err := store.Swap(t.Context(), "", []byte{byte(i)}); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, register.ErrChanged):
				t.Errorf("swap: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d users have made the first head", won.Load())
	}
	if names, err := newStore(t, p).List(t.Context()); err != nil || len(names) != users {
		t.Errorf("%d documents, %v", len(names), err)
	}
}

func TestSwapsMakeOneChain(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, sharedServer(t))
	const clients, swaps = 10, 20
	swap(t, newStore(t, p), "", "0")
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			store := newStore(t, p)
			for done := 0; done < swaps; {
				head, version, err := store.Load(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(head))
				switch _, err = store.Swap(t.Context(), version, fmt.Append(nil, n+1)); {
				case err == nil:
					done++
				case !errors.Is(err, register.ErrChanged):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if head, _, err := newStore(t, p).Load(t.Context()); string(head) != strconv.Itoa(clients*swaps) || err != nil {
		t.Errorf("after %d swaps: %s, %v", clients*swaps, head, err)
	}
}

func TestAVersionNeverComesBack(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	store := newStore(t, p)
	first := swap(t, store, "", "a")
	second := swap(t, store, first, "b")
	for _, version := range []string{"", first} {
		if _, err := store.Swap(t.Context(), version, []byte("c")); !errors.Is(err, register.ErrChanged) {
			t.Errorf("swap of version %q: %v", version, err)
		}
	}
	exec(t, server, database, "CREATE TABLE copy AS SELECT * FROM esd.esd_states")
	third := swap(t, store, second, "c")
	for what, sql := range map[string]string{
		"the row was deleted":     "DELETE FROM esd.esd_states",
		"an old row was restored": "DELETE FROM esd.esd_states; INSERT INTO esd.esd_states SELECT * FROM copy",
	} {
		exec(t, server, database, sql)
		if _, err := store.Swap(t.Context(), third, []byte("d")); !errors.Is(err, register.ErrChanged) {
			t.Errorf("%s: swap of a version from before: %v", what, err)
		}
		_, version, err := store.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if version = swap(t, store, version, "x"); version == third {
				t.Errorf("%s: version %s is there again", what, third)
			}
		}
	}
	if _, err := store.Swap(t.Context(), "nonsense", nil); err == nil || errors.Is(err, register.ErrChanged) {
		t.Errorf("swap of no version: %v", err)
	}
}

func TestStatesAndSchemasOfAnyNameKeepApart(t *testing.T) {
	t.Parallel()
	base, _ := newPlace(t, sharedServer(t))
	var places []place
	for _, schema := range []string{"esd", "Other", `a"b'c\d`, "$$", "esd'; DROP TABLE x; --", "Zürich"} {
		for _, name := range []string{"a", "A", "a/b", `'"\`, "état"} {
			p := base
			p.Schema, p.Name = schema, name
			places = append(places, p)
		}
	}
	locations := map[string]bool{}
	for i, p := range places {
		store := newStore(t, p)
		locations[store.Location()] = true
		if err := store.Put(t.Context(), "d", []byte{byte(i)}); err != nil {
			t.Fatalf("%q %q: %v", p.Schema, p.Name, err)
		}
		swap(t, store, "", strconv.Itoa(i))
	}
	for i, p := range places {
		store := newStore(t, p)
		if head, _, err := store.Load(t.Context()); string(head) != strconv.Itoa(i) || err != nil {
			t.Errorf("%q %q: %q, %v", p.Schema, p.Name, head, err)
		}
		if data, err := store.Get(t.Context(), "d"); !bytes.Equal(data, []byte{byte(i)}) || err != nil {
			t.Errorf("%q %q: %q, %v", p.Schema, p.Name, data, err)
		}
	}
	if len(locations) != len(places) {
		t.Errorf("%d states have %d locations", len(places), len(locations))
	}
}

func TestDocumentsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, sharedServer(t))
	store := newStore(t, p)
	for range 2 {
		if err := store.Put(t.Context(), "a", []byte("one")); err != nil {
			t.Error(err)
		}
	}
	var untrusted *backend.UntrustedError
	if err := store.Put(t.Context(), "a", []byte("two")); !errors.As(err, &untrusted) {
		t.Errorf("another document of the name: %v", err)
	}
	if data, err := store.Get(t.Context(), "a"); string(data) != "one" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if err := store.Put(t.Context(), "empty", nil); err != nil {
		t.Error(err)
	}
	if data, err := store.Get(t.Context(), "empty"); len(data) != 0 || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	for range 2 {
		if err := store.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Get(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after it was deleted: %v", err)
	}
	names, err := store.List(t.Context())
	if diff := cmp.Diff([]string{"empty"}, names); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

func TestLargeDocuments(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("hundreds of MB are left out with -short")
	}
	server := sharedServer(t)
	p, database := newPlace(t, server)
	store := newStore(t, p)
	data := make([]byte, 60<<20)
	if _, err := rand.Read(data); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), "large", data); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Get(t.Context(), "large"); !bytes.Equal(got, data) || err != nil {
		t.Errorf("came back different, %v", err)
	}
	// The server may compress this one, so that it costs little.
	exec(t, server, database, fmt.Sprintf("ALTER TABLE esd.esd_documents ALTER COLUMN data SET STORAGE EXTENDED; INSERT INTO esd.esd_documents (state, name, data) VALUES ('team/app', 'huge', convert_to(repeat('x', %d), 'UTF8'))", state.MaxSize+1))
	if _, err := store.Get(t.Context(), "huge"); !errors.Is(err, state.ErrTooLarge) || !strings.Contains(err.Error(), "huge has 268435457 bytes") {
		t.Errorf("a document larger than any state: %v", err)
	}
}
