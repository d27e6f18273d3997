package embedded

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the port does with requests before the broker sees them, for the broker
// trusts every client: it makes room for any length that is said, ends
// the process at a request that it does not know, and takes times of records
// from the client although the topics say LogAppendTime.

// Bounds of a request's length, in bytes after the length itself. The upper one
// is Kafka's default (socket.request.max.bytes).
const (
	minRequest = 8
	maxRequest = 100 << 20
)

// checkLength refuses what is not a request of the Kafka protocol: the first four
// bytes of HTTP or TLS are a length of hundreds of megabytes.
func checkLength(n uint32) error {
	if n < minRequest || n > maxRequest {
		return fmt.Errorf("broker: a request of %d bytes: allowed are %d to %d", n, minRequest, maxRequest)
	}
	return nil
}

// checkRequest takes the first 12 bytes of a request.
func checkRequest(head []byte) error {
	if err := checkLength(binary.BigEndian.Uint32(head)); err != nil {
		return err
	}
	key, version := int16(binary.BigEndian.Uint16(head[4:])), int16(binary.BigEndian.Uint16(head[6:]))
	if version < 0 || key != produceKey && kmsg.RequestForKey(key) == nil {
		return fmt.Errorf("broker: request %d of version %d is not known", key, version)
	}
	return nil
}

// stampProduce gives the batches of a produce request, from its key on, the
// broker's time in ms. What cannot be read is left for the broker to refuse.
func stampProduce(body []byte, now int64) {
	r := kbin.Reader{Src: body[8:]}
	_ = r.NullableString() // client id
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() || req.ReadFrom(r.Src) != nil {
		return
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			stampBatch(req.Topics[i].Partitions[j].Records, now) // lies in body
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stampBatch shifts the times of a batch so that its newest record has the time
// now: a record's time is the batch's first plus a difference of its own, which
// stays. So the log time of a partition, the highest time up to a record, is the
// broker's clock whatever clients say. Bytes of a batch, version 2:
//
//	offset i64 | length i32 | epoch i32 | magic i8 | crc u32 |   the checksum is
//	attributes i16 | last offset i32 | first time i64 | max time i64 | ...  of these
func stampBatch(b []byte, now int64) {
	const head, magic, crc, attributes, first, highest = 61, 16, 17, 21, 27, 35
	if len(b) < head || b[magic] != 2 || binary.BigEndian.Uint32(b[crc:]) != crc32.Checksum(b[attributes:], castagnoli) {
		return
	}
	shift := now - int64(binary.BigEndian.Uint64(b[highest:]))
	binary.BigEndian.PutUint64(b[first:], binary.BigEndian.Uint64(b[first:])+uint64(shift))
	binary.BigEndian.PutUint64(b[highest:], uint64(now))
	b[attributes+1] &^= 1 << 3 // the broker would put in its time again, and leave a wrong checksum
	binary.BigEndian.PutUint32(b[crc:], crc32.Checksum(b[attributes:], castagnoli))
}
