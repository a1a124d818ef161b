package providertest_test

import (
	"os"
	"path/filepath"
	"testing"

	"esd/internal/addr"
	"esd/internal/plan"
)

// Directories that nobody may write to, as caches of Go modules are, cannot be
// removed by ordinary users without more ado. As root these tests show little.
func TestDirectoriesThatNobodyMayWriteTo(t *testing.T) {
	needSandbox(t)
	t.Run("of a failed build are removed by the next one", func(t *testing.T) {
		p := newPlace(t, recipe("mkdir -p mod/sub $prefix/x; echo a > mod/sub/a; chmod -R a-w mod $prefix/x; [ -e /nonexistent ]"))
		for range 2 {
			_, err := p.failure()
			wantError(t, err, "the script failed with exit status 1")
		}
		removeReadOnly(t, p)
	})
	t.Run("of a product are no hindrance", func(t *testing.T) {
		p := newPlace(t, recipe("mkdir -p $prefix/x; echo a > $prefix/x/a; chmod -R a-w $prefix"))
		p.apply()
		p.apply(func(r *plan.Request) { r.Replaces = []addr.Target{{Address: p.object("recipe.a").Address}} })
		p.nothingToDo()
		removeReadOnly(t, p)
	})
}

// removeReadOnly lets the test's directory be removed.
func removeReadOnly(t testing.TB, p *place) {
	err := filepath.WalkDir(p.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
