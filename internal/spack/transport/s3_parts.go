package transport

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// partSizes say how large objects are put. S3 takes 5 GiB in one request, and up to
// 10,000 parts of 5 MiB to 5 GiB, the last of which may be smaller; 5 TiB in all
// (Amazon S3 User Guide, "Multipart upload limits").
type partSizes struct {
	single int64 // up to here, one request
	part   int64 // of larger ones; more where there would be too many
	count  int64 // at most
}

// defaultPartSizes leave most archives in one request. Parts are held in memory, so
// that one whose connection broke can be sent again.
func defaultPartSizes() partSizes { return partSizes{single: 1 << 30, part: 64 << 20, count: 10_000} }

// of is the size of the parts of an object.
func (p partSizes) of(size int64) int64 {
	least := (size + p.count - 1) / p.count
	if least <= p.part {
		return p.part
	}
	const whole = 1 << 20
	return (least + whole - 1) / whole * whole
}

// putParts puts an object in parts, of which nobody sees anything before all are there.
func (t *s3Backend) putParts(ctx context.Context, client *s3.Client, name string, body io.Reader, size int64) error {
	t.abortLeftovers(ctx, client, name)
	created, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &t.bucket, Key: t.key(name)})
	if err != nil {
		return t.explain(name, err)
	}
	u := &upload{t: t, client: client, name: name, id: created.UploadId}
	if err = u.send(ctx, body, size); err == nil {
		err = u.complete(ctx, size)
	}
	if err != nil {
		u.abort(ctx)
	}
	return err
}

// upload is an object that is being put in parts.
type upload struct {
	t      *s3Backend
	client *s3.Client
	name   string
	id     *string
	done   []types.CompletedPart
}

// send reads the object and sends its parts, one after the other.
func (u *upload) send(ctx context.Context, body io.Reader, size int64) error {
	buffer := make([]byte, u.t.sizes.of(size))
	for left := size; left > 0; left -= int64(len(buffer)) {
		buffer = buffer[:min(left, int64(len(buffer)))]
		if _, err := io.ReadFull(body, buffer); err != nil {
			return fmt.Errorf("%s: %v", u.where(), err) // the source says what is wrong
		}
		if err := u.part(ctx, buffer); err != nil {
			return err
		}
	}
	return nil
}

func (u *upload) part(ctx context.Context, content []byte) error {
	number := aws.Int32(int32(len(u.done)) + 1) //nolint:gosec // 10,000 at most
	return u.again(ctx, func() error {
		out, err := u.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &u.t.bucket, Key: u.t.key(u.name), UploadId: u.id, PartNumber: number,
			Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
		}, unsigned)
		if err == nil {
			u.done = append(u.done, types.CompletedPart{ETag: out.ETag, PartNumber: number})
		}
		return u.t.explain(u.name, err)
	})
}

// complete makes the object of its parts.
func (u *upload) complete(ctx context.Context, size int64) error {
	tries := 0
	return u.again(ctx, func() error {
		tries++
		_, err := u.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &u.t.bucket, Key: u.t.key(u.name), UploadId: u.id, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.done},
		})
		err = u.t.explain(u.name, err)
		if errors.Is(err, ErrNotFound) && tries > 1 { // the answer to an earlier try was lost
			if info, statErr := u.t.stat(ctx, u.name); statErr == nil && info.Size == size {
				return nil
			}
		}
		return err
	})
}

// abort gives up, also when the context has ended: parts cost money as long as they are
// there.
func (u *upload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	u.t.forget(ctx, u.client, u.t.key(u.name), u.id)
}

func (u *upload) where() string { return at(u.t.location(), u.name) }

func (u *upload) again(ctx context.Context, op func() error) error {
	return retry(ctx, u.t.opts.Retry, u.t.opts.Clock, u.where(), op)
}

// abortLeftovers removes the parts that a killed writer of the same object left. Who
// may not list them leaves them to the rules of the bucket.
func (t *s3Backend) abortLeftovers(ctx context.Context, client *s3.Client, name string) {
	key := t.key(name)
	out, err := client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &t.bucket, Prefix: key})
	if err != nil {
		return
	}
	for _, u := range out.Uploads {
		begun := cmp.Or(aws.ToTime(u.Initiated), t.opts.Clock.Now())
		if aws.ToString(u.Key) == *key && t.opts.Clock.Now().Sub(begun) > leftoverAge {
			t.forget(ctx, client, u.Key, u.UploadId)
		}
	}
}

// forget removes the parts of an object that will never be; there is nothing to be done
// about a failure.
func (t *s3Backend) forget(ctx context.Context, client *s3.Client, key, id *string) {
	_, _ = client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &t.bucket, Key: key, UploadId: id})
}
