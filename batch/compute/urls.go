package compute

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"
)

// urls are the urls of one part: by hash while they are added, then ranked by their
// bytes. A rank stands for a url in sorted rows and has its order. The table uses open
// addressing with linear probing. What exceeds a limit goes to disk; see names.
type urls struct {
	limit int // approximate bytes in memory
	all   []urlEntry
	text  []byte
	table []uint32 // index in all, plus one
	names *names   // urls beyond the limit
}

type urlEntry struct {
	hash   xxh3.Uint128
	at     int // in text
	length uint16
}

// bytesBeside is the approximate memory of a url besides its text.
const bytesBeside = 48

// add adds a url unless it is already there.
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

// finish ranks the urls. Afterwards none may be added; url takes ranks.
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

// inMemory reports whether rank may be used. If not, ranks come from names.
func (u *urls) inMemory() bool { return len(u.names.runs) == 0 }

// find returns the place of a hash, or the place where it belongs.
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

// sort ranks the urls in memory.
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

// url returns the url of a rank. Ranks are ascending; they may start again from 0.
func (u *urls) url(rank uint32) (string, error) {
	if u.inMemory() {
		return string(u.bytes(rank)), nil
	}
	return u.names.url(rank)
}

// rank returns the rank of a url by its hash, while all urls are in memory.
func (u *urls) rank(hi, lo uint64) (uint32, error) {
	h := xxh3.Uint128{Hi: hi, Lo: lo}
	if len(u.table) > 0 {
		if at := u.table[u.find(h)]; at != 0 {
			return at - 1, nil
		}
	}
	return 0, fmt.Errorf("url %x%016x was counted but not named", hi, lo)
}
