package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func someCachePackages() []CachePackage {
	return []CachePackage{
		{
			Name: "hdf5", Version: "1.14.6", Hash: "5he7a765o7auue4266g64dnpk263snaf", Platform: "linux", OS: "debian12", Target: "zen3",
			Spec:     "hdf5@1.14.6~cxx~fortran~hl~ipo~java~map~mpi+shared~szip~threadsafe+tools api=default build_system=cmake build_type=Release arch=linux-debian12-zen3 %c=gcc@12.2.0",
			Compiler: "gcc@12.2.0", Variants: "~cxx~fortran~hl~ipo~java~map~mpi+shared~szip~threadsafe+tools api=default build_type=Release",
			Size: 3 << 20, SHA256: strings.Repeat("0f", 32), Signed: true, Signer: "432C95D42579AC6699F53F92D19B27ADC64560A9",
		},
		{
			Name: "nest", Version: "3.9", Hash: "cubchblhllgzdlwyastfn4vetfbolwhj", Size: -1,
			Problem: "file:///srv/mirror/v3/manifests/spec/nest/nest-3.9.spec.manifest.json: not signed, and the policy demands a signature",
		},
		{
			Name: "zlib", Version: "1.3.1", Hash: "pymvx3w2qbs2i7podwn2hvm7spaomy4m", Platform: "linux", OS: "debian12", Target: "zen3",
			Spec: "zlib@1.3.1+pic arch=linux-debian12-zen3 %c=gcc@12.2.0", Compiler: "gcc@12.2.0", Variants: "+pic", Size: 81234,
			SHA256: strings.Repeat("a1", 32), Signed: true, Signer: "432C95D42579AC6699F53F92D19B27ADC64560A9",
		},
	}
}

func aCacheListing() CacheListing {
	return CacheListing{Location: "file:///srv/mirror", Layout: "v3", Packages: someCachePackages(), Absent: []string{"arbor@0.9.0/pxzcort"}}
}

func someCacheDetails() []CacheDetails {
	p := someCachePackages()
	return []CacheDetails{
		{
			CachePackage: p[0], Prefix: "/srv/store/__spack_path_placeholder__/__spack_path_placeholder__/__spack_path_pl/linux-zen3/hdf5", Padded: true,
			TarSize: 9 << 20, EntryURL: "file:///srv/mirror/v3/manifests/spec/hdf5/x.spec.manifest.json", ArchiveURL: "file:///srv/mirror/blobs/sha256/0f/0f",
			Dependencies: []CacheDependency{
				{"cmake", "3.31.9", "fzbwlihckg3nzugjh7c63z5gnaeec5xv", []string{"build"}, "missing", ""},
				{"glibc", "2.36", "zirfsst2ckg3nzugjh7c63z5gnaeec5xv", []string{"link"}, "external", "/usr"},
				{"zlib", "1.3.1", "pymvx3w2qbs2i7podwn2hvm7spaomy4m", []string{"build", "link"}, "missing", ""},
			},
			Needs: 2, Lacks: []string{"zlib@1.3.1/pymvx3w"},
		},
		{CachePackage: p[1]},
		{CachePackage: p[2], Prefix: "/srv/store/zlib", Needs: 1, Dependencies: []CacheDependency{
			{"gcc-runtime", "12.2.0", "y5awtsbzwjks3unokgoenewjvui3tuca", []string{"link"}, "cached", ""},
		}},
	}
}

func TestBuildCachesLookAsAgreed(t *testing.T) {
	wide, narrow := Options{Unicode: true, Width: 100}, Options{Width: 60}
	checked := CacheChecked{Location: "file:///srv/mirror", Layout: "v3", Name: "./my mirror", Packages: 3, Archives: true, Findings: []CacheFinding{
		{Kind: "archive-wrong", Name: "hdf5", Version: "1.14.6", Hash: "5he7a765o7auue4266g64dnpk263snaf", Detail: "it has 3 bytes, 7 expected"},
		{Kind: "dependency-missing", Name: "hdf5", Version: "1.14.6", Hash: "5he7a765o7auue4266g64dnpk263snaf", NeedsName: "zlib", NeedsHash: "pymvx3w2qbs2i7podwn2hvm7spaomy4m"},
		{Kind: "of-tomorrow", Hash: "cubchblhllgzdlwyastfn4vetfbolwhj"},
	}}
	promoted := Promotion{Unchecked: []string{"target.image.other was never applied"}, Environments: []PromotedEnvironment{{
		Address: "environment.sim", Quarantine: "staging", Location: "file:///srv/staging", Packages: 5, CheckedBy: []string{"target.image.lab"},
		Caches: []PromotedCache{{Name: "shared", Location: "oci://registry.example.org/cache", Packages: someCachePackages()[:1], There: 3, Elsewhere: 1, Bytes: 3 << 20}},
	}, {
		Address: "environment.tools", Quarantine: "staging", Location: "file:///srv/staging", Packages: 3, CheckedBy: []string{"target.image.lab", "target.image.other"},
		Caches: []PromotedCache{
			{Name: "legacy", Location: "file:///srv/legacy", Packages: someCachePackages(), Bytes: 4 << 20},
			{Name: "shared", Location: "oci://registry.example.org/cache", Packages: someCachePackages(), Bytes: 4 << 20},
		},
	}}}
	deletion := CacheDeletion{
		Location: "file:///srv/mirror", Layout: "v2", Packages: someCachePackages(), Bytes: 3<<20 + 81234,
		Needed: []CacheNeed{{"zlib@1.3.1/pymvx3w", []string{"arbor@0.9.0/pxzcort"}}},
	}
	copied := CacheCopied{
		To: "oci://registry.example.org/cache", Copied: 1, There: 1, Bytes: 3 << 20, Failed: someCachePackages()[1:2],
		Lacking: []string{"arbor@0.9.0/pxzcort"}, Unsigned: 2, Indexed: true,
	}
	for name, write := range map[string]func(*bytes.Buffer) error{
		"cache_list_pipe":   func(b *bytes.Buffer) error { return CacheList(b, aCacheListing(), Options{Unicode: true}) },
		"cache_list_wide":   func(b *bytes.Buffer) error { return CacheList(b, aCacheListing(), wide) },
		"cache_list_narrow": func(b *bytes.Buffer) error { return CacheList(b, aCacheListing(), narrow) },
		"cache_list_alike": func(b *bytes.Buffer) error {
			l := aCacheListing()
			l.Packages, l.Absent = append(l.Packages[:1:1], l.Packages[2]), nil
			return CacheList(b, l, wide)
		},
		"cache_list_long":  func(b *bytes.Buffer) error { return CacheListLong(b, aCacheListing(), wide) },
		"cache_list_names": func(b *bytes.Buffer) error { return CacheNames(b, aCacheListing(), wide) },
		"cache_show":       func(b *bytes.Buffer) error { return CacheShow(b, someCacheDetails(), nil, wide) },
		"cache_check":      func(b *bytes.Buffer) error { return CacheCheck(b, checked, wide) },
		"cache_copied":     func(b *bytes.Buffer) error { return CacheCopy(b, copied, wide) },
		"cache_delete":     func(b *bytes.Buffer) error { return CacheDelete(b, deletion, wide) },
		"cache_promote":    func(b *bytes.Buffer) error { return Promote(b, promoted, wide) },
		"cache_list_json":  func(b *bytes.Buffer) error { return CacheListJSON(b, aCacheListing()) },
		"cache_show_json":  func(b *bytes.Buffer) error { return CacheShowJSON(b, aCacheListing(), someCacheDetails()) },
		"cache_check_json": func(b *bytes.Buffer) error { return CacheCheckJSON(b, checked) },
	} {
		t.Run(name, func(t *testing.T) {
			got := written(t, write)
			if strings.HasSuffix(name, "_json") && !json.Valid(got) {
				t.Errorf("not JSON:\n%s", got)
			}
			golden(t, name, got)
		})
	}
}

func TestListingsFitTheTerminal(t *testing.T) {
	for width := minWidth; width < 120; width += 7 {
		for _, k := range someCachePackages() {
			one := CacheListing{Packages: []CachePackage{k, someCachePackages()[2]}}
			got := written(t, func(b *bytes.Buffer) error { return CacheList(b, one, Options{Unicode: true, Width: width}) })
			for line := range strings.SplitSeq(string(got), "\n") {
				if width >= 80 && displayWidth(line) > width {
					t.Errorf("%d columns: %q", width, line)
				}
			}
		}
	}
}

func TestNoTextOfACacheReachesTheTerminalAsItIs(t *testing.T) {
	evil := "x\x1b]0;t\x07\x1b[2J\ny\u202e"
	k := CachePackage{Name: evil, Version: evil, Hash: evil, Spec: evil, Target: evil, Compiler: evil, Variants: evil, SHA256: evil, Signer: evil, Problem: evil}
	clean := k
	clean.Problem = ""
	l := CacheListing{Location: evil, Layout: evil, Packages: []CachePackage{k, clean}, Absent: []string{evil}}
	d := CacheDetails{
		CachePackage: clean, Prefix: evil, EntryURL: evil, ArchiveURL: evil, Lacks: []string{evil},
		Dependencies: []CacheDependency{{evil, evil, evil, []string{"link"}, "external", evil}},
	}
	for _, o := range []Options{{Unicode: true}, {Unicode: true, Width: 60}} {
		var b bytes.Buffer
		err := errors.Join(
			CacheList(&b, l, o), CacheListLong(&b, l, o), CacheNames(&b, l, o), CacheShow(&b, []CacheDetails{d, {CachePackage: k}}, []string{evil}, o),
			CacheCheck(&b, CacheChecked{Location: evil, Name: evil, Findings: []CacheFinding{{evil, evil, evil, evil, evil, evil, evil}}}, o),
			CacheCopy(&b, CacheCopied{To: evil, Failed: []CachePackage{k}, Lacking: []string{evil}}, o),
			CacheDelete(&b, CacheDeletion{Location: evil, Packages: l.Packages, Needed: []CacheNeed{{k.id(), []string{evil}}}}, o),
			CacheIndex(&b, CacheIndexed{Location: evil, Left: []CacheFinding{{Detail: evil}}}, o),
			Promote(&b, Promotion{Unchecked: []string{evil}, Environments: []PromotedEnvironment{{
				Address: evil, Quarantine: evil, Location: evil, CheckedBy: []string{evil}, Caches: []PromotedCache{{Name: evil, Location: evil, Packages: l.Packages}},
			}}}, o),
		)
		c := NewCacheCopying(&b, LiveOptions{Options: o})
		c.Step(CacheCopyStep{Package: k, Err: errors.New(evil)})
		if err = errors.Join(err, c.Stop()); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\x07\u202e") {
			t.Errorf("%q", b.String())
		}
	}
}

func TestCopyingIsFollowedALineForEachPackage(t *testing.T) {
	steps := func(c *CacheCopying) {
		p := someCachePackages()
		c.Step(CacheCopyStep{Total: 3, Bytes: 4 << 20})
		c.Step(CacheCopyStep{Package: p[0], Copied: true})
		c.Step(CacheCopyStep{Package: p[1], Err: errors.New("it is damaged\nin many ways")})
		c.Step(CacheCopyStep{Package: p[2]})
	}
	var plainText, live bytes.Buffer
	c := NewCacheCopying(&plainText, LiveOptions{Options: Options{Unicode: true}})
	steps(c)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	want := "[1/3] ✓ hdf5@1.14.6/5he7a76  3.0 MiB\n[2/3] ✗ nest@3.9/cubchbl  not copied: it is damaged\n[3/3] = zlib@1.3.1/pymvx3w  is there\n"
	if plainText.String() != want {
		t.Errorf("got\n%swant\n%s", plainText.String(), want)
	}
	c = NewCacheCopying(&live, LiveOptions{Options: Options{Unicode: true, Live: true, Width: 80}})
	steps(c)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := live.String(); !strings.Contains(got, "1 of 3 packages, 3.0 MiB of 4.0 MiB") || !strings.HasSuffix(got, "is there\n") {
		t.Errorf("%q", got)
	}
	if err := c.Stop(); err != nil || strings.Contains(live.String()[strings.LastIndex(live.String(), "\n"):], "packages") {
		t.Errorf("a bar is left: %q, %v", live.String(), err)
	}
}
