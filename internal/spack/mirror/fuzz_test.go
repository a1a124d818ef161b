package mirror

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack/transport"
)

// FuzzSources reads lists of sources as Spack gives them: what passes the check stays
// in the mirror, has a name that every kind of store takes, and can be verified.
func FuzzSources(f *testing.F) {
	f.Add([]byte(`[{"package":"zlib","kind":"archive","urls":["https://example.org/z.tar.gz"],"digest":"` + strings.Repeat("a", 64) + `","path":"_source-cache/archive/aa/x.tar.gz"}]`))
	f.Add([]byte(`[{"kind":"checkout","path":"../../etc/passwd"}]`))
	f.Add([]byte(`[{"path":"a/\u0000","digest":"ABC"}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []Source
		if json.Unmarshal(data, &list) != nil {
			return
		}
		m := &fetcher{dir: "/mirror"}
		for _, s := range list {
			if s.Check() != nil {
				continue
			}
			if p := m.local(s.Path); !strings.HasPrefix(p, "/mirror/") || filepath.Clean(p) != p || transport.CheckName(s.Path) != nil {
				t.Errorf("%q leads to %s, %v", s.Path, p, transport.CheckName(s.Path))
			}
			if s.Digest != "" && newHash(s.Digest) == nil {
				t.Errorf("%q cannot be verified", s.Digest)
			}
		}
	})
}
