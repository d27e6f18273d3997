package client

import (
	"sync/atomic"
	"time"
)

// batchSize is the number of rows that a request may hold. It follows how long the
// last requests took: on a slow cluster a large request would run into its
// deadline, be sent again, and make the cluster slower. It is halved after a slow
// request, and grows by an eighth after a quick, full one.
type batchSize struct{ n atomic.Int64 }

const (
	startRows   = 1000
	minRows     = 20
	slowRequest = time.Second
	quick       = 250 * time.Millisecond
)

// limit returns how many rows the next request may hold.
func (b *batchSize) limit() int {
	if n := b.n.Load(); n > 0 {
		return int(n)
	}
	return startRows
}

// observe records that a request of n rows took d, answered or not.
func (b *batchSize) observe(n int, d time.Duration) {
	rows := b.limit()
	switch {
	case d > slowRequest:
		rows = max(minRows, min(rows, n)/2)
	case d < quick && n >= rows*7/8:
		rows = min(MaxRequestRows, rows+rows/8+1)
	}
	b.n.Store(int64(rows)) // of two concurrent requests one counts: it is a guess
}
