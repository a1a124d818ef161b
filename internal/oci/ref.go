package oci

import (
	"fmt"
	"net"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Ref names an image: in a repository of a registry, or in a layout directory.
// Exactly one of Layout and Registry is set. Tag and Digest are optional; where both
// are set the digest decides.
type Ref struct {
	Layout     string        // path of an OCI layout directory, for "oci:" references
	Registry   string        // host or host:port
	Repository string        // path inside the registry
	Tag        string        // "" when not given
	Digest     digest.Digest // "" when not given
}

// maxReference bounds a reference's length; host, repository (255), tag (128) and
// digest of valid ones are far shorter.
const maxReference = 1024

// defaultRegistry is what container tools take for a reference without a host.
const defaultRegistry = "docker.io"

// ParseRef reads a reference as container tools write it:
//
//	registry.example.org:5000/esd/lab:1.0[@sha256:…]
//	debian:12-slim                 (docker.io/library/debian)
//	oci://registry/repository:tag  (as Helm and OpenTofu write it)
//	oci:dist/lab:1.0               (a layout directory; the tag follows the last colon)
//
// Errors wrap [ErrInvalidReference].
func ParseRef(s string) (Ref, error) {
	fail := func(format string, args ...any) (Ref, error) {
		return Ref{}, fmt.Errorf("%w %q: %s", ErrInvalidReference, abbreviate(s), fmt.Sprintf(format, args...))
	}
	if s == "" {
		return fail("it is empty; write registry/repository:tag or oci:directory:tag")
	}
	if len(s) > maxReference {
		return fail("it is longer than %d characters", maxReference)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fail("it contains a control character")
	}
	var ref Ref
	var err error
	switch {
	case strings.HasPrefix(s, "oci://"):
		ref, err = parseRemote(strings.TrimPrefix(s, "oci://"), true)
	case strings.HasPrefix(s, "oci:"):
		ref, err = parseLayout(strings.TrimPrefix(s, "oci:"))
	default:
		if i := strings.Index(s, "://"); i >= 0 {
			return fail("scheme %q is not understood; write registry/repository:tag without it", s[:i])
		}
		ref, err = parseRemote(s, false)
	}
	if err != nil {
		return fail("%v", err)
	}
	return ref, nil
}

// parseLayout splits "path[:tag][@digest]". A tag has no slash, so a colon in a
// directory's name followed by a slash belongs to the path.
func parseLayout(s string) (Ref, error) {
	rest, dgst, err := cutDigest(s)
	if err != nil {
		return Ref{}, err
	}
	ref := Ref{Layout: rest, Digest: dgst}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.Contains(rest[i:], "/") {
		ref.Layout, ref.Tag = rest[:i], rest[i+1:]
		if !isTag(ref.Tag) {
			return Ref{}, tagError(ref.Tag)
		}
	}
	if ref.Layout == "" {
		return Ref{}, fmt.Errorf("the directory after \"oci:\" is missing")
	}
	return ref, nil
}

// parseRemote splits "[host/]repository[:tag][@digest]". With explicit, the first
// part is always the host.
func parseRemote(s string, explicit bool) (Ref, error) {
	rest, dgst, err := cutDigest(s)
	if err != nil {
		return Ref{}, err
	}
	host, path, found := strings.Cut(rest, "/")
	isHost := found && (explicit || looksLikeHost(host))
	if explicit && !found {
		return Ref{}, fmt.Errorf("the repository after the registry is missing")
	}
	if !isHost {
		host, path = defaultRegistry, rest
	}
	ref := Ref{Registry: canonicalRegistry(host), Repository: path, Digest: dgst}
	if i := strings.LastIndexByte(path, ':'); i >= 0 {
		ref.Repository, ref.Tag = path[:i], path[i+1:]
		if !isTag(ref.Tag) {
			return Ref{}, tagError(ref.Tag)
		}
	}
	if ref.Registry == defaultRegistry && ref.Repository != "" && !strings.Contains(ref.Repository, "/") {
		ref.Repository = "library/" + ref.Repository
	}
	return ref, ref.validateRemote()
}

func (r Ref) validateRemote() error {
	if !validHost(r.Registry) {
		return fmt.Errorf("registry %q is not a host name with an optional port", r.Registry)
	}
	if r.Repository == "" {
		return fmt.Errorf("the repository is missing")
	}
	if len(r.Repository) > 255 {
		return fmt.Errorf("the repository is longer than 255 characters")
	}
	if !isRepository(r.Repository) {
		if isRepository(strings.ToLower(r.Repository)) {
			return fmt.Errorf("repository %q must be lower case: %q", r.Repository, strings.ToLower(r.Repository))
		}
		return fmt.Errorf("repository %q may have only a-z, 0-9 and single separators (. _ - /) between them", r.Repository)
	}
	return nil
}

// String writes the reference so that ParseRef reads it back unchanged.
func (r Ref) String() string {
	var b strings.Builder
	if r.Layout == "" && !looksLikeHost(r.Registry) {
		b.WriteString("oci://") // else it would be a repository of Docker Hub
	}
	b.WriteString(r.location())
	if r.Tag != "" {
		b.WriteString(":" + r.Tag)
	}
	if r.Digest != "" {
		b.WriteString("@" + r.Digest.String())
	}
	return b.String()
}

// location names the repository or layout without tag and digest.
func (r Ref) location() string {
	if r.Layout != "" {
		return "oci:" + r.Layout
	}
	return r.Registry + "/" + r.Repository
}

// Reference is what a [Store] resolves: the digest where there is one, else the tag,
// else "latest" in a registry and "" (the only image) in a layout.
func (r Ref) Reference() string {
	switch {
	case r.Digest != "":
		return r.Digest.String()
	case r.Tag != "":
		return r.Tag
	}
	if r.Layout != "" {
		return ""
	}
	return "latest"
}

func cutDigest(s string) (rest string, dgst digest.Digest, err error) {
	rest, text, found := strings.Cut(s, "@")
	if !found {
		return s, "", nil
	}
	dgst = digest.Digest(text)
	if err := dgst.Validate(); err != nil {
		return "", "", fmt.Errorf("digest %q must look like sha256: and 64 hexadecimal digits", abbreviate(text))
	}
	return rest, dgst, nil
}

// looksLikeHost tells a registry from the first part of a Docker Hub repository, by
// the rule all container tools share.
func looksLikeHost(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:")
}

func validHost(s string) bool {
	if !isHost(s) {
		return false
	}
	if strings.HasPrefix(s, "[") {
		return net.ParseIP(s[1:strings.IndexByte(s, ']')]) != nil
	}
	return true
}

// canonicalRegistry folds the names under which Docker Hub is known into one.
func canonicalRegistry(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com":
		return defaultRegistry
	}
	return host
}

func tagError(tag string) error {
	return fmt.Errorf("tag %q must have 1 to 128 of letters, digits, _ . - and not begin with . or -", abbreviate(tag))
}

func abbreviate(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
