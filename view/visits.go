package view

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// visitGap is how far two views of one visit may lie apart, in ms. Exactly that
// far still counts.
const visitGap = 30 * 60 * 1000

// visitKey says whose visits and of which domain: two 64-bit hashes.
type visitKey struct{ domain, person uint64 }

// visit is one remembered interval of views, each at most visitGap after the
// one before. Remembered visits of one key are more than visitGap apart, so a
// view can touch two at most.
type visit struct {
	key        visitKey
	start, end int64 // ms since 1970, of the first and the last view
	touched    int64 // log time when it last changed or was seen
	prev, next int32 // in the order of touching, oldest first; -1 ends it
	multi      bool  // more than one view: no bounce
	several    bool  // the key has other visits too: see visitMemory.several
}

// visitMemory remembers visits until they have not been touched for window of
// log time, or until there are more than bound, those touched longest ago
// first. It is part of the operator state: a function of the log alone.
//
// Most keys have one visit. Those with more keep the list of them, sorted by
// start, beside the index: so a person with thousands of visits in an imported
// log costs a binary search and not a walk.
type visitMemory struct {
	window int64 // ms of log time
	bound  int

	visits  []visit
	free    []int32
	index   []uint32 // open addressing, linear probing; see entry, 0 is empty
	mask    uint64
	numbers uint32 // the bits of an entry that are the visit's number + 1
	keys    int    // keys in the index
	count   int    // visits remembered
	oldest  int32
	newest  int32
	several map[visitKey][]int32
}

func newVisitMemory(window int64, bound int) *visitMemory {
	m := &visitMemory{}
	m.reset(window, bound)
	return m
}

func (m *visitMemory) reset(window int64, bound int) {
	*m = visitMemory{window: window, bound: bound, visits: m.visits[:0], free: m.free[:0], oldest: -1, newest: -1,
		several: make(map[visitKey][]int32)}
	m.index = make([]uint32, 1<<10)
	m.mask = uint64(len(m.index) - 1)
	m.numbers = numbersFor(cap(m.visits))
}

// hourChange is what a view changes in the bounce cell of one hour.
type hourChange struct {
	hour            int32
	visits, bounces int64
}

// changes is a small set of hourChange, summed by hour.
type changes struct {
	list [4]hourChange
	n    int
}

func (c *changes) add(ms, visits, bounces int64) {
	h := int32(ms / hourMS)
	for i := range c.list[:c.n] {
		if c.list[i].hour == h {
			c.list[i].visits += visits
			c.list[i].bounces += bounces
			return
		}
	}
	c.list[c.n] = hourChange{h, visits, bounces}
	c.n++
}

// view takes a view at t, at log time now, and reports what it changes.
func (m *visitMemory) view(k visitKey, t, now int64, out *changes) {
	out.n = 0
	m.evictBefore(now)
	before, after := m.around(k, t)
	switch {
	case before < 0 && after < 0:
		m.add(k, visit{key: k, start: t, end: t}, now)
		out.add(t, 1, 1)
	case before >= 0 && after >= 0:
		m.join(before, after, out)
		m.touch(before, now)
	default:
		i := max(before, after)
		m.extend(i, t, out)
		m.touch(i, now)
	}
	for m.count > m.bound {
		m.remove(m.oldest)
	}
}

// extend makes t a view of visit i.
func (m *visitMemory) extend(i int32, t int64, out *changes) {
	v := &m.visits[i]
	if !v.multi {
		v.multi = true
		out.add(v.start, 0, -1)
	}
	if t < v.start {
		out.add(v.start, -1, 0)
		out.add(t, 1, 0)
		v.start = t
	}
	v.end = max(v.end, t)
}

// join makes one visit of two that a view in between brings together.
func (m *visitMemory) join(first, second int32, out *changes) {
	a, b := &m.visits[first], &m.visits[second]
	if !a.multi {
		out.add(a.start, 0, -1)
	}
	if !b.multi {
		out.add(b.start, 0, -1)
	}
	out.add(b.start, -1, 0)
	a.end, a.multi = b.end, true
	m.remove(second)
}

// around finds the visits that a view at t belongs to: the one that begins at
// or before t, and the one that begins after it. -1 for none.
func (m *visitMemory) around(k visitKey, t int64) (before, after int32) {
	i := m.find(k)
	if i < 0 {
		return -1, -1
	}
	if !m.visits[i].several {
		v := &m.visits[i]
		switch {
		case v.start <= t && t <= v.end+visitGap:
			return i, -1
		case v.start > t && v.start-visitGap <= t:
			return -1, i
		}
		return -1, -1
	}
	before, after = -1, -1
	list := m.several[k]
	n := m.firstAfter(list, t)
	if n > 0 && t <= m.visits[list[n-1]].end+visitGap {
		before = list[n-1]
	}
	if n < len(list) && m.visits[list[n]].start-visitGap <= t {
		after = list[n]
	}
	return before, after
}

// firstAfter is the position in list of the first visit that starts after t.
func (m *visitMemory) firstAfter(list []int32, t int64) int {
	lo, hi := 0, len(list)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m.visits[list[mid]].start > t {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

func (m *visitMemory) evictBefore(now int64) {
	for m.oldest >= 0 && m.visits[m.oldest].touched < now-m.window {
		m.remove(m.oldest)
	}
}

// oldestTime is the log time at which the visit touched longest ago was touched.
func (m *visitMemory) oldestTime() int64 {
	if m.oldest < 0 {
		return 0
	}
	return m.visits[m.oldest].touched
}

func (m *visitMemory) add(k visitKey, v visit, now int64) int32 {
	var i int32
	if n := len(m.free); n > 0 {
		i = m.free[n-1]
		m.free = m.free[:n-1]
		m.visits[i] = v
	} else {
		i = int32(len(m.visits))
		m.reserve(len(m.visits) + 1)
		m.visits = append(m.visits, v)
	}
	m.count++
	m.link(i, now)
	if first := m.find(k); first >= 0 {
		m.addSeveral(k, first, i)
	} else {
		m.insert(k, i)
	}
	return i
}

// reserve makes room for n visits at least, and for bound of them at most, unless
// n is more: the memory is to be as large as its setting says.
func (m *visitMemory) reserve(n int) {
	if n <= cap(m.visits) {
		return
	}
	room := max(n, min(max(1<<10, 2*n), m.bound+1))
	m.visits = append(make([]visit, 0, room), m.visits...)
	m.reindex(len(m.index), numbersFor(room))
}

func (m *visitMemory) addSeveral(k visitKey, first, i int32) {
	list := m.several[k]
	if list == nil {
		list = []int32{first}
		m.visits[first].several = true
	}
	m.visits[i].several = true
	n := m.firstAfter(list, m.visits[i].start)
	list = append(list, 0)
	copy(list[n+1:], list[n:])
	list[n] = i
	m.several[k] = list
}

func (m *visitMemory) remove(i int32) {
	k := m.visits[i].key
	m.unlink(i)
	if m.visits[i].several {
		m.removeSeveral(k, i)
	} else {
		m.deleteKey(k)
	}
	m.free = append(m.free, i)
	m.count--
}

func (m *visitMemory) removeSeveral(k visitKey, i int32) {
	list := m.several[k]
	n := m.firstAfter(list, m.visits[i].start) - 1 // starts differ, so this is i
	list = append(list[:n], list[n+1:]...)
	m.index[m.slot(k)] = m.entry(k.hash(), list[0])
	if len(list) == 1 {
		m.visits[list[0]].several = false
		delete(m.several, k)
		return
	}
	m.several[k] = list
}

// The list in the order of touching.

func (m *visitMemory) link(i int32, now int64) {
	v := &m.visits[i]
	v.touched, v.prev, v.next = now, m.newest, -1
	if m.newest >= 0 {
		m.visits[m.newest].next = i
	} else {
		m.oldest = i
	}
	m.newest = i
}

func (m *visitMemory) unlink(i int32) {
	v := &m.visits[i]
	if v.prev >= 0 {
		m.visits[v.prev].next = v.next
	} else {
		m.oldest = v.next
	}
	if v.next >= 0 {
		m.visits[v.next].prev = v.prev
	} else {
		m.newest = v.prev
	}
}

func (m *visitMemory) touch(i int32, now int64) {
	if m.newest == i {
		m.visits[i].touched = now
		return
	}
	m.unlink(i)
	m.link(i, now)
}

// The index: key -> one of its visits.

func (k visitKey) hash() uint64 {
	// Both halves are hashes already; the product mixes them, so that one
	// person's domains and one domain's persons spread.
	return (k.domain*0x9e3779b97f4a7c15 ^ k.person) * 0xd6e8feb86659fd93
}

func (m *visitMemory) home(hash uint64) uint64 { return hash >> 32 & m.mask }

// entry is what the index says of visit i: its number + 1, and above that as many
// bits of the key's hash as there is room for, so that a probe that meets another
// key mostly need not look at its visit.
func (m *visitMemory) entry(hash uint64, i int32) uint32 {
	return uint32(hash)&^m.numbers | uint32(i+1)
}

func (m *visitMemory) visitOf(entry uint32) int32 { return int32(entry&m.numbers) - 1 }

// numbersFor is the bits that the numbers 1 to n take.
func numbersFor(n int) uint32 { return 1<<bits.Len(uint(n)) - 1 }

// slot is the place of k in the index, or the empty place where it would go.
func (m *visitMemory) slot(k visitKey) uint64 {
	h := k.hash()
	s := m.home(h)
	for ; m.index[s] != 0; s = (s + 1) & m.mask {
		if (m.index[s]^uint32(h))&^m.numbers == 0 && m.visits[m.visitOf(m.index[s])].key == k {
			break
		}
	}
	return s
}

func (m *visitMemory) find(k visitKey) int32 { return m.visitOf(m.index[m.slot(k)]) }

func (m *visitMemory) insert(k visitKey, i int32) {
	if 2*(m.keys+1) > len(m.index) {
		m.reindex(2*len(m.index), m.numbers)
	}
	m.index[m.slot(k)] = m.entry(k.hash(), i)
	m.keys++
}

// reindex rebuilds the index with a size that is a power of two.
func (m *visitMemory) reindex(size int, numbers uint32) {
	old, oldNumbers := m.index, m.numbers
	m.index, m.mask, m.numbers = make([]uint32, size), uint64(size-1), numbers
	for _, e := range old {
		if e != 0 {
			i := int32(e&oldNumbers) - 1
			k := m.visits[i].key
			m.index[m.slot(k)] = m.entry(k.hash(), i)
		}
	}
}

// deleteKey takes k out of the index and moves those after it up, so that no
// marker of a deletion is needed (Knuth, vol. 3, 6.4, algorithm R).
func (m *visitMemory) deleteKey(k visitKey) {
	hole := m.slot(k)
	m.keys--
	for s := (hole + 1) & m.mask; m.index[s] != 0; s = (s + 1) & m.mask {
		home := m.home(m.visits[m.visitOf(m.index[s])].key.hash())
		if (s-home)&m.mask >= (s-hole)&m.mask {
			m.index[hole] = m.index[s]
			hole = s
		}
	}
	m.index[hole] = 0
}

// State, version 1, all numbers little-endian:
//
//	count u32, then per visit, touched longest ago first, 41 bytes:
//	domain u64 | person u64 | start i64 | end i64 | touched i64 | multi u8
const visitBytes = 41

func (m *visitMemory) appendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(m.count))
	for i := m.oldest; i >= 0; i = m.visits[i].next {
		v := &m.visits[i]
		dst = binary.LittleEndian.AppendUint64(dst, v.key.domain)
		dst = binary.LittleEndian.AppendUint64(dst, v.key.person)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.start))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.end))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.touched))
		multi := byte(0)
		if v.multi {
			multi = 1
		}
		dst = append(dst, multi)
	}
	return dst
}

var errState = errors.New("view: operator state cannot be what was written")

func (m *visitMemory) loadState(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: no count of visits", errState)
	}
	n := int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if n > len(b)/visitBytes {
		return nil, fmt.Errorf("%w: %d visits in %d bytes", errState, n, len(b))
	}
	m.reserve(n)
	if size := 1 << bits.Len(uint(2*n+1)); size > len(m.index) {
		m.reindex(size, m.numbers)
	}
	for range n {
		v := visit{
			key:   visitKey{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])},
			start: int64(binary.LittleEndian.Uint64(b[16:])),
			end:   int64(binary.LittleEndian.Uint64(b[24:])),
			multi: b[40] == 1,
		}
		touched := int64(binary.LittleEndian.Uint64(b[32:]))
		if b[40] > 1 || v.start < 0 || v.end < v.start || v.end > maxTime || !m.apart(&v) ||
			m.newest >= 0 && touched < m.visits[m.newest].touched {
			return nil, fmt.Errorf("%w: visit from %d to %d, touched %d", errState, v.start, v.end, touched)
		}
		m.add(v.key, v, touched)
		b = b[visitBytes:]
	}
	return b, nil
}

// maxTime bounds times so that sums do not overflow: the year 144683, in ms.
const maxTime = 1 << 52

// apart reports whether v lies more than visitGap from all visits of its key.
func (m *visitMemory) apart(v *visit) bool {
	i := m.find(v.key)
	if i < 0 {
		return true
	}
	list := m.several[v.key]
	if list == nil {
		list = []int32{i}
	}
	n := m.firstAfter(list, v.start)
	return (n == 0 || m.visits[list[n-1]].end+visitGap < v.start) &&
		(n == len(list) || v.end+visitGap < m.visits[list[n]].start)
}
