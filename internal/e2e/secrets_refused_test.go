package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSecretsInAddressesAreNotRepeated gives addresses by which one logs in to
// all that takes addresses, in the file and by a variable.
func TestSecretsInAddressesAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := secrets{"the secret": "hush-4731"}
	blocks := map[string]string{
		"a cache of products":  "cache \"artifact\" \"t\" { url = %s }\n",
		"a cache of packages":  "cache \"buildcache\" \"t\" { url = %s }\n",
		"a cache of sources":   "cache \"sources\" \"t\" { url = %s }\n",
		"an endpoint":          "cache \"sources\" \"t\" {\n  url = \"s3://bucket/a\"\n  endpoint = %s\n}\n",
		"a source to download": "recipe \"a\" {\n  version = \"1\"\n  script = \"true\"\n  source {\n    url = %s\n    sha256 = \"x\"\n  }\n}\n",
		"a repository":         "recipe \"a\" {\n  version = \"1\"\n  script = \"true\"\n  source {\n    git = %s\n    ref = \"v1\"\n  }\n}\n",
		"a directory":          "recipe \"a\" {\n  version = \"1\"\n  script = \"true\"\n  source { path = %s }\n}\n",
		"a base":               "target \"image\" \"a\" {\n  packages = []\n  publish = [\"oci:dist/a:1\"]\n  base = %s\n}\n",
		"a published place":    "target \"image\" \"a\" {\n  packages = []\n  publish = [\n    %s,\n  ]\n}\n",
		"an install tree":      "target \"filesystem\" \"a\" {\n  packages = []\n  path = %s\n}\n",
		"a Spack":              "spack {\n  repository = %s\n  ref = \"v1\"\n}\n",
		"a Spack at a path":    "spack { path = %s }\n",
		"a module":             "module \"m\" { source = %s }\n",
	}
	addresses := []string{"https://x.org/c?token=hush-4731", "https://user:hush-4731@x.org/c", "ftp://user:hush-4731@x.org/c", "s3://b/c?X-Amz-Signature=hush-4731",
		"oci://user:hush-4731@x.org/c", "git::https://user:hush-4731@x.org/c"}
	for what, block := range blocks {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, nil)
			run := func(text string, args ...string) {
				m.write(map[string]string{"esd.hcl": text})
				e := m.esd(args...)
				s.wantKept(t, e)
				if e.code != 1 {
					t.Errorf("esd %s exits with %d for\n%s\n%s", args[0], e.code, text, e.all())
				}
			}
			for i, address := range addresses {
				literal := fmt.Sprintf(block, fmt.Sprintf("%q", address))
				by := "variable \"u\" { type = string }\n" + fmt.Sprintf(block, "var.u")
				run(literal, [][]string{{"validate", "--format=json"}, {"validate"}}[i%2]...)
				run(by, "plan", "--var", "u="+address)
				if i == 0 {
					run(literal, "plan")
					run(strings.Replace(literal, "hush-4731", "hush-4731 hush", 1), "plan")
					run(strings.Replace(literal, "hush-4731\"", "hush-4731", 1)+"}}", "plan") // a mistake of syntax beside
				}
			}
			s.wantNowhere(t, m.home)
		})
	}
}
