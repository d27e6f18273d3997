package compute

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"
)

// urls are the urls of one part, by hash while they come in, then ranked by
// their bytes: a rank stands for a url in what is sorted, and in its order. The
// table is open addressing with linear probing.
type urls struct {
	all   []urlEntry
	text  []byte
	table []uint32 // place in all, plus one
}

type urlEntry struct {
	hash   xxh3.Uint128
	at     int // in text
	length uint16
}

// add takes a url, unless it is there.
func (u *urls) add(url []byte, h xxh3.Uint128) {
	if 4*(len(u.all)+1) > 3*len(u.table) {
		u.grow()
	}
	p := u.find(h)
	if u.table[p] != 0 {
		return
	}
	u.all = append(u.all, urlEntry{hash: h, at: len(u.text), length: uint16(len(url))})
	u.text = append(u.text, url...)
	u.table[p] = uint32(len(u.all))
}

// find is where a hash stands, or would.
func (u *urls) find(h xxh3.Uint128) uint64 {
	mask := uint64(len(u.table) - 1)
	p := h.Lo & mask
	for u.table[p] != 0 && u.all[u.table[p]-1].hash != h {
		p = (p + 1) & mask
	}
	return p
}

func (u *urls) grow() {
	u.table = make([]uint32, max(64, 2*len(u.table)))
	for i := range u.all {
		u.table[u.find(u.all[i].hash)] = uint32(i + 1)
	}
}

// sort ranks them. Afterwards none may be added; url takes ranks.
func (u *urls) sort() {
	order := make([]uint32, len(u.all))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return bytes.Compare(u.bytes(a), u.bytes(b)) })
	sorted := make([]urlEntry, len(u.all))
	for rank, i := range order {
		sorted[rank] = u.all[i]
	}
	u.all = sorted
	clear(u.table)
	for i := range u.all {
		u.table[u.find(u.all[i].hash)] = uint32(i + 1)
	}
}

func (u *urls) bytes(i uint32) []byte {
	e := &u.all[i]
	return u.text[e.at : e.at+int(e.length)]
}

// url is the url of a rank.
func (u *urls) url(rank uint32) string { return string(u.bytes(rank)) }

// rank is the rank of a url by its hash.
func (u *urls) rank(hi, lo uint64) (uint32, error) {
	h := xxh3.Uint128{Hi: hi, Lo: lo}
	if len(u.table) > 0 {
		if at := u.table[u.find(h)]; at != 0 {
			return at - 1, nil
		}
	}
	return 0, fmt.Errorf("url %x%016x was counted but not named", hi, lo)
}
