package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"esd/internal/state/backend"
)

// explain turns what the SDK says into errors of backends. What may have been
// carried out all the same is in doubt.
func (s *Store) explain(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	status, code := answerOf(err)
	cause := causeOf(err)
	out := &backend.UnreachableError{Location: s.Location(), Doing: doing, Err: cause}
	switch {
	case ctx.Err() != nil:
		out.Err, out.Doubt = context.Cause(ctx), doing == "writing" && sent(err)
	case status == 0:
		out.Doubt, out.Fix = doing == "writing" && sent(err), fixConnection(err)
	case code == "NoSuchBucket":
		out.Err, out.Fix = fmt.Errorf("there is no bucket %s", s.opts.Bucket), "create it, or check bucket, region and endpoint"
	case status == http.StatusNotFound && code == "NoSuchKey": // which a page for people does not say
		return fmt.Errorf("the object of the state at %s: %w", s.Location(), fs.ErrNotExist)
	case status == http.StatusPreconditionFailed, status == http.StatusConflict && code != "OperationAborted":
		return &conflictError{status}
	case status < 300:
		return s.untrusted(fmt.Sprintf("its server answers %d %s with something that is not S3: %v", status, http.StatusText(status), cause), fixServer)
	case status < 400:
		return s.redirected(err, status, cause)
	case status != http.StatusNotImplemented && (status >= 500 || status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || code == "OperationAborted"):
		out.Err, out.Doubt, out.Fix = fmt.Errorf("the server answers %d %s: %w", status, http.StatusText(status), cause), doing == "writing", "try again later"
	default:
		out.Err, out.Fix = fmt.Errorf("the server answers %d %s: %w", status, http.StatusText(status), cause), fixOf(code, status)
	}
	return out
}

// answerOf is the status and the code of an answer, 0 where there was none.
func answerOf(err error) (status int, code string) {
	var answer *awshttp.ResponseError
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	var said smithy.APIError
	if errors.As(err, &said) {
		code = said.ErrorCode()
	}
	return status, code
}

// causeOf takes what happened out of the layers that the SDK puts around it,
// which would fill a message with identifiers and the URL, with its signature.
func causeOf(err error) error {
	var request *url.Error
	var said smithy.APIError
	var answer *awshttp.ResponseError
	var operation *smithy.OperationError
	switch {
	case errors.As(err, &request):
		return request.Err
	case errors.As(err, &said) && said.ErrorMessage() != "":
		return fmt.Errorf("%s: %s", said.ErrorCode(), said.ErrorMessage())
	case errors.As(err, &said):
		return errors.New(said.ErrorCode())
	case errors.As(err, &answer) && answer.Err != nil:
		return answer.Err
	case errors.As(err, &operation):
		return operation.Err
	}
	return err
}

// sent reports whether a request may have reached the server: not if no
// connection came about, or nothing could be signed.
func sent(err error) bool {
	var dialing *net.OpError
	if errors.As(err, &dialing) && dialing.Op == "dial" {
		return false
	}
	var name *net.DNSError
	var request *smithy.SerializationError
	return !errors.As(err, &name) && !errors.As(err, &request) && !unsigned(err)
}

// unsigned reports that there were no credentials to sign a request with.
func unsigned(err error) bool {
	text := err.Error()
	return strings.Contains(text, "failed to sign request") || strings.Contains(text, "get identity") || strings.Contains(text, "failed to retrieve credentials")
}

func fixConnection(err error) string {
	if unsigned(err) {
		return "give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, a profile of ~/.aws, or a role of the machine or job"
	}
	return "check the endpoint of the state, and whether its server runs"
}

// fixOf says what to do about a refusal.
func fixOf(code string, status int) string {
	switch code {
	case "RequestTimeTooSkewed":
		return "set the clock of this machine: it differs too much from that of the server"
	case "SignatureDoesNotMatch", "InvalidAccessKeyId", "AuthorizationHeaderMalformed", "XAdminUserNotFound": // the last is of Versity's gateway
		return "check the credentials (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, or the profile) and the region"
	case "ExpiredToken", "InvalidToken", "ExpiredTokenException":
		return "get new credentials: these have expired"
	case "EntityTooLarge", "QuotaExceeded":
		return "make room in the bucket"
	case "MethodNotAllowed", "NotImplemented":
		return "use a server that knows conditional writes, or another kind of state"
	}
	if status == http.StatusUnauthorized || status == http.StatusForbidden {
		return "the credentials need s3:GetObject, s3:PutObject and s3:DeleteObject on the key and all that begins with it, and s3:ListBucket on the bucket"
	}
	return fixServer
}

// redirected says where an answer leads that is none.
func (s *Store) redirected(err error, status int, cause error) error {
	var answer *awshttp.ResponseError
	host := ""
	if errors.As(err, &answer) && answer.Response != nil {
		if u, err := url.Parse(answer.Response.Header.Get("Location")); err == nil {
			host = u.Host
		}
		if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return &backend.UnreachableError{Location: s.Location(), Doing: "reading", Err: cause, Fix: fmt.Sprintf("the bucket is in another region: set region = %q", region)}
		}
	}
	if host == "" {
		return s.untrusted(fmt.Sprintf("its server answers %d %s", status, http.StatusText(status)), "check region and endpoint of the state")
	}
	return s.untrusted(fmt.Sprintf("its server sends to %s (%d), perhaps to log in", host, status), "check region and endpoint of the state")
}
