package crdt

import "encoding/binary"

// Sketch is a set of persons that is a sketch from the first one on, for who
// must choose which hashes go into it: a batch run puts canonical persons into
// its sketches, raw ones into exact cells.
type Sketch struct{ r *registers }

// NewSketch returns the empty sketch; Release gives its memory back.
func NewSketch() *Sketch { return &Sketch{newRegisters()} }

// Add puts a person into the set.
func (s *Sketch) Add(h uint64) { s.r.add(h) }

// Merge makes s the union of both.
func (s *Sketch) Merge(o *Sketch) { s.r.merge(o.r[:]) }

// Append appends the bytes of a visitors cell of kind sketch.
func (s *Sketch) Append(dst []byte) []byte { return s.r.append(append(dst, kindSketch)) }

// Release gives the memory back; s is of no more use.
func (s *Sketch) Release() {
	sketchPool.Put(s.r)
	s.r = nil
}

// AppendExact appends the bytes of an exact visitors cell: at most MaxExact
// persons, ascending, each once.
func AppendExact(dst []byte, persons []uint64) []byte {
	dst = append(dst, kindExact)
	for _, h := range persons {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}
