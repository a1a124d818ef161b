package buildcache

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// fakeS3 is as much of an S3 server as a build cache needs: objects by path, listings
// in pages of two, ranges, conditions. It does not look at credentials.
type fakeS3 struct {
	mu      sync.Mutex
	objects map[string][]byte // by bucket and key
	deny    bool              // what is not there is denied, as without s3:ListBucket
}

func newFakeS3() *fakeS3 { return &fakeS3{objects: map[string][]byte{}} }

// ServeHTTP implements http.Handler.
func (s *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("list-type") == "2":
		s.list(w, r, strings.Trim(name, "/"))
	case r.Method == http.MethodPut:
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			http.Error(w, "incomplete", http.StatusBadRequest)
			return
		}
		s.objects[name] = body
		w.Header().Set("ETag", etagOf(body))
	case r.Method == http.MethodDelete:
		delete(s.objects, name)
		w.WriteHeader(http.StatusNoContent)
	default:
		body, ok := s.objects[name]
		if !ok {
			status, code := http.StatusNotFound, "NoSuchKey"
			if s.deny {
				status, code = http.StatusForbidden, "AccessDenied"
			}
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>injected</Message></Error>", code)
			return
		}
		w.Header().Set("ETag", etagOf(body))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

func etagOf(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *fakeS3) list(w http.ResponseWriter, r *http.Request, bucket string) {
	type content struct {
		Key  string
		Size int
	}
	result := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}{}
	var names []string
	for name := range s.objects {
		key, ok := strings.CutPrefix(name, bucket+"/")
		if ok && strings.HasPrefix(key, r.URL.Query().Get("prefix")) && key > r.URL.Query().Get("continuation-token") {
			names = append(names, key)
		}
	}
	slices.Sort(names)
	for i, key := range names {
		if i == 2 {
			result.IsTruncated, result.NextContinuationToken = true, names[1]
			break
		}
		result.Contents = append(result.Contents, content{key, len(s.objects[bucket+"/"+key])})
	}
	_ = xml.NewEncoder(w).Encode(result)
}
