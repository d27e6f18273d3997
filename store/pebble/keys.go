package pebble

import (
	"encoding/binary"
	"fmt"

	"speedlayer/store"
)

// The first byte of a key tells the kind of the row. Integers in keys are
// big-endian, so that bytes sort as numbers do.
//
//	'c' | generation u32 | view u8 | url | 0x00 | hour u32 | epoch u32 | partition u32   a cell
//	'd' | generation u32 | hour u32 | domain | 0x00 | epoch u32 | partition u32          a copy of a domain's cell (domains.go)
//	'k' | epoch u32 | partition u32                                                      commit row
//	's' | epoch u32 | partition u32                                                      snapshot's name
//	'e' | number u32                                                                     epoch (JSON)
//	'g' | number u32                                                                     generation: 0 dropped; 1 created by a version without 'd' rows; 1 1 created
//	'p'                                                                                  pointer (JSON)
//	'r' | name                                                                           a named row
//
// A url contains no 0x00, so that byte ends it, and the keys of one url are
// contiguous, by hour. hour counts from 1970 and is never negative.
//
// Values, u64 little-endian:
//
//	cell         version uvarint | bytes
//	commit row   offset u64 | record
//	name         offset u64 | chunks u64
const (
	cellPrefix       = 'c'
	domainPrefix     = 'd'
	commitPrefix     = 'k'
	snapshotPrefix   = 's'
	epochPrefix      = 'e'
	generationPrefix = 'g'
	pointerKey       = "p"
	rowPrefix        = "r"
)

// cellHead is the length of the part of a cell's key before the url.
const cellHead = 1 + 4 + 1

// cellTail is the length of what follows the url: its end, hour, epoch, partition.
const cellTail = 1 + 4 + 4 + 4

func appendURLKey(dst []byte, generation uint32, view store.ViewID, url string) []byte {
	dst = append(dst, cellPrefix)
	dst = binary.BigEndian.AppendUint32(dst, generation)
	dst = append(dst, byte(view))
	return append(dst, url...)
}

func appendCellKey(dst []byte, k *store.Key, s store.Shard) []byte {
	dst = appendURLKey(dst, k.Generation, k.View, k.URL)
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(k.Hour))
	return appendShard(dst, s)
}

func appendShard(dst []byte, s store.Shard) []byte {
	dst = binary.BigEndian.AppendUint32(dst, s.Epoch)
	return binary.BigEndian.AppendUint32(dst, uint32(s.Partition))
}

func shardKey(prefix byte, s store.Shard) []byte { return appendShard([]byte{prefix}, s) }

func numberKey(prefix byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefix}, n)
}

// parseCellKey parses the key of a cell. c.URL aliases the key.
func parseCellKey(key []byte, c *store.ScanCell) error {
	if len(key) < cellHead+cellTail {
		return fmt.Errorf("%w: a cell's key of %d bytes", store.ErrCorrupt, len(key))
	}
	tail := key[len(key)-cellTail:]
	if tail[0] != 0 {
		return fmt.Errorf("%w: the url of a cell's key has no end", store.ErrCorrupt)
	}
	c.URL = key[cellHead : len(key)-cellTail]
	c.Hour = int32(binary.BigEndian.Uint32(tail[1:]))
	c.Shard = store.Shard{Epoch: binary.BigEndian.Uint32(tail[5:]), Partition: int32(binary.BigEndian.Uint32(tail[9:]))}
	return nil
}

func parseCellValue(value []byte) (version int64, b []byte, err error) {
	v, n := binary.Uvarint(value)
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: a cell has no version", store.ErrCorrupt)
	}
	return int64(v), value[n:], nil
}

func appendCommit(dst []byte, c store.Commit) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Offset))
	return append(dst, c.Record...)
}

func parseCommit(value []byte) (store.Commit, error) {
	if len(value) < 8 {
		return store.Commit{}, fmt.Errorf("%w: a commit row of %d bytes", store.ErrCorrupt, len(value))
	}
	return store.Commit{Offset: int64(binary.LittleEndian.Uint64(value)), Record: append([]byte(nil), value[8:]...)}, nil
}

// after returns the first key after all keys that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
