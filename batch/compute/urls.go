package compute

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"
)

// urls are the urls of one part, by hash while they come in, then ranked by
// their bytes: a rank stands for a url in what is sorted, and in its order. The
// table is open addressing with linear probing. What is over a limit goes to
// disk; see names.
type urls struct {
	limit int // bytes in memory, about
	all   []urlEntry
	text  []byte
	table []uint32 // place in all, plus one
	names *names   // what was over
}

type urlEntry struct {
	hash   xxh3.Uint128
	at     int // in text
	length uint16
}

// bytesBeside is about what a url takes in memory besides its text.
const bytesBeside = 48

// add takes a url, unless it is there.
func (u *urls) add(url []byte, h xxh3.Uint128) error {
	if 4*(len(u.all)+1) > 3*len(u.table) {
		u.grow()
	}
	p := u.find(h)
	if u.table[p] != 0 {
		return nil
	}
	if len(u.text)+len(url)+bytesBeside*(len(u.all)+1) > u.limit && len(u.all) > 0 {
		u.sort()
		if err := u.names.addRun(u); err != nil {
			return err
		}
		u.all, u.text = u.all[:0], u.text[:0]
		clear(u.table)
		p = u.find(h)
	}
	u.all = append(u.all, urlEntry{hash: h, at: len(u.text), length: uint16(len(url))})
	u.text = append(u.text, url...)
	u.table[p] = uint32(len(u.all))
	return nil
}

// finish ranks them. Afterwards none may be added; url takes ranks.
func (u *urls) finish() error {
	u.sort()
	if len(u.names.runs) == 0 {
		return nil
	}
	if err := u.names.addRun(u); err != nil {
		return err
	}
	*u = urls{names: u.names}
	return u.names.merge()
}

// inMemory says that rank may be asked; else ranks come from names.
func (u *urls) inMemory() bool { return len(u.names.runs) == 0 }

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

// sort ranks those in memory.
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

// url is the url of a rank. Ranks come ascending, from 0 as often as one likes.
func (u *urls) url(rank uint32) (string, error) {
	if u.inMemory() {
		return string(u.bytes(rank)), nil
	}
	return u.names.url(rank)
}

// rank is the rank of a url by its hash, while all are in memory.
func (u *urls) rank(hi, lo uint64) (uint32, error) {
	h := xxh3.Uint128{Hi: hi, Lo: lo}
	if len(u.table) > 0 {
		if at := u.table[u.find(h)]; at != 0 {
			return at - 1, nil
		}
	}
	return 0, fmt.Errorf("url %x%016x was counted but not named", hi, lo)
}
