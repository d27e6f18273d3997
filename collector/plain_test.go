package collector

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func plainHead(fields string, length int) string {
	return "POST /api/v1/pageviews HTTP/1.1\r\nHost: localhost:8080\r\n" + fields +
		"Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
}

func TestParsePlain(t *testing.T) {
	plain := plainHead("", 2) + "{}"
	for _, tc := range []struct {
		name, request string
		want          verdict
	}{
		{"plain", plain, whole},
		{"as curl sends it", plainHead("User-Agent: curl/8.0\r\nAccept: */*\r\n", 2) + "{}", whole},
		{"as Go sends it", plainHead("User-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n", 2) + "{}", whole},
		{"lower case", strings.Replace(plain, "Content-Length", "content-length", 1), whole},
		{"keep-alive", plainHead("Connection: keep-alive\r\n", 2) + "{}", whole},
		{"JSON lines", strings.Replace(plain, "/json", "/x-ndjson", 1), whole},
		{"no body", plainHead("", 0), whole},
		{"two", plain + plain, notPlain},
		{"close", plainHead("Connection: close\r\n", 2) + "{}", notPlain},
		{"chunked", plainHead("Transfer-Encoding: chunked\r\n", 2) + "{}", notPlain},
		{"two lengths", plainHead("Content-Length: 2\r\n", 2) + "{}", notPlain},
		{"two hosts", plainHead("Host: a\r\n", 2) + "{}", notPlain},
		{"no host", strings.Replace(plain, "Host: localhost:8080\r\n", "", 1), notPlain},
		{"strange host", strings.Replace(plain, "localhost", "local host", 1), notPlain},
		{"signed length", strings.Replace(plain, ": 2", ": +2", 1), notPlain},
		{"no length", strings.Replace(plain, "Content-Length: 2\r\n", "", 1), notPlain},
		{"no type", strings.Replace(plain, "Content-Type: application/json\r\n", "", 1), notPlain},
		{"packed", plainHead("Content-Encoding: gzip\r\n", 2) + "{}", notPlain},
		{"expect", plainHead("Expect: 100-continue\r\n", 2), notPlain},
		{"unknown field", plainHead("X-Forwarded-For: 1.2.3.4\r\n", 2) + "{}", notPlain},
		{"space before the colon", strings.Replace(plain, "Content-Length:", "Content-Length :", 1), notPlain},
		{"folded", plainHead("Accept: a\r\n b\r\n", 2) + "{}", notPlain},
		{"bare line feed", plainHead("Accept: a\nContent-Length: 7\r\n", 2) + "{}", notPlain},
		{"query", strings.Replace(plain, "pageviews ", "pageviews?wait=applied ", 1), notPlain},
		{"GET", strings.Replace(plain, "POST", "GET", 1), notPlain},
		{"HTTP/1.0", strings.Replace(plain, "HTTP/1.1", "HTTP/1.0", 1), notPlain},
		{"large", plainHead("", 9000), notPlain},
		{"huge", plainHead("", 99999), notPlain},
	} {
		if _, v := parsePlain([]byte(tc.request)); v != tc.want {
			t.Errorf("%s: verdict %d, want %d", tc.name, v, tc.want)
		}
	}
	for n := range len(plain) {
		if _, v := parsePlain([]byte(plain[:n])); v != partial {
			t.Errorf("the first %d bytes of a plain request: verdict %d, want partial", n, v)
		}
	}
}

// What is taken for a plain request, net/http reads in the same way: the same
// body, nothing behind it, and nothing that it would treat otherwise.
func FuzzParsePlain(f *testing.F) {
	f.Add([]byte(plainHead("Connection: keep-alive\r\nUser-Agent: x\r\n", 2) + "{}"))
	f.Add([]byte(plainHead("accept: \t\r\n", 0)))
	f.Add([]byte(strings.Replace(plainHead("Origin:a:b\r\n", 3), "/json", "/x-ndjson", 1) + "{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, v := parsePlain(b)
		if v != whole {
			return
		}
		in := bufio.NewReader(bytes.NewReader(b))
		req, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || !bytes.Equal(body, b[r.begin:r.end]) {
			t.Fatalf("net/http reads the body %q, %v, not %q", body, err, b[r.begin:r.end])
		}
		lines, p := bodyType(req.Header)
		if req.Method != "POST" || req.RequestURI != "/api/v1/pageviews" || req.Close || len(req.TransferEncoding) > 0 || req.Host == "" ||
			p != nil || lines != r.lines || req.Header.Get("Content-Encoding") != "" || req.Header.Get("Expect") != "" || in.Buffered() != 0 {
			t.Fatalf("net/http reads %+v, and %d bytes more", req, in.Buffered())
		}
	})
}
