package image

import (
	"net"
	"strings"

	"esd/internal/oci"
)

// locate reads a recorded reference: layouts get their absolute path.
func (p *Provider) locate(written string) (oci.Ref, error) {
	ref, err := oci.ParseRef(written)
	if err == nil && ref.Layout != "" {
		ref.Layout = inDir(p.opts.Dir, ref.Layout)
	}
	return ref, err
}

// canonical is a reference in the one spelling that comparisons need: the names
// of the loopback interface are one registry, and no tag is "latest".
func canonical(ref oci.Ref) oci.Ref {
	if ref.Layout != "" {
		return ref
	}
	if ref.Tag == "" {
		ref.Tag = "latest"
	}
	host, port, err := net.SplitHostPort(ref.Registry)
	if err != nil {
		host, port = ref.Registry, ""
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	ref.Registry = host
	if port != "" {
		ref.Registry = net.JoinHostPort(host, port)
	} else if strings.Contains(host, ":") {
		ref.Registry = "[" + host + "]"
	}
	return ref
}

// ours are the tags of a repository among what was published.
func (p *Provider) ours(published []string, repository oci.Ref) map[string]bool {
	want := canonical(repository)
	tags := map[string]bool{}
	for _, written := range published {
		ref, err := p.locate(written)
		if err != nil {
			continue
		}
		ref = canonical(ref)
		if ref.Layout == want.Layout && ref.Registry == want.Registry && ref.Repository == want.Repository {
			tags[ref.Tag] = true
		}
	}
	return tags
}
