package cache

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
	"esd/internal/spack/transport"
)

// Access is how what lies behind a URL is reached. Credentials are never part of it.
type Access struct {
	CAFile    string `json:"ca_file,omitempty"`
	Endpoint  string `json:"endpoint,omitempty"` // of S3
	Region    string `json:"region,omitempty"`
	Anonymous bool   `json:"anonymous,omitempty"`
}

func accessAttributes() []schema.Attribute {
	return []schema.Attribute{
		{Name: "ca_file", Type: cty.String, Check: schema.CheckPath, Doc: "A file of PEM certificates to trust beside the system's."},
		{Name: "endpoint", Type: cty.String, Check: checkEndpoint, Doc: "The URL of an S3 service other than Amazon's."},
		{Name: "region", Type: cty.String, Doc: "The region of the S3 bucket."},
		{Name: "anonymous", Type: cty.Bool, Default: cty.False, Doc: "Read S3 without credentials."},
	}
}

func checkEndpoint(v cty.Value) error {
	return schema.CheckNoSecret(v.AsString(), "S3 credentials are found where the AWS tools find them")
}

func accessOf(moduleDir string, values providers.Values) Access {
	a := Access{Endpoint: values.String("endpoint"), Region: values.String("region"), Anonymous: values.Bool("anonymous")}
	if file := values.String("ca_file"); file != "" {
		a.CAFile = absolute(moduleDir, file)
	}
	return a
}

// transport says the same to those who move objects.
func (a Access) transport() transport.Options {
	return transport.Options{
		HTTP: transport.HTTPOptions{CAFile: a.CAFile},
		S3:   transport.S3Options{Endpoint: a.Endpoint, Region: a.Region, Anonymous: a.Anonymous},
	}
}

// placeURL is a URL, or a directory made absolute, as a URL.
func placeURL(moduleDir, url string) string {
	if scheme, _, found := strings.Cut(url, "://"); !found || scheme == "file" {
		return "file://" + absolute(moduleDir, strings.TrimPrefix(url, "file://"))
	}
	return url
}

// checkPlace refuses what is neither a directory nor a URL of one of the schemes, and
// secrets in it. The error names what it should be a place for, and examples.
func checkPlace(url, what, examples string, schemes ...string) error {
	scheme, rest, found := strings.Cut(url, "://")
	// Secrets come first: the other errors quote the URL.
	if found && scheme != "file" {
		if err := schema.CheckNoSecret(url, fmt.Sprintf("log in with the tools of %s instead", scheme)); err != nil {
			return err
		}
	}
	if url == "" || found && (rest == "" || !slices.Contains(schemes, scheme)) {
		return fmt.Errorf("%q is no place for %s: give a directory, or a URL that begins with %s", url, what, examples)
	}
	return nil
}
