package transport

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
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

// S3Options say how s3:// stores are reached. What is empty comes from where the AWS
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
func (o S3Options) GoString() string { return "transport.S3Options(" + o.String() + ")" }

// maxPages bounds a listing; a page has up to 1,000 names.
const maxPages = 100_000

// s3Backend is a store in a bucket, below a prefix.
type s3Backend struct {
	bucket, prefix string // prefix is empty or ends with a slash
	opts           Options
	sizes          partSizes

	mu     sync.Mutex
	client *s3.Client
}

func newS3(u *url.URL, opts Options) (*s3Backend, error) {
	if u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("write s3://bucket/prefix; credentials come from the environment")
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &s3Backend{bucket: u.Host, prefix: prefix, opts: opts, sizes: defaultPartSizes()}, nil
}

func (t *s3Backend) location() string {
	return strings.TrimSuffix("s3://"+t.bucket+"/"+t.prefix, "/")
}

// connect makes the client at first use, because looking for credentials takes time.
func (t *s3Backend) connect(ctx context.Context) (*s3.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != nil {
		return t.client, nil
	}
	rt, err := newRoundTripper(t.opts.HTTP)
	if err != nil {
		return nil, err
	}
	load := []func(*config.LoadOptions) error{
		// This kind of client lets the SDK add the certificates of AWS_CA_BUNDLE.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext, tr.TLSClientConfig, tr.DisableCompression = rt.DialContext, rt.TLSClientConfig, true
			tr.MaxIdleConnsPerHost, tr.IdleConnTimeout = rt.MaxIdleConnsPerHost, rt.IdleConnTimeout
		})),
		config.WithLogger(logging.Nop{}),                                   // what it warns of is told by errors, or does no harm
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // retries are made above
	}
	if t.opts.S3.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(t.opts.S3.Profile))
	}
	if t.opts.S3.AccessKeyID != "" {
		load = append(load, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(t.opts.S3.AccessKeyID, t.opts.S3.SecretAccessKey, t.opts.S3.SessionToken)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.location(), err)
	}
	cfg.Region = cmp.Or(t.opts.S3.Region, cfg.Region, "us-east-1")
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

func (t *s3Backend) anonymous(ctx context.Context, cfg aws.Config) bool {
	if t.opts.S3.Anonymous || cfg.Credentials == nil {
		return true
	}
	_, err := cfg.Credentials.Retrieve(ctx)
	return err != nil
}

func (t *s3Backend) endpoint() string {
	endpoint := cmp.Or(t.opts.S3.Endpoint, os.Getenv("S3_ENDPOINT_URL"))
	if endpoint != "" && !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint // as Spack does (util/s3.py)
	}
	return endpoint
}

func (t *s3Backend) key(name string) *string { return aws.String(t.prefix + name) }

// explain turns answers into errors.
func (t *s3Backend) explain(name string, err error) error {
	if err == nil {
		return nil
	}
	where := at(t.location(), name)
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.HTTPStatusCode() == 0 {
		return fmt.Errorf("%s: %w", where, s3Cause(err))
	}
	switch s := answer.HTTPStatusCode(); {
	case s == http.StatusNotModified:
		return ErrNotModified
	case s == http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%s: %w", where, ErrRange)
	case s == http.StatusNotFound:
		return fmt.Errorf("%s: %w", where, ErrNotFound)
	case s == http.StatusUnauthorized, s == http.StatusForbidden:
		return fmt.Errorf("%s: %w: %w", where, ErrDenied, s3Cause(err))
	case isTransientStatus(s):
		after := ""
		if answer.Response != nil {
			after = answer.Response.Header.Get("Retry-After")
		}
		return &transientError{fmt.Errorf("%s: %w", where, s3Cause(err)), retryAfter(after, t.opts.Clock.Now())}
	}
	return fmt.Errorf("%s: the service answers %d: %w", where, answer.HTTPStatusCode(), s3Cause(err))
}

// s3Cause takes what happened out of the layers that the SDK puts around it, which
// would fill a message with empty identifiers and the URL, with its signature.
func s3Cause(err error) error {
	var sent *url.Error
	if errors.As(err, &sent) {
		return sent.Err
	}
	var said smithy.APIError
	if errors.As(err, &said) {
		return said
	}
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) && answer.Err != nil {
		return answer.Err
	}
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		return operation.Err
	}
	return err
}

func (t *s3Backend) get(ctx context.Context, name string, opts GetOptions) (*Object, error) {
	client, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &t.bucket, Key: t.key(name)}
	if opts.IfNoneMatch != "" {
		in.IfNoneMatch = aws.String(opts.IfNoneMatch)
	}
	if r := opts.byteRange(); r != "" {
		in.Range = aws.String(r)
	}
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return nil, t.explain(name, err)
	}
	o := &Object{ReadCloser: out.Body, Info: Info{Size: -1, ETag: aws.ToString(out.ETag)}}
	if out.ContentRange != nil {
		var first int64
		if first, o.Size, err = contentRange(*out.ContentRange); err == nil && first != opts.Offset {
			err = fmt.Errorf("%w: another range than asked for", ErrInvalid)
		}
	} else {
		if out.ContentLength != nil {
			o.Size = *out.ContentLength
		}
		if opts.Offset > 0 {
			err = fmt.Errorf("%w: all in place of a range", ErrInvalid)
		}
	}
	if err != nil {
		out.Body.Close()
		return nil, fmt.Errorf("%s/%s: %w", t.location(), name, err)
	}
	return o, nil
}

func (t *s3Backend) stat(ctx context.Context, name string) (Info, error) {
	client, err := t.connect(ctx)
	if err != nil {
		return Info{}, err
	}
	out, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &t.bucket, Key: t.key(name)})
	if err != nil {
		return Info{}, t.explain(name, err)
	}
	info := Info{Size: -1, ETag: aws.ToString(out.ETag)}
	if out.ContentLength != nil {
		info.Size = *out.ContentLength
	}
	return info, nil
}

func (t *s3Backend) put(ctx context.Context, name string, src Source) error {
	client, err := t.connect(ctx)
	if err != nil {
		return err
	}
	body, err := openSource(src)
	if err != nil {
		return err
	}
	defer body.Close()
	if src.Size > t.sizes.single {
		err = t.putParts(ctx, client, name, body, src.Size)
	} else {
		_, err = client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &t.bucket, Key: t.key(name), Body: body, ContentLength: aws.Int64(src.Size),
		}, unsigned)
		err = t.explain(name, err)
	}
	if failure := body.failure(); failure != nil {
		return failure
	}
	return err
}

// unsigned leaves the payload out of the signature: it would have to be read twice.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}

func (t *s3Backend) remove(ctx context.Context, name string) error {
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

func (t *s3Backend) list(ctx context.Context, prefix string, yield func(string, Info) error) error {
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
			if !ok || CheckName(name) != nil {
				continue
			}
			info := Info{Size: -1, ETag: aws.ToString(o.ETag)}
			if o.Size != nil {
				info.Size = *o.Size
			}
			if err := yield(name, info); err != nil {
				return err
			}
		}
	}
	return nil
}
