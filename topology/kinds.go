package topology

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/OneOfOne/xxhash"

	"speedlayer/crdt"
	"speedlayer/store"
)

// viewKind is the kind of a cell, as it stands in keys. Numbers are on disk: never
// use one again.
type viewKind = store.ViewID

const (
	countView  viewKind = 1 // crdt count
	uniqueView viewKind = 2 // crdt visitors
	sumView    viewKind = 4 // varint (zig-zag), merged by adding
	stateView  viewKind = 5 // of Update: the bytes of its codec, in one shard only
)

var errCell = errors.New("topology: a cell cannot be what was written")

// kind is what the cells of one step hold, within one operator. A cell is a number,
// or the place of something larger in the kind's own table.
type kind interface {
	open() int64 // of a cell that is not there
	// apply changes a cell and reports whether its bytes change.
	apply(n *int64, arg int64) (bool, error)
	fill(value []byte) (int64, error)
	encode(dst []byte, n int64) []byte
	drop(n int64)
	size(n int64) int // memory besides the number
	// Values of events wait in the kind from Decode to Run: begin forgets those of
	// an event that was not taken, took keeps them, ran forgets all.
	begin()
	took(live bool)
	ran()
}

// number is the part of a kind whose cells are numbers.
type number struct{}

func (number) open() int64    { return 0 }
func (number) drop(int64)     {}
func (number) size(int64) int { return 0 }
func (number) begin()         {}
func (number) took(bool)      {}
func (number) ran()           {}

type countKind struct{ number }

func (countKind) apply(n *int64, arg int64) (bool, error) { *n += arg; return true, nil }
func (countKind) encode(dst []byte, n int64) []byte       { return crdt.AppendCount(dst, uint64(n)) }
func (countKind) fill(value []byte) (int64, error) {
	n, err := crdt.Count(value)
	return int64(n), err
}

type sumKind struct{ number }

func (sumKind) apply(n *int64, arg int64) (bool, error) { *n += arg; return true, nil }
func (sumKind) encode(dst []byte, n int64) []byte       { return binary.AppendVarint(dst, n) }
func (sumKind) fill(value []byte) (int64, error)        { return decodeSum(value) }

func decodeSum(value []byte) (int64, error) {
	n, size := binary.Varint(value)
	if size != len(value) || size <= 0 {
		return 0, errCell
	}
	return n, nil
}

// table keeps what does not fit into a number.
type table[T any] struct {
	all   []T
	freed []int64
}

func (t *table[T]) add(v T) int64 {
	if k := len(t.freed); k > 0 {
		at := t.freed[k-1]
		t.freed = t.freed[:k-1]
		t.all[at] = v
		return at
	}
	t.all = append(t.all, v)
	return int64(len(t.all) - 1)
}

func (t *table[T]) drop(at int64) {
	var none T
	t.all[at] = none
	t.freed = append(t.freed, at)
}

type uniqueKind struct {
	number
	sets table[crdt.Visitors]
}

func (k *uniqueKind) open() int64 { return k.sets.add(crdt.Visitors{}) }

func (k *uniqueKind) apply(n *int64, arg int64) (bool, error) {
	return k.sets.all[*n].Add(uint64(arg)), nil
}
func (k *uniqueKind) encode(dst []byte, n int64) []byte { return k.sets.all[n].Append(dst) }
func (k *uniqueKind) size(n int64) int                  { return k.sets.all[n].MemoryBytes() + 64 }
func (k *uniqueKind) drop(n int64) {
	k.sets.all[n].Release()
	k.sets.drop(n)
}

func (k *uniqueKind) fill(value []byte) (int64, error) {
	at := k.sets.add(crdt.Visitors{})
	return at, k.sets.all[at].Decode(value)
}

// memberSeed is the seed of Spark SQL's xxhash64, so that a batch job on Spark makes
// the same sets.
const memberSeed = 42

func memberHash(member string) uint64 { return xxhash.ChecksumString64S(member, memberSeed) }

func itoa(n int) string { return strconv.Itoa(n) }
