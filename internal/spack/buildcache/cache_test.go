package buildcache

import (
	"strings"
	"testing"
)

func TestWhatWasPushedIsFoundAndRead(t *testing.T) {
	t.Parallel()
	zed := toy(t, "zed", "2.1")
	app := toy(t, "app", "1.0", zed)
	other := toy(t, "other", "3")
	all := specsOf(zed, app, other)
	c := mustOpen(t, t.TempDir(), Options{})
	mustPush(t, c, zed, all, "the archive of zed")
	mustPush(t, c, app, all, "the archive of app")

	found := mustLookup(t, c, LookupOptions{Verify: true}, app, zed, other)
	if len(found) != 2 {
		t.Fatalf("found %v", found)
	}
	e := found[app.Hash]
	if e.Problem != nil || !e.Resolved() || e.Prefix != "/opt/store/"+app.ID() || e.TarSize != 10240 {
		t.Errorf("entry %+v", e)
	}
	got, err := readArchive(t.Context(), c, e)
	if err != nil || got != "the archive of app" {
		t.Errorf("read %q, %v", got, err)
	}
	head, err := c.ArchiveHead(t.Context(), e, 7)
	if err != nil || string(head) != "the arc" {
		t.Errorf("head %q, %v", head, err)
	}
	doc, err := c.Spec(t.Context(), e)
	if err != nil || !strings.Contains(string(doc), string(zed.Hash)) {
		t.Errorf("spec %s, %v", doc, err)
	}
	if _, there := mustLookup(t, c, LookupOptions{}, other)[other.Hash]; there {
		t.Error("found what was never pushed")
	}
}
