package s3

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"esd/internal/state/backend"
)

// connecting bounds the time in which a server has to accept a connection.
const connecting = 10 * time.Second

// How often a request is sent that may be repeated, and how long the pauses
// between are at most.
const (
	tries        = 4
	longestPause = 2 * time.Second
)

// connect makes the client at first use, because looking for credentials takes
// time.
func (s *Store) connect(ctx context.Context) (*s3.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		return s.client, ctx.Err()
	}
	load := []func(*config.LoadOptions) error{
		// This kind of client lets the SDK add the certificates of AWS_CA_BUNDLE.
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(tr *http.Transport) {
			tr.DialContext = (&net.Dialer{Timeout: connecting, KeepAlive: connecting}).DialContext
			tr.TLSHandshakeTimeout, tr.DisableCompression = connecting, true
		})),
		config.WithLogger(logging.Nop{}), // what it warns of is told by errors, or does no harm
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = tries, longestPause })
		}),
	}
	if s.opts.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(s.opts.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, &backend.UnreachableError{Location: s.Location(), Doing: "reading", Err: fmt.Errorf("the settings of AWS: %w", err),
			Fix: "check AWS_* in the environment, ~/.aws/config and ~/.aws/credentials"}
	}
	cfg.Region = cmp.Or(s.opts.Region, cfg.Region, "us-east-1")
	s.client = s3.NewFromConfig(cfg, s.configure)
	return s.client, nil
}

func (s *Store) configure(o *s3.Options) {
	if s.opts.Endpoint != "" {
		o.BaseEndpoint = aws.String(s.opts.Endpoint)
	}
	o.UsePathStyle = s.opts.PathStyle
	o.HTTPClient = &patient{client: o.HTTPClient, patience: s.opts.Patience}
	// The signature covers what is sent, and versions have digests of their own;
	// not every S3 server knows Amazon's checksums.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	if name, version, ok := strings.Cut(s.opts.UserAgent, "/"); ok {
		o.APIOptions = append(o.APIOptions, middleware.AddUserAgentKeyValue(name, version))
	}
}
