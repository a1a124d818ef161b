package workspace

import (
	"errors"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
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
