package buildcache

import (
	"fmt"
	"path"
	"strings"

	"esd/internal/spack"
)

// key is all of a spec that is part of names in a cache.
type key struct {
	hash          spack.Hash
	name, version string
	arch          string // "linux-debian12-x86_64_v3"; version 2 only
	compiler      string // "gcc-12.2.0"; version 2 only
}

// maxName bounds names and versions of packages; Spack's are far shorter.
const maxName = 255

// newKey takes the names out of a spec. all may be nil; it is where the compiler of a
// spec of specfile 5 is found, which only version 2 needs.
func newKey(s *spack.Spec, all spack.Specs) (key, error) {
	k := key{
		hash: s.Hash, name: polite(s.Name), version: polite(s.Version),
		arch:     polite(s.Arch.Platform + "-" + s.Arch.OS + "-" + s.Arch.Target),
		compiler: polite(compilerOf(s, all)),
	}
	return k, k.check()
}

// check refuses keys that could name anything but an entry.
func (k key) check() error {
	if !k.hash.Valid() {
		return fmt.Errorf("%w: %q is not a hash of a spec", ErrInvalid, abbreviate(string(k.hash)))
	}
	for _, part := range []string{k.name, k.version} {
		if part == "" || len(part) > maxName || strings.HasPrefix(part, ".") || polite(part) != part {
			return fmt.Errorf("%w: %q is not a name or version of a package", ErrInvalid, abbreviate(part))
		}
	}
	if polite(k.arch) != k.arch || polite(k.compiler) != k.compiler || len(k.arch)+len(k.compiler) > 2*maxName {
		return fmt.Errorf("%w: architecture or compiler of %s", ErrInvalid, k.name)
	}
	return nil
}

// compilerOf names the compiler in the way of version 2 ("{compiler.name}-
// {compiler.version}"). From specfile 5 on it is a dependency.
func compilerOf(s *spack.Spec, all spack.Specs) string {
	t, err := spack.ParseTemplate("{compiler.name}-{compiler.version}")
	if err != nil {
		return noCompiler
	}
	text, err := t.Format(s, all)
	if err != nil || text == "" {
		return noCompiler
	}
	return text
}

// noCompiler is the name where no compiler was used.
const noCompiler = "none-none"

// polite replaces what Spack does not want in file names
// (polite_filename in llnl/util/filesystem.py).
func polite(s string) string {
	return strings.Map(func(r rune) rune {
		if isWord(r) || r == '+' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, s)
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// id is the part of all names.
func (k key) id() string { return k.name + "-" + k.version + "-" + string(k.hash) }

// Paths of version 3 (COMPONENT_PATHS in url_buildcache.py).
const (
	v3LayoutFile   = "v3/layout.json"
	v3Specs        = "v3/manifests/spec/"
	v3SpecSuffix   = ".spec.manifest.json"
	v3Index        = "v3/manifests/index/index.manifest.json"
	v3Keys         = "v3/manifests/key/"
	v3KeySuffix    = ".key.manifest.json"
	v3KeyIndex     = "v3/manifests/key/keys.manifest.json"
	v3LayoutText   = `{"signing": "gpg"}`
	blobs          = "blobs/sha256/"
	v2Root         = "build_cache/"
	v2SpecSuffix   = ".spec.json"
	v2SignedSuffix = ".spec.json.sig"
	v2Index        = "build_cache/index.json"
	v2IndexHash    = "build_cache/index.json.hash"
	v2Keys         = "build_cache/_pgp/"
	v2KeySuffix    = ".pub"
	v2KeyIndex     = "build_cache/_pgp/index.json"
)

func (k key) v3Manifest() string { return v3Specs + k.name + "/" + k.id() + v3SpecSuffix }

// v2Base is the name of an entry of version 2 without its suffixes.
func (k key) v2Base() string { return k.arch + "-" + k.compiler + "-" + k.id() }

func (k key) v2Archive() string {
	return v2Root + k.arch + "/" + k.compiler + "/" + k.name + "-" + k.version + "/" + k.v2Base() + ".spack"
}

// ociTag is the tag of an entry (_oci_default_tag, ensure_valid_tag in oci/image.py).
func (k key) ociTag() string {
	tag := strings.ReplaceAll(k.id()+".spack", "+", "_")
	if len(tag) > 128 {
		return tag[:64] + tag[len(tag)-64:]
	}
	return tag
}

// ociIndexTag is the tag of the index of an OCI cache.
const ociIndexTag = "index.spack"

func blobPath(sha256 string) string { return blobs + sha256[:2] + "/" + sha256 }

// isSHA256 tells whether s is a digest in the only spelling there is.
func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// parseV3Name takes name, version and hash out of the path of a manifest. The
// directory tells where the name ends, as names and versions may both have dashes.
func parseV3Name(p string) (key, bool) {
	rest, ok := strings.CutPrefix(p, v3Specs)
	base, isSpec := strings.CutSuffix(path.Base(rest), v3SpecSuffix)
	dir := path.Dir(rest)
	tail, named := strings.CutPrefix(base, dir+"-")
	if !ok || !isSpec || !named || len(tail) < spack.HashLength+2 {
		return key{}, false
	}
	at := len(tail) - spack.HashLength
	k := key{name: dir, version: tail[:at-1], hash: spack.Hash(tail[at:])}
	return k, tail[at-1] == '-' && k.check() == nil
}

// hashOfName takes the hash from the end of a name, where all layouts have it.
func hashOfName(base string) (spack.Hash, bool) {
	if len(base) < spack.HashLength+1 || base[len(base)-spack.HashLength-1] != '-' {
		return "", false
	}
	h := spack.Hash(base[len(base)-spack.HashLength:])
	return h, h.Valid()
}
