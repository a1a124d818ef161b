package s3

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/register"
)

// Kind describes state "s3".
func Kind() backend.Kind {
	return backend.Kind{
		Name:    "s3",
		Summary: "In a bucket of Amazon S3, or of a server that speaks its protocol.",
		Doc: "The names are those of Terraform's s3 backend where they mean the same. Lock and state stand behind the one object `key`, which is changed " +
			"by conditional writes only; there is no table of locks beside it. The versions of the state are the objects `KEY.versions/…`, compressed. " +
			"A server that does not honour conditional writes is found out before a lock is taken, and refused.\n\n" +
			"Credentials are found where the AWS tools look (`AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `AWS_WEB_IDENTITY_TOKEN_FILE`, `~/.aws`, the role of the machine). " +
			"They need `s3:GetObject`, `s3:PutObject` and `s3:DeleteObject` on `KEY` and `KEY.versions/*`, and `s3:ListBucket`.",
		Example: `state "s3" {
  bucket = "deployments"
  key    = "lab/production.json"
  region = "eu-central-1"
}`,
		Attributes: attributes(),
		Open:       open,
	}
}

func attributes() []backend.Attribute {
	attribute := func(name string, t cty.Type, doc string, variables ...string) backend.Attribute {
		return backend.Attribute{Attribute: schema.Attribute{Name: name, Type: t, Doc: doc}, Variables: variables}
	}
	bucket := attribute("bucket", cty.String, "The bucket. It must be there.", "ESD_S3_BUCKET")
	bucket.Required, bucket.Check = true, checkBucket
	key := attribute("key", cty.String, "The object that says which version of the state is the present one.", "ESD_S3_KEY")
	key.Required, key.Check = true, checkKey
	endpoint := attribute("endpoint", cty.String, "The URL of a server other than Amazon's.", "ESD_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	endpoint.Check = checkEndpoint
	return []backend.Attribute{
		bucket, key,
		attribute("region", cty.String, "The region of the bucket. Default: that of the profile, or `us-east-1`.", "ESD_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
		endpoint,
		attribute("profile", cty.String, "The profile of `~/.aws` to use. Default: what the AWS tools are set to."),
		attribute("use_path_style", cty.Bool, "Whether the bucket stands in the path of URLs, not in their host. Default: `true` with an `endpoint`, or else `false`."),
		attribute("encrypt", cty.Bool, "Whether the server is asked to encrypt what it keeps, with a key of its own."),
		attribute("kms_key_id", cty.String, "The key of KMS to encrypt with."),
		register.KeepAttribute(),
		lease.Attribute(lease.DefaultDuration),
	}
}

func open(s backend.Settings, env backend.Env) (backend.Backend, error) {
	endpoint := s.String("endpoint")
	store := NewStore(Options{
		Bucket: s.String("bucket"), Key: s.String("key"), Region: s.String("region"),
		Endpoint: endpoint, Profile: s.String("profile"), PathStyle: s.Bool("use_path_style", endpoint != ""),
		Encrypt: s.Bool("encrypt", false), KMSKeyID: s.String("kms_key_id"), UserAgent: env.UserAgent,
	})
	return register.New(store, register.Options{
		Terms: lease.TermsOf(s, lease.DefaultDuration), Keep: register.KeepOf(s),
	}), nil
}

func checkBucket(v cty.Value) error {
	if name := v.AsString(); name == "" || strings.ContainsAny(name, "/ \t\n") {
		return fmt.Errorf("%q is no name of a bucket", name)
	}
	return nil
}

func checkKey(v cty.Value) error {
	key := v.AsString()
	if key == "" || len(key) > 900 || strings.Trim(key, "/") != key || strings.Contains(key, "//") {
		return fmt.Errorf("%q is no key of an object: write DIRECTORY/NAME, without a slash at its ends", key)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." {
			return fmt.Errorf("%q is a key with %q in it, which not every server keeps as it is", key, part)
		}
	}
	return nil
}

func checkEndpoint(v cty.Value) error {
	if err := schema.CheckNoSecret(v.AsString(), "credentials come from the environment"); err != nil {
		return err
	}
	u, err := url.Parse(v.AsString())
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("it is no URL of a server: write https://HOST")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("it must be an URL without credentials and parameters; credentials come from the environment")
	}
	return nil
}
