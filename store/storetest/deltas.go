package storetest

import (
	"speedlayer/crdt"
	"speedlayer/store"
)

// deltas tests stores that take deltas. All deltas, and sets put whole in
// between, make the same set as whole puts.
func (s *suite) deltas() {
	if store.Deltas(s.st) == 0 {
		s.Log("this store takes no deltas, and says so: nothing to hold")
		return
	}
	other := store.Shard{Epoch: 0, Partition: 4}
	var set crdt.Visitors
	delta := int32(0)
	for v := int64(1); v <= 3000; v++ {
		h := uint64(v) * 0x9e3779b97f4a7c15
		set.Add(h)
		c := store.Cell{Key: key("a/", 0), Version: v, Value: crdt.AppendMember(crdt.BeginDelta(nil), h)}
		if delta++; v == 1 || v%700 == 0 || int(delta) > store.Deltas(s.st) {
			c.Value, delta = set.Append(nil), 0
		}
		c.Delta = delta
		s.apply(batch(shard0, v, c))
		if v%100 == 1 || v > crdt.MaxExact-2 && v < crdt.MaxExact+3 {
			s.want(shard0, "a/", 0, v, string(set.Append(nil)))
		}
		// The cells of a zombie are left out with its batch.
		zombie := store.Cell{Key: key("a/", 0), Version: v, Value: crdt.AppendMember(crdt.BeginDelta(nil), ^h), Delta: 1}
		s.apply(batch(shard0, v, zombie))
		if s.h.Reopen != nil && v%1000 == 0 {
			s.st = s.h.Reopen(s.T, s.st)
			s.want(shard0, "a/", 0, v, string(set.Append(nil)))
		}
	}
	s.want(shard0, "a/", 0, 3000, string(set.Append(nil)))
	// A delta of a cell that does not exist.
	s.apply(batch(other, 1, store.Cell{Key: key("a/", 0), Version: 1, Value: crdt.AppendMember(crdt.BeginDelta(nil), 7), Delta: 1}))
	var one crdt.Visitors
	one.Add(7)
	s.want(other, "a/", 0, 1, string(one.Append(nil)))
}
