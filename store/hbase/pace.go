package hbase

import (
	"sync/atomic"
	"time"
)

// pace says how many rows a request may hold, by how long the last ones took: on
// a slow cluster a large request would run into its deadline, be sent again, and
// make it slower. Down by half, up by an eighth.
type pace struct{ n atomic.Int64 }

const (
	paceStart = 1000
	paceLeast = 20
	paceSlow  = time.Second            // down
	paceQuick = 250 * time.Millisecond // up
)

func (p *pace) rows() int {
	if n := p.n.Load(); n > 0 {
		return int(n)
	}
	return paceStart
}

// took is told of a request of n rows, answered or not.
func (p *pace) took(n int, d time.Duration) {
	rows := p.rows()
	switch {
	case d > paceSlow:
		rows = max(paceLeast, min(rows, n)/2)
	case d < paceQuick && n >= rows*7/8:
		rows = min(requestRows, rows+rows/8+1)
	}
	p.n.Store(int64(rows)) // of two at once one counts: it is a guess
}
