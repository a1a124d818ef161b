package oci

import (
	"bytes"
	"io"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"
)

// BenchmarkPush64MiB measures a blob's way into a store: hashed here, sent, written.
func BenchmarkPush64MiB(b *testing.B) {
	content := make([]byte, 64<<20)
	srv := httptest.NewServer(olareg.New(oconfig.Config{Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem}}))
	b.Cleanup(srv.Close)
	for name, ref := range map[string]Ref{
		"layout":   {Layout: filepath.Join(b.TempDir(), "layout")},
		"registry": {Registry: srv.Listener.Addr().String(), Repository: "esd/lab"},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(b.Context(), ref, Options{Credentials: StaticCredential{}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(content)))
			for i := 0; b.Loop(); i++ {
				content[0], content[1] = byte(i), byte(i>>8)
				desc := Describe(testBlobType, content)
				err := s.Push(b.Context(), desc, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
