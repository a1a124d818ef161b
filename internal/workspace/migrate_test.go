package workspace

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/http/testserver"
)

// TestAStateMigratesBetweenAnyTwoKindsOfPlaces is not parallel: some kinds have
// their credentials from the environment of the process.
func TestAStateMigratesBetweenAnyTwoKindsOfPlaces(t *testing.T) {
	for _, from := range flavours() {
		for _, to := range flavours() {
			t.Run("from "+from+" to "+to, func(t *testing.T) { migrateBetween(t, somewheres[from](t), somewheres[to](t)) })
		}
	}
}

func migrateBetween(t *testing.T, from, to somewhere) {
	ctx, dir := t.Context(), t.TempDir()
	before := wrote(t, openAt(t, dir, from, to), "a", "b")

	// The block is changed: nothing is begun anew at the new place.
	w := openAt(t, dir, to, from)
	var untrusted *backend.UntrustedError
	if _, _, err := w.Recorded(ctx); !errors.As(err, &untrusted) {
		t.Fatalf("before the migration: %v", err)
	}
	opts := MigrateOptions{LockOptions: LockOptions{Operation: "state migrate"}}
	dry := opts
	dry.DryRun = true
	m, err := w.Migrate(ctx, dry)
	if err != nil || m.Done || m.Old.Serial != before.Serial || m.Objects != 2 {
		t.Fatalf("dry run: %+v, %v", m, err)
	}
	if m, err = w.Migrate(ctx, opts); err != nil || m.Done {
		t.Fatalf("%+v, %v", m, err)
	}
	after := read(t, openAt(t, dir, to))
	if after.Lineage != before.Lineage || after.Serial != before.Serial+1 || !after.SameContent(before) {
		t.Errorf("serial %d of %s came of serial %d of %s", after.Serial, after.Lineage, before.Serial, before.Lineage)
	}
	// A machine that remembers nothing finds the old place as it was, and free.
	fresh := openAt(t, t.TempDir(), from)
	if !read(t, fresh).Equal(before) {
		t.Error("the old place was changed")
	}
	for name, b := range map[string]backend.Backend{"old": fresh.Backend, "new": w.Backend} {
		if holder, err := b.Holder(ctx); err != nil || holder != nil {
			t.Errorf("the %s place is still locked: %+v, %v", name, holder, err)
		}
	}
	if _, err := openAt(t, dir, to, from).Migrate(ctx, opts); !errors.Is(err, ErrNothingToMigrate) {
		t.Errorf("again: %v", err)
	}
	// Work goes on at the new place.
	if err := openAt(t, dir, to).EditState(ctx, LockOptions{Operation: "state rm"}, func(s *state.State) error { return s.Remove("recipe.a") }); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openAt(t, dir, from, to).Recorded(ctx); !errors.As(err, &untrusted) {
		t.Errorf("the old block was put back: %v", err)
	}
	wantNoSecret(t, dir, from, to)
}

func TestAMigrationThatWasInterruptedIsRepeated(t *testing.T) {
	t.Parallel()
	for _, fault := range []testserver.Fault{
		{Kind: "down", On: "lock"}, {Kind: "down", On: "read"}, {Kind: "down", On: "read", Skip: 1}, {Kind: "down", On: "write"}, {Kind: "507", On: "write"},
		{Kind: "lost-answer", On: "write"}, {Kind: "forgets", On: "write"}, {Kind: "forgets-lock", On: "write"}, {Kind: "down", On: "unlock"},
	} {
		t.Run(fmt.Sprintf("%s at a %s, %d before", fault.Kind, fault.On, fault.Skip), func(t *testing.T) {
			t.Parallel()
			dir, s := t.TempDir(), &testserver.Server{}
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			at := server.URL + "/strict/lab"
			to := somewhere{block: fmt.Sprintf("state \"http\" {\n    address = %q\n    lock_address = %q\n    unlock_address = %q\n    retry_max = 0\n    lease = \"2s\"\n  }", at, at, at)}
			from := somewheres["local"](t)
			before := wrote(t, openAt(t, dir, from), "a", "b")

			opts := MigrateOptions{LockOptions: LockOptions{Operation: "state migrate", Timeout: 20 * time.Second}}
			s.Fail(fault)
			_, first := openAt(t, dir, to).Migrate(t.Context(), opts)
			s.Mend()
			if !read(t, openAt(t, t.TempDir(), from)).Equal(before) {
				t.Fatal("the old place was changed")
			}
			if id := s.HolderID("/strict/lab"); id != "" { // its unlock was lost, too
				s.BreakLock("/strict/lab")
			}
			m, err := openAt(t, dir, to).Migrate(t.Context(), opts)
			if err != nil && !(errors.Is(err, ErrNothingToMigrate) && read(t, openAt(t, dir, to)) != nil) {
				t.Fatalf("again, after %v: %+v, %v", first, m, err)
			}
			after := read(t, openAt(t, dir, to))
			if after == nil || after.Lineage != before.Lineage || after.Serial <= before.Serial || !after.SameContent(before) {
				t.Errorf("after %v the new place has %+v", first, after)
			}
		})
	}
}

// TestAStateMigratesFromTheDatabaseThatItsOldBlockNamed is about a connection
// string that stood in the block: it is remembered without its password, and no
// other database is asked instead.
func TestAStateMigratesFromTheDatabaseThatItsOldBlockNamed(t *testing.T) {
	t.Parallel()
	server, err := startPostgres()
	if err != nil {
		t.Skip(err)
	}
	plain := server.ConnString("postgres")
	withPassword := strings.Replace(plain, "@", ":s3cr3t@", 1)
	for name, tc := range map[string]struct {
		literal, variable string
		forgotten         bool // as by an esd that did not remember it
		problem           string
	}{
		"without a password":                   {literal: plain},
		"with a password":                      {literal: withPassword},
		"and the variable names another":       {literal: plain, variable: "postgres://nobody@127.0.0.1:1/else"},
		"and the variable has the password":    {literal: plain, variable: withPassword},
		"which is not remembered":              {literal: plain, forgotten: true, problem: "set ESD_PG_CONN_STR to it, or name the old configuration"},
		"not remembered, the variable says it": {literal: plain, forgotten: true, variable: plain},
		"not remembered, the variable says another": {literal: plain, forgotten: true, variable: "postgres://nobody@127.0.0.1:1/else",
			problem: "leads to postgresql://127.0.0.1:1/else/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			from := somewhere{block: fmt.Sprintf("state \"pg\" {\n    conn_str = %q\n    name = %q\n  }", tc.literal, state.NewID())}
			before := wrote(t, openAt(t, dir, from), "a")
			path := filepath.Join(dir, ".esd", "seen", "esd.json")
			memory, err := readSeen(path)
			if data, _ := os.ReadFile(path); err != nil || strings.Contains(string(data), "s3cr3t") {
				t.Fatalf("%s, %v", data, err)
			}
			if tc.forgotten {
				delete(memory.Places[0].Settings, "conn_str")
				if err := memory.write(path); err != nil {
					t.Fatal(err)
				}
			}
			to := somewheres["local"](t)
			w := openAt(t, dir, to, somewhere{env: map[string]string{"ESD_PG_CONN_STR": tc.variable}})
			m, err := w.Migrate(t.Context(), MigrateOptions{LockOptions: LockOptions{Operation: "state migrate"}})
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) || strings.Contains(err.Error(), "nobody") {
					t.Errorf("%+v, %v", m, err)
				}
				return
			}
			if err != nil || !read(t, openAt(t, dir, to)).SameContent(before) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}
