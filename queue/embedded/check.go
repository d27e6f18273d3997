package embedded

import (
	"bytes"
	"encoding/binary"
)

// Before the broker starts, every batch of the log is checked. What is damaged is
// taken out of its segment, and batches that stand for lost offsets are put in its
// place (appendFillers): the broker itself would cut the segment off there, good
// batches included, and give out the offsets a second time.

// checked is a segment after the check.
type checked struct {
	good   []byte    // what the segment must hold; the input itself if nothing changed
	lost   []offsets // of fillers, new ones and those that were there
	end    int64     // offset after the last batch
	epoch  int32     // of the last batch
	time   int64     // highest of all batches
	torn   []byte
	remade bool // good is not the input, nor the input without torn
	grown  bool // of remade: good is the input and fillers after it
}

// offsets are a range: [from, to).
type offsets struct{ from, to int64 }

// checker goes through a segment.
type checker struct {
	checked
	src  []byte
	at   int  // up to where src was checked
	copy bool // good is a copy of its own
}

// checkSegment checks the batches of a segment whose first offset is from. The
// segment must reach the offset limit; -1: that is not known, for it is the last
// one. Then what is not a whole batch at its end was being written when the
// process died, and is torn. strict: offsets follow each other without a gap, as
// in a topic that is never compacted.
func checkSegment(src []byte, from, limit int64, strict bool) checked {
	c := checker{src: src}
	c.end = from
	for c.at < len(src) {
		if b := batchAt(src[c.at:]); b != nil {
			c.take(b, strict)
		} else if !c.skip(limit) {
			break
		}
	}
	if strict && c.end < limit {
		c.grown = !c.copy && c.at == len(src)
		c.lose(limit)
	}
	if !c.copy {
		c.good = src[:c.at]
	}
	c.remade = c.copy
	return c.checked
}

// take keeps a batch whose checksum is right. An offset that does not follow is
// damaged itself, unless the next batch agrees with it: then others are missing.
func (c *checker) take(b batch, strict bool) {
	size := len(b)
	if first := b.first(); strict && first != c.end {
		next := batchAt(c.src[c.at+size:])
		if first > c.end && next != nil && next.first() == b.end() {
			c.lose(first)
		} else {
			c.copyGood()
			b = bytes.Clone(b)
			binary.BigEndian.PutUint64(b, uint64(c.end))
		}
	}
	if c.copy {
		c.good = append(c.good, b...)
	}
	if from, ok := lostBy(b); ok {
		c.lost = append(c.lost, offsets{from, b.end()})
	}
	c.end, c.epoch, c.time = b.end(), b.epoch(), max(c.time, b.maxTime())
	c.at += size
}

// skip goes to the next batch after damage. It returns false at a torn end.
func (c *checker) skip(limit int64) bool {
	at, next := nextBatch(c.src[c.at+1:], c.end)
	switch {
	case next != nil:
		c.copyGood()
		c.at += 1 + at
		c.lose(next.first())
		return true
	case limit < 0:
		if limit = lastEnd(c.src[c.at:], c.end); limit < 0 {
			c.torn = c.src[c.at:]
			return false
		}
	}
	c.copyGood()
	c.at = len(c.src)
	c.lose(limit)
	return true
}

// lastEnd is where the offsets of the last batch end, if all of its bytes are there
// and its head looks right although its checksum is wrong; -1 if not. A process
// that dies leaves fewer bytes: so this one may have been acknowledged.
func lastEnd(b []byte, from int64) int64 {
	if n := lengthAt(b); n == 0 || n < len(b) || b[batchMagic] != 2 || batch(b).first() != from {
		return -1
	}
	end := batch(b).end()
	if int64(batch(b).records()) != end-from { // they are the same in every batch that was appended
		return -1
	}
	return end
}

// copyGood makes good a copy that can be changed.
func (c *checker) copyGood() {
	if !c.copy {
		c.good, c.copy = bytes.Clone(c.src[:c.at]), true
	}
}

// lose puts fillers up to an offset.
func (c *checker) lose(to int64) {
	if to <= c.end {
		return
	}
	c.copyGood()
	c.good = appendFillers(c.good, c.end, to, c.time, c.epoch)
	c.lost = append(c.lost, offsets{c.end, to})
	c.end = to
}

// indexOf makes the index file of a segment, an entry for each batch, as the
// broker writes it (kfake, encodeIndexEntry):
//
//	version u8, 1 | sum u8 | leader epoch u32 | highest earlier time i64, which the
//	broker computes again | flags u8: 1 is a record of a transaction
//
// little-endian; the sum is the last byte of the CRC-32C of what follows it.
func indexOf(segment []byte) (index []byte) {
	var highest int64
	for b := batchAt(segment); b != nil; b = batchAt(segment) {
		segment = segment[len(b):]
		highest = max(highest, b.maxTime())
		entry := make([]byte, 2, indexEntry)
		entry[0] = brokerFormat
		entry = binary.LittleEndian.AppendUint32(entry, uint32(b.epoch()))
		entry = binary.LittleEndian.AppendUint64(entry, uint64(highest))
		flags := byte(0)
		if a := b.attributes(); a&attributeTransactional != 0 && a&attributeControl == 0 {
			flags = 1
		}
		entry = append(entry, flags)
		entry[1] = byte(checksum(entry[2:]))
		index = append(index, entry...)
	}
	return index
}
