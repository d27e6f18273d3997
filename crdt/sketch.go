package crdt

import "encoding/binary"

// Sketch is a set of persons that is a sketch from the first one on. It is for a
// caller that chooses which hashes go into it: a batch run puts canonical persons
// into its sketches and raw persons into exact cells.
type Sketch struct{ r *registers }

// NewSketch returns an empty sketch. Release frees its memory.
func NewSketch() *Sketch { return &Sketch{newRegisters()} }

// Add adds a person to the set.
func (s *Sketch) Add(h uint64) { s.r.add(h) }

// Merge makes s the union of s and o.
func (s *Sketch) Merge(o *Sketch) { s.r.merge(o.r[:]) }

// Append appends the bytes of a visitors cell of the kind sketch.
func (s *Sketch) Append(dst []byte) []byte { return s.r.append(append(dst, kindSketch)) }

// Release frees the memory of s, which must not be used afterwards.
func (s *Sketch) Release() {
	sketchPool.Put(s.r)
	s.r = nil
}

// AppendExact appends the bytes of an exact visitors cell. There are at most
// MaxExact persons, ascending, without repeats.
func AppendExact(dst []byte, persons []uint64) []byte {
	dst = append(dst, kindExact)
	for _, h := range persons {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}
