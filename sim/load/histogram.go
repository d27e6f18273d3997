package load

import (
	"math/bits"
	"time"
)

// Histogram counts durations in buckets that are 1/16 wide of their value, so a
// quantile is right within 6 %. The zero value is empty.
type Histogram struct {
	counts [64 * subBuckets]int64
	n      int64
	max    time.Duration
}

const subBuckets = 16

// Observe counts one.
func (h *Histogram) Observe(d time.Duration) {
	h.counts[bucketOf(max(d, 0))]++
	h.n++
	h.max = max(h.max, d)
}

func bucketOf(d time.Duration) int {
	v := uint64(d)
	if v < subBuckets {
		return int(v)
	}
	exp := bits.Len64(v) - 5 // v>>exp is in [16, 32)
	return (exp+1)*subBuckets + int(v>>exp) - subBuckets
}

// upper is the largest duration of a bucket.
func upper(bucket int) time.Duration {
	if bucket < subBuckets {
		return time.Duration(bucket)
	}
	exp := bucket/subBuckets - 1
	return time.Duration(uint64(bucket%subBuckets+subBuckets+1)<<exp - 1)
}

// Add adds what another has counted.
func (h *Histogram) Add(o *Histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// Quantile is the duration that the share q of all does not exceed; 0 of none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := int64(q * float64(h.n))
	var sum int64
	for i, c := range h.counts {
		if sum += c; sum > rank || sum == h.n && c > 0 {
			return min(upper(i), h.max)
		}
	}
	return h.max
}
