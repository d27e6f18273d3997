package httpserver

import (
	"io"
	"net/http"
	"time"
)

// smallBody is how long a body may be that is not worth pacing: it must come
// within net/http's ReadTimeout.
const smallBody = 4 << 10

// requireRate extends the deadline of a request's body as it comes. Without that,
// ReadTimeout would cut off large bodies on slow lines; without ReadTimeout, a
// body could trickle for ever. net/http clears the deadline when a body has
// ended, so handlers that run for long are not affected.
func requireRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength < 0 || r.ContentLength > smallBody {
			r.Body = &pacedBody{ReadCloser: r.Body, control: http.NewResponseController(w), began: time.Now()}
		}
		next.ServeHTTP(w, r)
	})
}

type pacedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	began    time.Time
	received int64
	deadline time.Time
}

// Read gives the client until ReadGrace after the beginning, and the time that
// what has come so far takes at MinRate.
func (b *pacedBody) Read(p []byte) (int, error) {
	due := b.began.Add(ReadGrace + time.Duration(b.received)*time.Second/MinRate)
	if due.Sub(b.deadline) > time.Second || b.deadline.IsZero() {
		b.deadline = due
		// A writer that does not support it has no connection that could be slow.
		_ = b.control.SetReadDeadline(due)
	}
	n, err := b.ReadCloser.Read(p)
	b.received += int64(n)
	return n, err
}
