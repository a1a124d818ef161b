package buildcache

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/spack/transport"
)

const fuzzIndex = `{"database":{"version":"8","installs":{"abcdefghijklmnopqrstuvwxyz234567":{"spec":{"name":"a","version":"1","arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"},` +
	`"compiler":{"name":"gcc","version":"12.2.0"},"external":null,"dependencies":[{"name":"b","hash":"bbcdefghijklmnopqrstuvwxyz234567","parameters":{"deptypes":["build","link"],"virtuals":["c"]}}],` +
	`"hash":"abcdefghijklmnopqrstuvwxyz234567"},"ref_count":0,"in_buildcache":true}}}}`

func FuzzIndex(f *testing.F) {
	f.Add([]byte(fuzzIndex))
	f.Add([]byte(`{"database":{"installs":{},"version":"7"}}`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		in := &indexStream{ReadCloser: io.NopCloser(bytes.NewReader(text)), size: int64(len(text))}
		r, err := reduce(context.Background(), in, "fuzz", reducedHeader{})
		if err != nil {
			return
		}
		again, err := parseReduced(r.all)
		if err != nil {
			panic(err)
		}
		for i := range again.n {
			e, ok := again.at(i)
			if !ok {
				panic("a record that was written cannot be read")
			}
			if found, ok := again.find(e.hash); !ok || found.name != e.name {
				panic("a record is not found")
			}
			_ = again.key(e)
		}
		_ = indexNodes(context.Background(), bytes.NewReader(text), "fuzz", func([]byte, int) error { return nil })
	})
}

func FuzzReduced(f *testing.F) {
	in := &indexStream{ReadCloser: io.NopCloser(strings.NewReader(fuzzIndex))}
	r, err := reduce(context.Background(), in, "fuzz", reducedHeader{Location: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.all)
	f.Fuzz(func(_ *testing.T, all []byte) {
		// The checksum would stop nearly all of what is not from here.
		r, err := parseReducedBody(all)
		if err != nil {
			return
		}
		for i := range min(r.n, 1000) {
			e, _ := r.at(i)
			_, _ = r.find(e.hash)
			_ = r.key(e)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"version":3,"data":[{"contentLength":1,"mediaType":"application/vnd.spack.install.v2.tar+gzip","compression":"gzip","checksumAlgorithm":"sha256","checksum":"` + strings.Repeat("a", 64) + `"}],"annotations":{"spack.install.prefix":"/opt/x"}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		m, err := parseManifest("fuzz", text)
		if err != nil {
			return
		}
		blob, err := m.blob("fuzz", mediaTarFamily)
		if err == nil && (transport.CheckName(blobPath(blob.SHA256)) != nil || blob.Size < 0) {
			panic("a blob that leads elsewhere")
		}
		var e Entry
		e.annotate(m.Annotations)
		if again, err := parseManifest("fuzz", m.encode()); err != nil || len(again.Data) != len(m.Data) {
			panic("what is written cannot be read")
		}
	})
}

func FuzzSpecDocument(f *testing.F) {
	s := toy(f, "app", "1.0")
	doc, err := newSpecDocument(s, specsOf(s))
	if err != nil {
		f.Fatal(err)
	}
	plain, err := doc.encode()
	if err != nil {
		f.Fatal(err)
	}
	packed, err := deflate(plain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain)
	f.Add(packed)
	f.Fuzz(func(_ *testing.T, text []byte) {
		doc, _, err := parseSpecDocument("fuzz", text, s.Hash)
		if err != nil {
			return
		}
		if k, err := keyOfDocument("fuzz", doc); err == nil {
			for _, name := range []string{k.v3Manifest(), k.v2Archive(), v2Root + k.v2Base()} {
				if transport.CheckName(name) != nil {
					panic(name)
				}
			}
		}
		if !json.Valid(onLines(doc)) {
			panic("what is written is no JSON")
		}
	})
}

func FuzzNames(f *testing.F) {
	h := strings.Repeat("a", 32)
	f.Add("v3/manifests/spec/app/app-1.0-" + h + ".spec.manifest.json")
	f.Add("v3/manifests/spec/../..-1-" + h + ".spec.manifest.json")
	f.Add("build_cache/linux-x-y-gcc-1-a-1-" + h + ".spec.json")
	f.Fuzz(func(_ *testing.T, name string) {
		if k, ok := parseV3Name(name); ok {
			if transport.CheckName(k.v3Manifest()) != nil || k.v3Manifest() != name {
				panic(name)
			}
		}
		_, _ = hashOfName(name)
	})
}

func FuzzImageManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":2},"layers":[{"digest":"sha256:` + strings.Repeat("b", 64) + `","size":3}]}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		var m ocispec.Manifest
		e, err := parseImage("fuzz", text, &m)
		if err == nil && (!isSHA256(e.Archive.SHA256) || e.Archive.Size < 0 || !isSHA256(e.SpecBlob.SHA256)) {
			panic("accepted")
		}
	})
}
