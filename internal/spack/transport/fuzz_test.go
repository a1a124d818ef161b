package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"esd/internal/oci"
)

// instantly is a clock that never waits.
type instantly struct{}

func (instantly) Now() time.Time                                   { return time.Unix(1_800_000_000, 0) }
func (instantly) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func FuzzHeaders(f *testing.F) {
	f.Add("bytes 5-9/10")
	f.Add("bytes */10")
	f.Add("120")
	f.Add("Fri, 15 Jan 2027 08:00:45 GMT")
	f.Fuzz(func(t *testing.T, value string) {
		if first, size, err := contentRange(value); err != nil && !errors.Is(err, ErrInvalid) || size < -1 {
			t.Errorf("Content-Range %q: %d, %d, %v", value, first, size, err)
		}
		if after := retryAfter(value, time.Unix(1_800_000_000, 0)); after < 0 {
			t.Errorf("Retry-After %q: %s", value, after)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"a/b", "../a", "a//b", "a/", "/a", "a\\..\\b", "a\x00b"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		b := &fileBackend{dir: "/store"}
		if err := CheckName(name); err == nil && !strings.HasPrefix(b.path(name), "/store/") {
			t.Errorf("%q leads to %s", name, b.path(name))
		}
	})
}

// FuzzS3 lets a server answer anything to all that is asked of it.
func FuzzS3(f *testing.F) {
	f.Add(200, "bytes 0-3/4", []byte("text"))
	f.Add(206, "bytes 1-3/4", []byte("ext"))
	f.Add(200, "", []byte(`<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken><Contents><Key>prefix/../../a</Key><Size>1</Size></Contents></ListBucketResult>`))
	f.Add(200, "", []byte(`<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>`))
	f.Add(404, "", []byte(`<Error><Code>NoSuchKey</Code></Error>`))
	f.Add(503, "", []byte(`<Error><Code>SlowDown</Code>`))
	var status int
	var contentRange string
	var body []byte
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests > 200 { // a listing that never ends is bounded elsewhere
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header()["Content-Range"] = []string{strings.Map(visible, contentRange)}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	s, err := Open("s3://bucket/prefix", Options{
		S3:    S3Options{Endpoint: server.URL, AccessKeyID: "key", SecretAccessKey: "secret"},
		Retry: oci.RetryPolicy{Attempts: 2}, Clock: instantly{},
	})
	if err != nil {
		f.Fatal(err)
	}
	s.backend.(*s3Backend).sizes = partSizes{single: 4, part: 4, count: 10}
	f.Fuzz(func(t *testing.T, code int, header string, answer []byte) {
		status, contentRange, body, requests = 200+(code%400+400)%400, header, answer, 0
		ctx := t.Context()
		if r, err := s.Read(ctx, "name", 1); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
			r.Close()
		}
		_, _ = s.Stat(ctx, "name")
		_ = s.Put(ctx, "name", Bytes([]byte("0123456789")))
		_ = s.Delete(ctx, "name")
		_ = s.List(ctx, "dir/", func(name string, _ Info) error {
			if err := CheckName(name); err != nil {
				t.Errorf("listed %q", name)
			}
			return nil
		})
	})
}

func visible(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}
