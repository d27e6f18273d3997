package load

import (
	"fmt"
	"strconv"
)

// Pageviews makes requests that post one pageview each, of 220 to 250 bytes,
// with nonces that are unique by run and n: bytes are put together, no JSON is
// made.
func Pageviews(host, run string, ts int64) func(conn int, n int64, buf []byte) []byte {
	head := fmt.Sprintf("POST /api/v1/pageviews HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: ", host)
	return func(_ int, n int64, buf []byte) []byte {
		// The length stands in front of the body, three digits wide.
		buf = append(buf[:0], head...)
		length := len(buf)
		buf = append(buf, "000\r\n\r\n"...)
		body := len(buf)
		buf = append(buf, `{"nonce":"`...)
		buf = append(buf, run...)
		buf = append(buf, '-')
		buf = strconv.AppendInt(buf, n, 10)
		buf = append(buf, `","person":"person-`...)
		buf = strconv.AppendInt(buf, n*7919%1_000_000, 10)
		buf = append(buf, `","url":"https://www.example.com/articles/2026/`...)
		buf = strconv.AppendInt(buf, n*104729%100_000, 10)
		buf = append(buf, `","ts":`...)
		buf = strconv.AppendInt(buf, ts+n%1000, 10)
		buf = append(buf, `,"referrer":"https://search.example/","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}`...)
		copy(buf[length:], strconv.Itoa(len(buf)-body))
		return buf
	}
}
