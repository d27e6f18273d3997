package generate

import "math/bits"

// random is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", 2014): one addition and a mix, the same on every machine.
type random struct{ state uint64 }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	return mix(r.state)
}

// mix is a bijection whose bits look random.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// below is a number in [0, n); its bias, n/2^64, does not matter here.
func (r *random) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// happens says yes with a chance of 2^-32 times threshold.
func (r *random) happens(threshold uint64) bool { return r.next()>>32 < threshold }

// alias draws from weights in constant time (Vose, "A linear algorithm for
// generating random numbers with a given distribution", 1991), in integers.
type alias []aliasColumn

type aliasColumn struct {
	keep  uint32 // of 2^32, how often the column means itself
	other int32  // what it means else
}

// newAlias takes weights whose sum times their number fits in 64 bits.
func newAlias(weights []uint64) alias {
	n := uint64(len(weights))
	sum := uint64(0)
	for _, w := range weights {
		sum += w
	}
	a := make(alias, n)
	left := make([]uint64, n) // what is left of a weight, times n; a column holds sum
	var small, large []int32
	for i, w := range weights {
		left[i] = w * n
		a[i] = aliasColumn{1<<32 - 1, int32(i)}
		if left[i] < sum {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		keep, _ := bits.Div64(left[s]>>32, left[s]<<32, sum)
		a[s] = aliasColumn{uint32(keep), l}
		left[l] -= sum - left[s]
		if left[l] < sum {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a
}

func (a alias) draw(r *random) int32 {
	hi, lo := bits.Mul64(r.next(), uint64(len(a)))
	if c := a[hi]; uint32(lo>>32) >= c.keep {
		return c.other
	}
	return int32(hi)
}

// zipf is the weight of the k-th of many, from 0.
func zipf(k int) uint64 { return (1 << 36) / uint64(k+1) }
