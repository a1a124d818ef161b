// Package s3 keeps states in a bucket of Amazon S3, or of a server that speaks
// its protocol.
//
// The object KEY is the head of a register: it says who holds the lock and
// which version of the state is the present one. Each swap of it is one PUT with
// the condition that the object is still the one that was read (If-Match with
// its ETag), or not there yet (If-None-Match: *). The versions are the objects
// KEY.versions/NAME.
//
// Not all servers that speak S3 look at these conditions, and one that does not
// would give the lock to everybody. So each taking of a lock begins with a proof
// on an object of its own, KEY.versions/conditions.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/register"
)

// Options say where a state is kept. Credentials are found where the AWS tools
// look: AWS_* variables, ~/.aws, the role of the machine or of the CI job.
type Options struct {
	// Bucket and Key name the head.
	Bucket, Key string
	// Region of the bucket; empty is what the AWS tools are set to, or else
	// us-east-1.
	Region string
	// Endpoint is the URL of a server other than Amazon's.
	Endpoint string
	// Profile of ~/.aws.
	Profile string
	// PathStyle addresses the bucket as a part of the path, not of the host.
	PathStyle bool
	// Encrypt asks the server to encrypt what it keeps, with the key of KMS that
	// KMSKeyID names or else with its own.
	Encrypt  bool
	KMSKeyID string
	// UserAgent is what the server is told: "name/version".
	UserAgent string
	// Patience is for how long the server may be silent within a request
	// (default 30 s).
	Patience time.Duration
}

// defaultPatience is the default of Options.Patience.
const defaultPatience = 30 * time.Second

// Store is one state in a bucket. It implements register.Store.
type Store struct {
	opts Options

	mu     sync.Mutex
	client *s3.Client
}

var (
	_ register.Lister = (*Store)(nil)
	_ register.Prober = (*Store)(nil)
)

// NewStore returns a store. Nobody is asked yet.
func NewStore(o Options) *Store {
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	return &Store{opts: o}
}

// Location implements register.Store.
func (s *Store) Location() string {
	if s.opts.Endpoint != "" {
		return strings.TrimSuffix(s.opts.Endpoint, "/") + "/" + s.opts.Bucket + "/" + s.opts.Key
	}
	return "s3://" + s.opts.Bucket + "/" + s.opts.Key
}

// prefix is what the keys of all versions begin with.
func (s *Store) prefix() string { return s.opts.Key + ".versions/" }

// maxHead bounds the head, in bytes.
const maxHead = 1 << 20

// Load implements register.Store.
func (s *Store) Load(ctx context.Context) (head []byte, version string, err error) {
	head, version, err = s.get(ctx, s.opts.Key, maxHead)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	switch {
	case err == nil && bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")):
		err = s.untrusted("its server answers with HTML or XML in place of the object, perhaps a page to log in", fixServer)
	case err == nil && version == "":
		err = s.untrusted("it has no ETag, by which versions are told apart", fixServer)
	}
	return head, version, err
}

// Swap implements register.Store. It is sent once: a second try could not tell
// the success of the first one from that of somebody else.
func (s *Store) Swap(ctx context.Context, version string, head []byte) (next string, err error) {
	next, err = s.put(ctx, s.opts.Key, head, condition(version), func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	var conflict *conflictError
	switch {
	case errors.As(err, &conflict):
		return "", fmt.Errorf("%w: %w", register.ErrChanged, err)
	case err == nil && next == "":
		return "", s.untrusted("the server says that it was written, without an ETag", fixServer)
	}
	return next, err
}

// condition is that an object has an ETag, or is not there for "".
func condition(etag string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) {
		if etag == "" {
			in.IfNoneMatch = aws.String("*")
		} else {
			in.IfMatch = aws.String(etag)
		}
	}
}

// Put implements register.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte) error {
	_, err := s.put(ctx, s.prefix()+name, data, func(*s3.PutObjectInput) {})
	return err
}

// put writes an object on a condition.
func (s *Store) put(ctx context.Context, key string, data []byte, condition func(*s3.PutObjectInput), how ...func(*s3.Options)) (etag string, err error) {
	client, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	in := &s3.PutObjectInput{Bucket: &s.opts.Bucket, Key: &key, Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data)))}
	if s.opts.KMSKeyID != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &s.opts.KMSKeyID
	} else if s.opts.Encrypt {
		in.ServerSideEncryption = types.ServerSideEncryptionAes256
	}
	condition(in)
	out, err := client.PutObject(ctx, in, how...)
	if err = s.explain(ctx, "writing", err); errors.Is(err, fs.ErrNotExist) {
		err = &conflictError{http.StatusNotFound} // the object that was to be replaced
	}
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ETag), nil
}

// Get implements register.Store.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	data, _, err := s.get(ctx, s.prefix()+name, state.MaxSize)
	return data, err
}

// reads is how often an object is asked for whose body breaks off.
const reads = 3

// get reads an object of bounded size. One that is not there is fs.ErrNotExist.
func (s *Store) get(ctx context.Context, key string, limit int64) (data []byte, etag string, err error) {
	client, err := s.connect(ctx)
	if err != nil {
		return nil, "", err
	}
	for range reads {
		var out *s3.GetObjectOutput
		out, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.opts.Bucket, Key: &key})
		if err != nil {
			break
		}
		data, err = io.ReadAll(io.LimitReader(out.Body, limit+1))
		out.Body.Close()
		if err == nil && int64(len(data)) > limit {
			return nil, "", &state.FormatError{Source: s.Location(), Err: state.ErrTooLarge,
				Detail: fmt.Sprintf("the object %s has more than %d bytes", key, limit), Fix: "check bucket and key of the state"}
		}
		if err == nil {
			return data, aws.ToString(out.ETag), nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, "", s.explain(ctx, "reading", err)
}

// Delete implements register.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	client, err := s.connect(ctx)
	if err != nil {
		return err
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.opts.Bucket, Key: aws.String(s.prefix() + name)})
	if err = s.explain(ctx, "writing", err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// maxPages bounds a listing; a page has up to 1,000 names.
const maxPages = 100

// List implements register.Lister.
func (s *Store) List(ctx context.Context) ([]string, error) {
	client, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &s.opts.Bucket, Prefix: aws.String(s.prefix())})
	for n := 0; pages.HasMorePages() && n < maxPages; n++ {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain(ctx, "listing", err)
		}
		for _, o := range page.Contents {
			if name, ok := strings.CutPrefix(aws.ToString(o.Key), s.prefix()); ok {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// Probe implements register.Prober, on an object that holds nothing else. It is
// made by the first proof, and stays: whether a server looks at conditions shows
// only where there is something that would be overwritten. Unlike a swap it may be
// repeated: what is to be refused is refused again.
func (s *Store) Probe(ctx context.Context) error {
	key, note := s.prefix()+"conditions", []byte("esd tries here whether the server honours conditional writes.\n")
	attempt := func(etag string) error {
		_, err := s.put(ctx, key, note, condition(etag))
		return err
	}
	err := attempt("")
	if err == nil {
		// It was not there. Now it is.
		err = attempt("")
	}
	if err == nil {
		return s.ignores("If-None-Match")
	}
	var conflict *conflictError
	if errors.As(err, &conflict) {
		err = attempt(noETag)
	}
	switch {
	case err == nil:
		return s.ignores("If-Match")
	case errors.As(err, &conflict):
		return nil
	}
	return err
}

// noETag is the ETag of no object.
const noETag = `"00000000000000000000000000000000"`

func (s *Store) ignores(what string) error {
	return s.untrusted(fmt.Sprintf("its server does not honour conditional writes: it overwrote an object in spite of %s, so it would give the lock to everybody", what),
		"use a newer version of the server, or another kind of state")
}

const fixServer = "check the endpoint of the state"

func (s *Store) untrusted(problem, fix string) error {
	return &backend.UntrustedError{Location: s.Location(), Problem: problem, Fix: fix}
}

// conflictError says that a condition did not hold.
type conflictError struct{ status int }

func (e *conflictError) Error() string {
	return fmt.Sprintf("the condition of a write does not hold (%d %s)", e.status, http.StatusText(e.status))
}
