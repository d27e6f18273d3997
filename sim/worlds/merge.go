package worlds

import (
	"encoding/binary"

	"speedlayer/verify/oracle"
)

// cell is what a read of a cell answers: the whole merged with its deltas, at
// the highest version of any. Deltas without a whole would be an error.
func (s *tornStore) cell(id cellID) (c cellValue, ok bool) {
	c, ok = s.cells[place{id, 0}]
	var members []uint64
	before := c.version
	for n := int32(1); n <= int32(s.w.deltas); n++ {
		g, there := s.cells[place{id, n}]
		if !there {
			continue
		}
		for b := g.value[1:]; len(b) > 0; b = b[8:] {
			members = append(members, binary.LittleEndian.Uint64(b))
		}
		s.w.sawIf(DeltasOfTwo, c.version > before && g.version < c.version)
		c.version = max(c.version, g.version)
	}
	if ok && members != nil {
		var err error
		if c.value, err = oracle.AddMembers(c.value, members); err != nil {
			s.w.fail("%v: %s: %v", id.shard, keyText(id.key), err)
		}
	}
	return c, ok
}
