package objects_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/internal/objects"
)

// fakeS3 is as much of S3 as a bucket asks for, in memory. A careless one does
// not look at If-None-Match; code answers every request with a code.
type fakeS3 struct {
	careless bool
	code     string

	mu   sync.Mutex
	kept map[string][]byte
}

// fake starts a server, and returns the URL of a bucket.
func fake(t *testing.T, f *fakeS3) string {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"} {
		t.Setenv(name, value)
	}
	f.kept = map[string][]byte{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return "s3://bucket/folder?region=r&s3ForcePathStyle=true&endpoint=" + server.URL
}

type s3Error struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
}

func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(s3Error{Code: code})
}

type listing struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Contents []listed
}

type listed struct {
	Key          string
	Size         int
	LastModified time.Time
}

func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	b, there := f.kept[key]
	switch {
	case f.code != "":
		fail(w, http.StatusForbidden, f.code)
	case r.URL.Query().Has("list-type"):
		_ = xml.NewEncoder(w).Encode(f.list(r.URL.Query().Get("prefix")))
	case r.Method == http.MethodPut:
		if there && !f.careless && r.Header.Get("If-None-Match") == "*" {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		body, _ := io.ReadAll(r.Body)
		f.kept[key] = unchunked(body)
		w.Header().Set("ETag", `"e"`)
	case r.Method == http.MethodDelete:
		delete(f.kept, key)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		fail(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", `"e"`)
		http.ServeContent(w, r, "", time.Unix(1, 0), strings.NewReader(string(b)))
	}
}

func (f *fakeS3) list(prefix string) (l listing) {
	for key, b := range f.kept {
		if strings.HasPrefix(key, prefix) {
			l.Contents = append(l.Contents, listed{key, len(b), time.Unix(1, 0)})
		}
	}
	slices.SortFunc(l.Contents, func(a, b listed) int { return strings.Compare(a.Key, b.Key) })
	return l
}

// unchunked takes the signatures out of a signed stream: "SIZE;chunk-signature=S",
// line end, bytes, line end, the last with size 0.
func unchunked(body []byte) (b []byte) {
	rest := string(body)
	for {
		head, after, ok := strings.Cut(rest, "\r\n")
		if !ok {
			return b
		}
		var size int
		for _, c := range strings.ToLower(head[:strings.Index(head, ";")]) {
			size = size*16 + strings.IndexRune("0123456789abcdef", c)
		}
		if size == 0 {
			return b
		}
		b, rest = append(b, after[:size]...), after[size+2:]
	}
}

func TestBucket(t *testing.T) { testObjects(t, open(t, fake(t, new(fakeS3))), 5) }

// A server that lets an object be created twice is found out before anything
// that matters lies there.
func TestCarelessServerIsRejected(t *testing.T) {
	f := &fakeS3{careless: true}
	s := open(t, fake(t, f))
	for range 2 {
		err := s.Create(t.Context(), "manifest/1", strings.NewReader("x"), 1)
		if err == nil || !strings.Contains(err.Error(), "If-None-Match") {
			t.Errorf("created with %v", err)
		}
	}
	if len(f.kept) != 0 {
		t.Errorf("it has %v", f.kept)
	}
}

func TestErrorNamesBucketAndServer(t *testing.T) {
	s := open(t, fake(t, &fakeS3{code: "AccessDenied"}))
	err := s.Create(t.Context(), "a", strings.NewReader("x"), 1)
	if err == nil || errors.Is(err, objects.ErrExists) || !strings.Contains(err.Error(), "s3://bucket/folder/") || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("created with %v", err)
	}
	if _, err := s.Open(t.Context(), "a"); err == nil || errors.Is(err, objects.ErrNotFound) {
		t.Errorf("opened with %v", err)
	}
}
