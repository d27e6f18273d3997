package storetest

import (
	"speedlayer/crdt"
	"speedlayer/store"
)

// growths tests stores that take growths. All growths, and sets put whole in
// between, make the same set as whole puts.
func (s *suite) growths() {
	if store.Growths(s.st) == 0 {
		s.Log("this store takes no growths, and says so: nothing to hold")
		return
	}
	other := store.Shard{Epoch: 0, Partition: 4}
	var set crdt.Visitors
	growth := int32(0)
	for v := int64(1); v <= 3000; v++ {
		h := uint64(v) * 0x9e3779b97f4a7c15
		set.Add(h)
		c := store.Cell{Key: key("a/", 0), Version: v, Value: crdt.AppendMember(crdt.BeginGrowth(nil), h)}
		if growth++; v == 1 || v%700 == 0 || int(growth) > store.Growths(s.st) {
			c.Value, growth = set.Append(nil), 0
		}
		c.Growth = growth
		s.apply(batch(shard0, v, c))
		if v%100 == 1 || v > crdt.MaxExact-2 && v < crdt.MaxExact+3 {
			s.want(shard0, "a/", 0, v, string(set.Append(nil)))
		}
		// The cells of a zombie are left out with its batch.
		zombie := store.Cell{Key: key("a/", 0), Version: v, Value: crdt.AppendMember(crdt.BeginGrowth(nil), ^h), Growth: 1}
		s.apply(batch(shard0, v, zombie))
		if s.h.Reopen != nil && v%1000 == 0 {
			s.st = s.h.Reopen(s.T, s.st)
			s.want(shard0, "a/", 0, v, string(set.Append(nil)))
		}
	}
	s.want(shard0, "a/", 0, 3000, string(set.Append(nil)))
	// A growth of a cell that does not exist.
	s.apply(batch(other, 1, store.Cell{Key: key("a/", 0), Version: 1, Value: crdt.AppendMember(crdt.BeginGrowth(nil), 7), Growth: 1}))
	var one crdt.Visitors
	one.Add(7)
	s.want(other, "a/", 0, 1, string(one.Append(nil)))
}
