package topology

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"speedlayer/microbatch"
	"speedlayer/record"
)

// A By that is followed by steps which need all events of a key in order forwards
// them to a topic of the topology's own. One event gives at most one record for each
// partition of it, a packet of everything for that partition. So the source of a
// packet, which is the event's place in the log, is never there twice, and the
// protocol of rerouted records makes it count once (design, law 5).
//
//	packet   version u8 | entries
//	entry    step, key, value: each after its length as a uvarint; the hour as a
//	         uvarint stands before the value
const packetVersion = 1

// maxPacket bounds the bytes of all packets of an event: a record is at most 4 MiB.
const maxPacket = 4<<20 - 1<<10

var errPacket = errors.New("topology: a packet cannot be what was written")

// entry is a part of the run's packed bytes, and where it goes.
type entry struct {
	stage      *stage
	target     int32
	begin, end int
}

// forward notes that the event goes to the partition of its key.
func (r *run) forward(to *stage, s *step, key string, hour int32, value []byte) {
	e := entry{stage: to, target: partitionOf(key, r.parts[to.number]), begin: len(r.packed)}
	b := appendSized(r.packed, s.name)
	b = appendSized(b, key)
	b = binary.AppendUvarint(b, uint64(uint32(hour)))
	r.packed = appendSized(b, string(value))
	e.end = len(r.packed)
	r.entries = append(r.entries, e)
}

// tooLarge rejects an event whose packets no record could hold.
func (r *run) tooLarge() error {
	if len(r.packed) > maxPacket {
		return fmt.Errorf("topology: what the event sends to other partitions takes %d bytes: allowed is %d", len(r.packed), maxPacket)
	}
	return nil
}

// pack appends the packets of the event at an offset: in the order of stage and
// partition, each with its entries in the order in which they came.
func (r *run) pack(dst []microbatch.Outgoing, offset int64) []microbatch.Outgoing {
	slices.SortStableFunc(r.entries, func(a, b entry) int {
		if a.stage != b.stage {
			return a.stage.number - b.stage.number
		}
		return int(a.target) - int(b.target)
	})
	for i, e := range r.entries {
		if i == 0 || e.stage != r.entries[i-1].stage || e.target != r.entries[i-1].target {
			dst = append(dst, microbatch.Outgoing{Topic: e.stage.topic, Target: e.target,
				Value: []byte{packetVersion}, Source: record.Source{Offset: offset}})
		}
		last := &dst[len(dst)-1]
		last.Value = append(last.Value, r.packed[e.begin:e.end]...)
	}
	return dst
}

// unpack hands the entries of a packet to their steps.
func (r *run) unpack(g *stage, b []byte) error {
	if len(b) == 0 || b[0] != packetVersion {
		return fmt.Errorf("%w: does not begin with version %d", errPacket, packetVersion)
	}
	b = b[1:]
	for len(b) > 0 {
		var name, key, value []byte
		var hour uint64
		var err1, err2, err3 error
		name, b, err1 = sized(b)
		key, b, err2 = sized(b)
		hour, b = uvarint(b)
		value, b, err3 = sized(b)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		for _, s := range g.cells { // a step that is no longer there has no use for it
			if s.name == string(name) {
				r.at = s
				if err := s.apply(r, s, string(key), int32(hour), value); err != nil {
					return fmt.Errorf("step %s: %w", s.name, err)
				}
			}
		}
	}
	return nil
}

func appendSized(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// sized takes a text after its length from the front of b.
func sized(b []byte) (text, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, fmt.Errorf("%w: cut off", errPacket)
	}
	b = b[size:]
	return b[:n], b[n:], nil
}

func uvarint(b []byte) (uint64, []byte) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil // the value that follows is missing then, which is the error
	}
	return n, b[size:]
}
