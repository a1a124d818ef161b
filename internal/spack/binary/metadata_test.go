package binary

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Spack 1.2 and 0.23 wrote, with other paths.
const (
	metadata12 = `{sbang_install_path: /opt/store/bin/sbang, buildpath: /opt/store, spackprefix: /opt/spack, relative_prefix: linux-x86_64_v3/toy-1.0-abcdefghijklmnopqrstuvwxyz234567, hardlinks_deduped: true, hash_to_prefix: {abcdefghijklmnopqrstuvwxyz234567: /opt/store/linux-x86_64_v3/toy-1.0-abcdefghijklmnopqrstuvwxyz234567, bbcdefghijklmnopqrstuvwxyz234567: /opt/store/linux-x86_64_v3/dep-2-bbcdefghijklmnopqrstuvwxyz234567}, relocate_binaries: [lib/libtoy.so, 'lib/odd, name'], relocate_links: [], relocate_textfiles: [bin/toy]}
`
	metadata023 = `{sbang_install_path: /opt/store/bin/sbang, buildpath: /opt/store, spackprefix: /opt/spack, relative_prefix: linux-x86_64_v3/toy-1.0-abcdefghijklmnopqrstuvwxyz234567, relocate_textfiles: [bin/toy], relocate_binaries: [lib/libtoy.so, 'lib/odd, name'], relocate_links: [], hardlinks_deduped: true, hash_to_prefix: {abcdefghijklmnopqrstuvwxyz234567: /opt/store/linux-x86_64_v3/toy-1.0-abcdefghijklmnopqrstuvwxyz234567,
    bbcdefghijklmnopqrstuvwxyz234567: /opt/store/linux-x86_64_v3/dep-2-bbcdefghijklmnopqrstuvwxyz234567}}
`
)

func TestMetadataOfBothGenerationsIsRead(t *testing.T) {
	t.Parallel()
	new, err := ParseMetadata([]byte(metadata12))
	if err != nil {
		t.Fatal(err)
	}
	old, err := ParseMetadata([]byte(metadata023))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(new, old); diff != "" {
		t.Errorf("they differ (-1.2 +0.23):\n%s", diff)
	}
	if new.Prefix(depHash) != "/opt/store/linux-x86_64_v3/dep-2-"+string(depHash) || new.Binaries[1] != "lib/odd, name" {
		t.Errorf("got %+v", new)
	}
	written, err := new.Marshal()
	if diff := cmp.Diff(metadata12, string(written)); diff != "" || err != nil {
		t.Errorf("written anew (-want +got):\n%s %v", diff, err)
	}
}

func TestOldMetadataNamesPrefixesTheOtherWayRound(t *testing.T) {
	t.Parallel()
	m, err := ParseMetadata([]byte("{buildpath: /s, prefix_to_hash: {? /s/" + strings.Repeat("long/", 40) + "toy\n  : " + string(toyHash) + "}}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Prefix(toyHash); !strings.HasSuffix(got, "/toy") {
		t.Errorf("the prefix is %q", got)
	}
}

func TestNamesThatAreNoTextCannotBePacked(t *testing.T) {
	t.Parallel()
	m := &Metadata{StoreRoot: "/s", Binaries: []string{"lib/\xff"}}
	if _, err := m.Marshal(); err == nil {
		t.Error("no error")
	}
}

func TestFilesAreClassifiedAsBySpack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		want    fileType
	}{
		"short text is not looked at":      {"1234567", typeUnknown},
		"text":                             {"12345678", typeText},
		"UTF-8":                            {"gr\u00fc\u00dfe \U0001d4b3", typeText},
		"UTF-8 with NUL":                   {"text\x00text", typeText},
		"Latin 1":                          {"gr\xfc\xdfe an alle", typeText},
		"Latin 1 with a control character": {"gr\xfc\xdfe\x85 an alle", typeUnknown},
		"UTF-8 that is cut":                {"text\x00 text \xc3", typeUnknown},
		"ELF":                              {"\x7fELF\x02\x01\x01\x00", typeBinary},
		"Mach-O":                           {"\xcf\xfa\xed\xfe\x07\x00\x00\x01", typeBinary},
		"universal Mach-O":                 {"\xca\xfe\xba\xbe\x00\x00\x00\x02", typeBinary},
		"a Java class":                     {"\xca\xfe\xba\xbe\x00\x00\x00\x34", typeUnknown},
	} {
		if got := classify([]byte(c.content)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if len(c.content) < 8 {
			continue
		}
		// The same in a stream, with characters across the ends of buffers.
		for _, pad := range []int{0, 64<<10 - 9, 64<<10 - 1, 200_001} {
			long := c.content
			if c.want != typeBinary {
				long = strings.Repeat("x", pad) + c.content
			}
			got, err := classifyStream(strings.NewReader(long), int64(len(long)))
			if err != nil || got != c.want && !(pad > 0 && name == "a Java class") {
				t.Errorf("%s behind %d bytes: %v, want %v: %v", name, pad, got, c.want, err)
			}
		}
	}
}

func TestArchivesDoNotDependOnTheNumberOfProcessors(t *testing.T) {
	// Not in parallel: it sets the number.
	tr := toyTree(t)
	for i := range 30 {
		tr["lib/big"+string(rune('a'+i))] = strings.Repeat("data "+string(rune('a'+i)), 40_000)
	}
	want := pack(t, tr)
	withProcessors(t, 1)
	if got := pack(t, tr); string(got) != string(want) {
		t.Error("the archive differs")
	}
}
