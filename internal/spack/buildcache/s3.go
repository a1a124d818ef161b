package buildcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"esd/internal/oci"
)

// S3Options say how s3:// caches are reached. What is empty comes from where the AWS
// tools look: AWS_* variables, ~/.aws, the machine's role. Like Spack, the endpoint
// may also be in S3_ENDPOINT_URL, and without any credentials access is anonymous.
type S3Options struct {
	Endpoint  string // URL of a service other than Amazon's; objects are then addressed by path
	Region    string // default us-east-1
	Profile   string // of ~/.aws
	Anonymous bool   // do not look for credentials
	// AccessKeyID, SecretAccessKey and SessionToken are never printed.
	AccessKeyID, SecretAccessKey, SessionToken string
}

// String implements fmt.Stringer without secrets.
func (o S3Options) String() string { return "S3 " + o.Endpoint + " " + o.Region }

// GoString implements fmt.GoStringer without secrets.
func (o S3Options) GoString() string { return "buildcache.S3Options(" + o.String() + ")" }

// maxSinglePut is the size in bytes up to which S3 takes an object in one request.
const maxSinglePut = 5 << 30

// maxPages bounds a listing; a page has up to 1,000 names.
const maxPages = 100_000

// s3Transport is a cache in a bucket, below a prefix.
type s3Transport struct {
	bucket, prefix string // prefix is empty or ends with a slash
	opts           S3Options
	http           HTTPOptions
	clock          oci.Clock

	mu     sync.Mutex
	client *s3.Client
}

func newS3(u *url.URL, opts S3Options, h HTTPOptions, clock oci.Clock) (*s3Transport, error) {
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("write s3://bucket/prefix; credentials come from the environment")
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &s3Transport{bucket: u.Host, prefix: prefix, opts: opts, http: h, clock: clock}, nil
}

func (t *s3Transport) location() string {
	return strings.TrimSuffix("s3://"+t.bucket+"/"+t.prefix, "/")
}

// connect makes the client at first use, because looking for credentials takes time.
func (t *s3Transport) connect(ctx context.Context) (*s3.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != nil {
		return t.client, nil
	}
	rt, err := newRoundTripper(t.http)
	if err != nil {
		return nil, err
	}
	load := []func(*config.LoadOptions) error{
		// This kind of client lets the SDK add the certificates of AWS_CA_BUNDLE.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext, tr.TLSClientConfig, tr.DisableCompression = rt.DialContext, rt.TLSClientConfig, true
			tr.MaxIdleConnsPerHost, tr.IdleConnTimeout = rt.MaxIdleConnsPerHost, rt.IdleConnTimeout
		})),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // retries are made above
	}
	if t.opts.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(t.opts.Profile))
	}
	if t.opts.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(t.opts.AccessKeyID, t.opts.SecretAccessKey, t.opts.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.location(), err)
	}
	cfg.Region = cmp.Or(t.opts.Region, cfg.Region, "us-east-1")
	if t.anonymous(ctx, cfg) {
		cfg.Credentials = aws.AnonymousCredentials{}
	}
	endpoint := t.endpoint()
	t.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		if endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(endpoint), true
		} else if o.BaseEndpoint != nil {
			o.UsePathStyle = true
		}
		// Digests are ours to make and to check; not every S3 service knows Amazon's.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return t.client, nil
}

func (t *s3Transport) anonymous(ctx context.Context, cfg aws.Config) bool {
	if t.opts.Anonymous || cfg.Credentials == nil {
		return true
	}
	_, err := cfg.Credentials.Retrieve(ctx)
	return err != nil
}

func (t *s3Transport) endpoint() string {
	endpoint := cmp.Or(t.opts.Endpoint, os.Getenv("S3_ENDPOINT_URL"))
	if endpoint != "" && !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint // as Spack does (util/s3.py)
	}
	return endpoint
}

func (t *s3Transport) key(name string) *string { return aws.String(t.prefix + name) }

// explain turns answers into errors.
func (t *s3Transport) explain(name string, err error) error {
	if err == nil {
		return nil
	}
	where := t.location() + "/" + name
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		return fmt.Errorf("%s: %w", where, err)
	}
	switch s := answer.HTTPStatusCode(); {
	case s == http.StatusNotModified:
		return errNotModified
	case s == http.StatusNotFound:
		return fmt.Errorf("%s: %w", where, ErrNotFound)
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fmt.Errorf("%s: %w: %w", where, ErrDenied, answer.Err)
	case isTransientStatus(s):
		after := ""
		if answer.Response != nil {
			after = answer.Response.Header.Get("Retry-After")
		}
		return &transientError{fmt.Errorf("%s: %w", where, answer.Err), retryAfter(after, t.clock.Now())}
	}
	return fmt.Errorf("%s: %w", where, err)
}

func (t *s3Transport) get(ctx context.Context, name string, opts getOptions) (*object, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	client, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &t.bucket, Key: t.key(name)}
	if opts.ifNoneMatch != "" {
		in.IfNoneMatch = aws.String(opts.ifNoneMatch)
	}
	if r := opts.byteRange(); r != "" {
		in.Range = aws.String(r)
	}
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return nil, t.explain(name, err)
	}
	o := &object{ReadCloser: out.Body, objectInfo: objectInfo{size: -1, etag: aws.ToString(out.ETag)}}
	if out.ContentRange != nil {
		var first int64
		if first, o.size, err = contentRange(*out.ContentRange); err == nil && first != opts.offset {
			err = fmt.Errorf("%w: another range than asked for", ErrInvalid)
		}
	} else {
		if out.ContentLength != nil {
			o.size = *out.ContentLength
		}
		if opts.offset > 0 {
			err = fmt.Errorf("%w: all in place of a range", ErrInvalid)
		}
	}
	if err != nil {
		out.Body.Close()
		return nil, fmt.Errorf("%s/%s: %w", t.location(), name, err)
	}
	return o, nil
}

func (t *s3Transport) stat(ctx context.Context, name string) (objectInfo, error) {
	if err := checkName(name); err != nil {
		return objectInfo{}, err
	}
	client, err := t.connect(ctx)
	if err != nil {
		return objectInfo{}, err
	}
	out, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &t.bucket, Key: t.key(name)})
	if err != nil {
		return objectInfo{}, t.explain(name, err)
	}
	info := objectInfo{size: -1, etag: aws.ToString(out.ETag)}
	if out.ContentLength != nil {
		info.size = *out.ContentLength
	}
	return info, nil
}

func (t *s3Transport) put(ctx context.Context, name string, src source) error {
	if err := checkName(name); err != nil {
		return err
	}
	if src.size > maxSinglePut {
		return fmt.Errorf("%s/%s: %d bytes are more than S3 takes at once (%d)", t.location(), name, src.size, int64(maxSinglePut))
	}
	client, err := t.connect(ctx)
	if err != nil {
		return err
	}
	body, err := src.open()
	if err != nil {
		return err
	}
	defer body.Close()
	in := &s3.PutObjectInput{Bucket: &t.bucket, Key: t.key(name), Body: body, ContentLength: aws.Int64(src.size)}
	// The payload is not part of the signature: it would have to be read twice.
	_, err = client.PutObject(ctx, in, s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	var local *DigestError
	if errors.As(err, &local) {
		return local // our own archive was wrong
	}
	return t.explain(name, err)
}

func (t *s3Transport) remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	client, err := t.connect(ctx)
	if err != nil {
		return err
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &t.bucket, Key: t.key(name)})
	if err = t.explain(name, err); errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (t *s3Transport) list(ctx context.Context, prefix string, yield func(string, objectInfo) error) error {
	if err := checkName(prefix); err != nil {
		return err
	}
	client, err := t.connect(ctx)
	if err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &t.bucket, Prefix: t.key(prefix)})
	for n := 0; pages.HasMorePages(); n++ {
		if n > maxPages {
			return fmt.Errorf("%s/%s: %w: the listing does not end", t.location(), prefix, ErrInvalid)
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return t.explain(prefix, err)
		}
		for _, o := range page.Contents {
			name, ok := strings.CutPrefix(aws.ToString(o.Key), t.prefix)
			if !ok || checkName(name) != nil {
				continue
			}
			info := objectInfo{size: -1, etag: aws.ToString(o.ETag)}
			if o.Size != nil {
				info.size = *o.Size
			}
			if err := yield(name, info); err != nil {
				return err
			}
		}
	}
	return nil
}
