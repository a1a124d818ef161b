package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const testDigest = "sha256:b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c"

func TestParseRef(t *testing.T) {
	t.Parallel()
	tests := map[string]Ref{
		"debian":                                {Registry: "docker.io", Repository: "library/debian"},
		"debian:12-slim":                        {Registry: "docker.io", Repository: "library/debian", Tag: "12-slim"},
		"spack/ubuntu-jammy:1.0":                {Registry: "docker.io", Repository: "spack/ubuntu-jammy", Tag: "1.0"},
		"index.docker.io/debian":                {Registry: "docker.io", Repository: "library/debian"},
		"localhost/lab":                         {Registry: "localhost", Repository: "lab"},
		"localhost:5000/lab":                    {Registry: "localhost:5000", Repository: "lab"},
		"[::1]:5000/lab:1":                      {Registry: "[::1]:5000", Repository: "lab", Tag: "1"},
		"registry.example.org:5000/esd/lab:1.0": {Registry: "registry.example.org:5000", Repository: "esd/lab", Tag: "1.0"},
		"registry.example.org/esd/lab:1.0@" + testDigest: {
			Registry: "registry.example.org", Repository: "esd/lab", Tag: "1.0", Digest: testDigest,
		},
		"registry.example.org/lab@" + testDigest: {Registry: "registry.example.org", Repository: "lab", Digest: testDigest},
		"oci://registry/esd/lab:2":               {Registry: "registry", Repository: "esd/lab", Tag: "2"},
		"oci:dist/lab":                           {Layout: "dist/lab"},
		"oci:dist/lab:1.0":                       {Layout: "dist/lab", Tag: "1.0"},
		"oci:/a:b/lab":                           {Layout: "/a:b/lab"},
		"oci:/a:b/lab:1":                         {Layout: "/a:b/lab", Tag: "1"},
		"oci:lab@" + testDigest:                  {Layout: "lab", Digest: testDigest},
	}
	for text, want := range tests {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRef(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			again, err := ParseRef(got.String())
			if err != nil || again != got {
				t.Errorf("%s reads back as %+v, %v", got, again, err)
			}
		})
	}
}

func TestParseRefExplainsWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, says string }{
		"nothing":                   {"", "empty"},
		"a URL":                     {"https://registry.example.org/lab", "without it"},
		"capital letters":           {"registry.example.org/ESD/Lab", `"esd/lab"`},
		"no repository":             {"oci://registry", "missing"},
		"an empty repository":       {"registry.example.org/", "missing"},
		"an empty tag":              {"lab:", "tag"},
		"a tag with a space":        {"lab:a b", "tag"},
		"a short digest":            {"lab@sha256:abc", "64 hexadecimal"},
		"a path that climbs":        {"registry.example.org/../lab", "may have only"},
		"a line break":              {"lab\n:1", "control character"},
		"no directory":              {"oci:", "directory"},
		"a directory of only a tag": {"oci::1", "directory"},
		"a bad port":                {"registry.example.org:port/lab", "host name"},
		"a bad IPv6 address":        {"oci://[:::]/lab", "host name"},
		"far too long":              {strings.Repeat("a", 5000), "longer"},
		"a long repository":         {"x.org/" + strings.Repeat("a", 256), "longer"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseRef(test.text)
			if !errors.Is(err, ErrInvalidReference) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want it to say %q", err, test.says)
			}
			if err != nil && len(err.Error()) > 700 {
				t.Errorf("a message of %d characters", len(err.Error()))
			}
		})
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{
		"debian:12-slim", "registry.example.org:5000/esd/lab:1.0@" + testDigest, "oci:dist/lab:1.0",
		"oci://r/x", "[::1]:5000/a", "oci:/a:b/c", "a//b", "oci:a@b", "..", "oci:..:x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if err != nil {
			if !errors.Is(err, ErrInvalidReference) {
				t.Errorf("unexpected kind of error: %v", err)
			}
			return
		}
		if (ref.Layout == "") == (ref.Registry == "") {
			t.Errorf("%q gives %+v", s, ref)
		}
		if again, err := ParseRef(ref.String()); err != nil || again != ref {
			t.Errorf("%q gives %+v, whose text %q gives %+v, %v", s, ref, ref.String(), again, err)
		}
	})
}
