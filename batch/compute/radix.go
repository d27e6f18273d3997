package compute

import "math/bits"

// words are rows of a fixed number of 64-bit words, ordered word by word.
type words interface {
	~[3]uint64 | ~[4]uint64 | ~[5]uint64 | ~[7]uint64 | ~[8]uint64
}

// less compares from word w on; the words before are equal.
func less[T words](a, b *T, w int) bool {
	for ; w < len(*a); w++ {
		if (*a)[w] != (*b)[w] {
			return (*a)[w] < (*b)[w]
		}
	}
	return false
}

// small is the number of rows that are sorted by insertion.
const small = 32

// sortWords sorts a; tmp has room for as many rows. It is a radix sort from the most
// significant bits that differ (McIlroy, Bostic, McIlroy, "Engineering Radix
// Sort", 1993). Most words are hashes, which one pass spreads over buckets of a few
// rows.
func sortWords[T words](a, tmp []T) { sortFrom(a, tmp, 0) }

func sortFrom[T words](a, tmp []T, w int) {
	for len(a) > small {
		all, any := ^uint64(0), uint64(0)
		for i := range a {
			all &= a[i][w]
			any |= a[i][w]
		}
		if all == any { // this word is the same in all rows
			if w++; w == len(a[0]) {
				return
			}
			continue
		}
		sortDigit(a, tmp, w, max(0, bits.Len64(all^any)-8))
		return
	}
	insertionSort(a, w)
}

// sortDigit sorts by the eight bits from shift on, and then sorts each bucket. All
// rows agree in the bits above.
func sortDigit[T words](a, tmp []T, w, shift int) {
	var count [257]int
	for i := range a {
		count[a[i][w]>>shift&0xff+1]++
	}
	for d := range 256 {
		count[d+1] += count[d]
	}
	at := count
	for i := range a {
		d := a[i][w] >> shift & 0xff
		tmp[at[d]] = a[i]
		at[d]++
	}
	copy(a, tmp[:len(a)])
	for d := range 256 {
		from, to := count[d], count[d+1]
		if to-from > 1 {
			sortFrom(a[from:to], tmp[from:to], w)
		}
	}
}

func insertionSort[T words](a []T, w int) {
	for i := 1; i < len(a); i++ {
		if !less(&a[i], &a[i-1], w) {
			continue
		}
		row := a[i]
		j := i
		for ; j > 0 && less(&row, &a[j-1], w); j-- {
			a[j] = a[j-1]
		}
		a[j] = row
	}
}
