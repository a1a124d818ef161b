package view

import "io"

// jsonCachePackage is a package of a build cache as programs read it.
type jsonCachePackage struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Hash     string `json:"hash"`
	Spec     string `json:"spec,omitempty"`
	Platform string `json:"platform,omitempty"`
	OS       string `json:"os,omitempty"`
	Target   string `json:"target,omitempty"`
	Compiler string `json:"compiler,omitempty"`
	Size     *int64 `json:"size,omitempty"`
	SHA256   string `json:"sha256,omitempty"`
	Signed   bool   `json:"signed"`
	Signer   string `json:"signer,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

func jsonPackage(c CachePackage) jsonCachePackage {
	out := jsonCachePackage{
		Name: c.Name, Version: c.Version, Hash: c.Hash, Spec: c.Spec, Platform: c.Platform, OS: c.OS, Target: c.Target,
		Compiler: c.Compiler, SHA256: c.SHA256, Signed: c.Signed, Signer: c.Signer, Problem: c.Problem,
	}
	if c.Size >= 0 {
		out.Size = &c.Size
	}
	return out
}

// CacheListJSON writes a listing for programs.
func CacheListJSON(w io.Writer, l CacheListing) error {
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("location", l.Location)
	d.member("layout", l.Layout)
	d.list("packages", len(l.Packages), func(i int) any { return jsonPackage(l.Packages[i]) })
	if len(l.Absent) > 0 {
		d.member("absent", l.Absent)
	}
	return d.close()
}

type jsonCacheDetails struct {
	jsonCachePackage
	SpecSHA256   string                `json:"spec_sha256,omitempty"`
	Prefix       string                `json:"prefix,omitempty"`
	Padded       bool                  `json:"padded"`
	TarSize      int64                 `json:"tar_size,omitempty"`
	EntryURL     string                `json:"entry_url,omitempty"`
	ArchiveURL   string                `json:"archive_url,omitempty"`
	Dependencies []jsonCacheDependency `json:"dependencies"`
	Needs        int                   `json:"needs"`
	Lacks        []string              `json:"lacks,omitempty"`
}

type jsonCacheDependency struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Hash    string   `json:"hash"`
	Types   []string `json:"types"`
	State   string   `json:"state"`
	Path    string   `json:"path,omitempty"`
}

func jsonDetails(d CacheDetails) jsonCacheDetails {
	out := jsonCacheDetails{
		jsonCachePackage: jsonPackage(d.CachePackage), SpecSHA256: d.SpecSHA256, Prefix: d.Prefix, Padded: d.Padded,
		TarSize: d.TarSize, EntryURL: d.EntryURL, ArchiveURL: d.ArchiveURL, Needs: d.Needs, Lacks: d.Lacks,
		Dependencies: make([]jsonCacheDependency, len(d.Dependencies)),
	}
	for i, dep := range d.Dependencies {
		out.Dependencies[i] = jsonCacheDependency(dep)
	}
	return out
}

// CacheShowJSON writes all that is known of packages for programs.
func CacheShowJSON(w io.Writer, l CacheListing, list []CacheDetails) error {
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("location", l.Location)
	d.member("layout", l.Layout)
	d.list("packages", len(list), func(i int) any { return jsonDetails(list[i]) })
	if len(l.Absent) > 0 {
		d.member("absent", l.Absent)
	}
	return d.close()
}

type jsonCacheFinding struct {
	Kind      string `json:"kind"`
	Name      string `json:"name,omitempty"`
	Version   string `json:"version,omitempty"`
	Hash      string `json:"hash"`
	NeedsName string `json:"needs_name,omitempty"`
	NeedsHash string `json:"needs_hash,omitempty"`
	Detail    string `json:"detail,omitempty"`
}

// CacheCheckJSON writes what a check found for programs.
func CacheCheckJSON(w io.Writer, c CacheChecked) error {
	d := newDocument(w)
	d.member("format_version", FormatVersion)
	d.member("location", c.Location)
	d.member("layout", c.Layout)
	d.member("packages", c.Packages)
	d.member("archives", c.Archives)
	d.member("sound", len(c.Findings) == 0)
	d.list("findings", len(c.Findings), func(i int) any { return jsonCacheFinding(c.Findings[i]) })
	return d.close()
}
