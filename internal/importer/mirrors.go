package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// mirrors become caches, asked in the same order.
func (i *spackImport) mirrors(e yamlnode.Entry) error {
	above := i.m.Above(e.Line)
	for _, mirror := range e.Value.Entries {
		if mirror.Value.Kind != yamlnode.Map && !mirror.Value.IsScalar() {
			return mirror.Value.Errorf(i.m.Name, "the mirror %s must be text or a map, and is %s", mirror.Key, mirror.Value.Kind)
		}
		i.mirror(mirror, append(above, i.m.Above(mirror.Line)...))
		above = nil
	}
	return nil
}

// mirrorOf is what a mirror says, in whichever of its forms
// (lib/spack/spack/schema/mirrors.py).
type mirrorOf struct {
	url, push, endpoint string
	binary, source      *bool
	autopush, signed    *bool
	credentials         []yamlnode.Entry
}

func readMirror(n *yamlnode.Node) mirrorOf {
	var m mirrorOf
	if n.IsScalar() {
		m.url = n.Text
		return m
	}
	for _, e := range n.Entries {
		switch e.Key {
		case "url":
			m.url = e.Value.Text
		case "fetch", "push":
			url := e.Value.Text
			if e.Value.Kind == yamlnode.Map {
				inner := readMirror(e.Value)
				url, m.endpoint = inner.url, inner.endpoint
				m.credentials = append(m.credentials, inner.credentials...)
			}
			if e.Key == "push" {
				m.push = url
			} else {
				m.url = url
			}
		case "endpoint_url":
			m.endpoint = e.Value.Text
		case "binary", "source", "autopush", "signed":
			yes := e.Value.True()
			*map[string]**bool{"binary": &m.binary, "source": &m.source, "autopush": &m.autopush, "signed": &m.signed}[e.Key] = &yes
		case "access_pair", "access_token", "access_token_variable", "profile":
			m.credentials = append(m.credentials, e)
		}
	}
	if m.url == "" {
		m.url = m.push
	}
	return m
}

func is(b *bool, want bool) bool { return b != nil && *b == want }

func (i *spackImport) mirror(e yamlnode.Entry, above []string) {
	what := "mirrors:" + e.Key
	m := readMirror(e.Value)
	url, why := i.cacheURL(m.url)
	if why != "" {
		i.lose(e.Position, what, "%s", why)
		return
	}
	for _, c := range m.credentials {
		i.lose(c.Position, what+":"+c.Key, "credentials of registries are found where Docker and Podman keep them, those of S3 where the AWS tools do")
	}
	if m.push != "" && m.push != m.url {
		i.lose(e.Position, what+":push", "a cache has one address for reading and writing; to write to %s, make it a cache of its own", m.push)
	}
	name := i.cacheName(e.Key)
	if !is(m.binary, false) {
		i.buildcache(e, m, name, url, above)
		above = nil
	}
	if is(m.source, true) || is(m.binary, false) {
		i.sources(e, name, url, above)
	} else if m.source == nil && strings.HasPrefix(m.url+"/", "http") {
		i.note(e.Position, what, "it became a build cache; if it has sources as well, add a cache \"sources\" with the same URL")
	}
}

func (i *spackImport) buildcache(e yamlnode.Entry, m mirrorOf, name, url string, above []string) {
	c := &cacheBlock{kind: "buildcache", name: name, above: above}
	c.attributes = append(c.attributes, member{key: "url", value: text(url)})
	switch isHTTP := strings.HasPrefix(url, "http"); {
	case is(m.autopush, true) && isHTTP:
		i.lose(e.Position, "mirrors:"+e.Key+":autopush", "caches behind %s can only be read", strings.SplitN(url, ":", 2)[0])
	case is(m.autopush, true):
		c.attributes = append(c.attributes, member{key: "push", value: boolean(true)})
	case !isHTTP:
		c.attributes = append(c.attributes, member{key: "push", value: boolean(false)})
	}
	if m.endpoint != "" {
		c.attributes = append(c.attributes, member{key: "endpoint", value: text(m.endpoint)})
	}
	if !is(m.signed, false) && !strings.HasPrefix(url, "oci") {
		i.lose(e.Position, "mirrors:"+e.Key+":signed",
			"Spack demands signatures by the keys that it trusts; to do so here, set signed = true and name those keys in trusted_keys")
	}
	i.caches = append(i.caches, c)
	i.env.caches = append(i.env.caches, c.address())
}

func (i *spackImport) sources(e yamlnode.Entry, name, url string, above []string) {
	if scheme, _, ok := strings.Cut(url, "://"); ok && !slices.Contains([]string{"file", "http", "https"}, scheme) {
		i.lose(e.Position, "mirrors:"+e.Key+":source", "sources are kept in directories or behind https, not behind %s", scheme)
		return
	}
	c := &cacheBlock{kind: "sources", name: name, above: above, attributes: []member{{key: "url", value: text(url)}}}
	i.caches = append(i.caches, c)
	i.env.caches = append(i.env.caches, c.address())
	if !slices.ContainsFunc(i.env.attributes, func(m member) bool { return m.key == "network" }) {
		// Spack asks mirrors first and the network then; without this, esd
		// would not.
		i.env.attributes = append(i.env.attributes, member{key: "network", value: boolean(true), beside: "sources that no mirror has come from where they are published"})
	}
}

// placeholder is a word that something is put in for before Spack sees it.
var placeholder = lazily(`^[A-Z][A-Z0-9]*_[A-Z0-9_]*$`)

// cacheURL is the address of a mirror for a configuration, or why there is
// none.
func (i *spackImport) cacheURL(url string) (string, string) {
	scheme, rest, isURL := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case url == "":
		return "", "it has no address"
	case strings.ContainsAny(url, "$~") || placeholder().MatchString(url):
		return "", fmt.Sprintf("in %s something has to be put in; write the address as it is", url)
	case isURL && scheme == "file":
		return url, ""
	case isURL && strings.Contains(host, "@"):
		return "", "its address has a user name or a password in it, which must not stand in a configuration"
	case isURL && !slices.Contains([]string{"http", "https", "s3", "oci", "oci+http"}, scheme):
		return "", fmt.Sprintf("esd has no caches behind %s://", scheme)
	case isURL:
		return url, ""
	case filepath.IsAbs(url):
		return url, ""
	}
	return pathFor(i.opts.Dir, filepath.Join(filepath.Dir(i.path), url)), ""
}

// cacheName is a label that no cache has yet.
func (c *configuration) cacheName(name string) string {
	name = label(name)
	if c.cacheNames == nil {
		c.cacheNames = map[string]int{}
	}
	c.cacheNames[name]++
	if n := c.cacheNames[name]; n > 1 {
		return c.cacheName(fmt.Sprintf("%s-%d", name, n))
	}
	return name
}
