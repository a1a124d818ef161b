// Package s3test has S3 servers for tests: one within the process, and a real one where
// the environment names its program.
package s3test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // what S3 makes ETags of
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fake is as much of an S3 server as stores need: objects by path, listings in pages of
// two, ranges, conditions, objects in parts. It does not look at credentials.
type Fake struct {
	mu      sync.Mutex
	objects map[string][]byte         // by bucket and key
	uploads map[string]map[int][]byte // parts, by upload
	begun   map[string]time.Time
	keys    map[string]string // of uploads
	deny    bool
	counts  map[string]int
}

// NewFake makes an empty server. All buckets are there.
func NewFake() *Fake {
	return &Fake{
		objects: map[string][]byte{}, uploads: map[string]map[int][]byte{},
		begun: map[string]time.Time{}, keys: map[string]string{}, counts: map[string]int{},
	}
}

// Deny makes the server deny what is not there, as without s3:ListBucket.
func (s *Fake) Deny() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deny = true
}

// Objects lists what is there, by bucket and key.
func (s *Fake) Objects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.objects {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Object is the content of an object, by bucket and key.
func (s *Fake) Object(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.objects[name])
}

// Set stores an object, by bucket and key.
func (s *Fake) Set(name string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = bytes.Clone(content)
}

// Uploads is how many objects in parts were begun and not ended.
func (s *Fake) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Begin begins an object in parts, as a writer did that was killed at the time.
func (s *Fake) Begin(name string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin(name, at)
}

// Count is how many requests with the method there were.
func (s *Fake) Count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[method]
}

// ServeHTTP implements http.Handler.
func (s *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.Method]++
	name, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
	switch {
	case query.Has("uploads") || query.Has("uploadId"):
		s.parts(w, r, name)
	case r.Method == http.MethodGet && query.Get("list-type") == "2":
		s.list(w, r, strings.Trim(name, "/"))
	case r.Method == http.MethodPut:
		if body, ok := readBody(w, r); ok {
			s.objects[name] = body
			w.Header().Set("ETag", etagOf(body))
		}
	case r.Method == http.MethodDelete:
		delete(s.objects, name)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.get(w, r, name)
	}
}

func (s *Fake) get(w http.ResponseWriter, r *http.Request, name string) {
	body, ok := s.objects[name]
	switch {
	case ok:
		w.Header().Set("ETag", etagOf(body))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	case s.deny:
		fail(w, http.StatusForbidden, "AccessDenied")
	default:
		fail(w, http.StatusNotFound, "NoSuchKey")
	}
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(r.Body)
	if err != nil || int64(len(body)) != r.ContentLength {
		fail(w, http.StatusBadRequest, "IncompleteBody")
		return nil, false
	}
	return body, true
}

func fail(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>injected</Message></Error>", code)
}

func etagOf(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // see above
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *Fake) list(w http.ResponseWriter, r *http.Request, bucket string) {
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

func (s *Fake) begin(name string, at time.Time) string {
	id := strconv.Itoa(len(s.begun) + 1)
	s.uploads[id], s.begun[id], s.keys[id] = map[int][]byte{}, at, name
	return id
}

// parts serves objects in parts.
func (s *Fake) parts(w http.ResponseWriter, r *http.Request, name string) {
	query := r.URL.Query()
	id := query.Get("uploadId")
	switch {
	case r.Method == http.MethodGet:
		s.listUploads(w, strings.Trim(name, "/"))
	case id == "":
		fmt.Fprintf(w, "<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>", s.begin(name, time.Now()))
	case s.uploads[id] == nil:
		fail(w, http.StatusNotFound, "NoSuchUpload")
	case r.Method == http.MethodPut:
		if body, ok := readBody(w, r); ok {
			number, _ := strconv.Atoi(query.Get("partNumber"))
			s.uploads[id][number] = body
			w.Header().Set("ETag", etagOf(body))
		}
	case r.Method == http.MethodDelete:
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		s.complete(w, r, name, id)
	}
}

func (s *Fake) complete(w http.ResponseWriter, r *http.Request, name, id string) {
	var order struct {
		Part []struct {
			ETag       string
			PartNumber int
		}
	}
	if err := xml.NewDecoder(r.Body).Decode(&order); err != nil {
		fail(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	var all []byte
	for i, p := range order.Part {
		part := s.uploads[id][p.PartNumber]
		if p.PartNumber != i+1 || etagOf(part) != p.ETag {
			fail(w, http.StatusBadRequest, "InvalidPart")
			return
		}
		all = append(all, part...)
	}
	s.objects[name] = all
	delete(s.uploads, id)
	fmt.Fprint(w, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
}

func (s *Fake) listUploads(w http.ResponseWriter, bucket string) {
	fmt.Fprint(w, "<ListMultipartUploadsResult>")
	for id := range s.uploads {
		if key, ok := strings.CutPrefix(s.keys[id], bucket+"/"); ok {
			fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>",
				key, id, s.begun[id].UTC().Format(time.RFC3339))
		}
	}
	fmt.Fprint(w, "</ListMultipartUploadsResult>")
}
