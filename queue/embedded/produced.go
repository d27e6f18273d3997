package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// internalPrefix is how the names of all headers begin that the system gives its
// own records (package record).
var internalPrefix = []byte("speedlayer-")

// Bounds of what one produce request holds.
const (
	maxProduced  = 4096     // batches
	maxBatchSize = 64 << 20 // bytes of a batch's records when they are unpacked
)

var (
	errProduce  = errors.New("broker: a produce request that cannot be read")
	errInternal = errors.New("headers whose names begin with speedlayer- are the system's own")
	errControl  = errors.New("control records are written by the broker only")
	errUnpacked = fmt.Errorf("a batch of more than %d MiB when it is unpacked", maxBatchSize>>20)
)

// cursor reads a request without allocating what its lengths announce.
type cursor struct {
	b        []byte
	flexible bool
	bad      bool
}

func (c *cursor) take(n int64) []byte {
	if n < 0 || n > int64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) i16() int16 {
	if v := c.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func (c *cursor) i32() int32 {
	if v := c.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

func (c *cursor) uvarint() int64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > 1<<31 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return int64(v)
}

// size is the length of a list, bytes or text; -1 for null. short is whether a text
// has a length of 16 bits where lengths are not compact.
func (c *cursor) size(short bool) int64 {
	switch {
	case c.flexible:
		return c.uvarint() - 1
	case short:
		return int64(c.i16())
	}
	return int64(c.i32())
}

func (c *cursor) text() []byte { return c.take(max(0, c.size(true))) }

func (c *cursor) tags() {
	if !c.flexible {
		return
	}
	for range c.uvarint() {
		if c.bad {
			return
		}
		c.uvarint()
		c.take(c.uvarint())
	}
}

// eachBatch calls fn with the records of each partition of a produce request, from
// its key on. It allocates nothing.
func eachBatch(body []byte, fn func(records []byte)) error {
	version := int16(binary.BigEndian.Uint16(body[2:]))
	if version < 3 || version > 13 {
		return fmt.Errorf("%w: version %d: allowed are 3 to 13", errProduce, version)
	}
	c := cursor{b: body[8:]}
	c.take(max(0, int64(c.i16()))) // client id, which is never compact
	c.flexible = version >= 9
	c.tags()
	c.text() // transactional id
	c.i16()  // acks
	c.i32()  // timeout
	left := maxProduced
	for topics := c.size(false); topics > 0 && !c.bad; topics-- {
		if left--; left < 0 {
			return fmt.Errorf("%w: more than %d topics", errProduce, maxProduced)
		}
		if version >= 13 {
			c.take(16)
		} else {
			c.text()
		}
		for parts := c.size(false); parts > 0 && !c.bad; parts-- {
			if left--; left < 0 {
				return fmt.Errorf("%w: more than %d batches", errProduce, maxProduced)
			}
			c.i32() // partition
			records := c.take(max(0, c.size(false)))
			if c.bad {
				break
			}
			fn(records)
			c.tags()
		}
		c.tags()
	}
	if c.bad {
		return errProduce
	}
	return nil
}

// checkProduced looks for records that only the system itself may append, and for
// batches that are larger than any that it could read.
func checkProduced(records []byte) error {
	for len(records) >= batchHead {
		length := int64(binary.BigEndian.Uint32(records[8:])) + 12
		if length < batchHead || length > int64(len(records)) || records[16] != 2 {
			return nil // the broker refuses it
		}
		if err := checkBatch(batch(records[:length])); err != nil {
			return err
		}
		records = records[length:]
	}
	return nil
}

func checkBatch(b batch) error {
	if b.attributes()&attributeControl != 0 {
		return errControl
	}
	content := []byte(b[batchHead:])
	if codec := b.attributes() & 7; codec != 0 {
		var err error
		if content, err = unpack(content, codec); err != nil {
			return err
		}
	}
	// Hardly any batch has the text at all.
	if !bytes.Contains(content, internalPrefix) {
		return nil
	}
	for len(content) > 0 {
		length, used := binary.Varint(content)
		if used <= 0 || length < 0 || length > int64(len(content)-used) {
			return errors.New("a record that cannot be read")
		}
		if hasInternal(content[used : used+int(length)]) {
			return errInternal
		}
		content = content[used+int(length):]
	}
	return nil
}

// hasInternal reports whether a record, after its length, has a header of the
// system's. A record:
//
//	attributes i8 | time varint | offset varint | key | value | headers varint | name, value | ...
//
// with a varint as the length of each text, -1 for null.
func hasInternal(r []byte) bool {
	bad := false
	varint := func() int64 {
		v, used := binary.Varint(r)
		if used <= 0 {
			bad, r = true, nil
			return 0
		}
		r = r[used:]
		return v
	}
	text := func() []byte {
		n := varint()
		if n > int64(len(r)) {
			bad = true
		}
		if bad || n <= 0 {
			return nil
		}
		t := r[:n]
		r = r[n:]
		return t
	}
	if len(r) == 0 {
		return false
	}
	r = r[1:]
	varint()
	varint()
	text()
	text()
	for n := varint(); n > 0 && !bad; n-- {
		if bytes.HasPrefix(text(), internalPrefix) {
			return true
		}
		text()
	}
	return false
}

// rejectProduced is the answer to a produce request of which nothing was appended.
// It is nil if the client wants no answer.
func rejectProduced(body []byte, code int16, why string) ([]byte, error) {
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(int16(binary.BigEndian.Uint16(body[2:])))
	if err := readRequest(body, req); err != nil {
		return nil, err
	}
	if req.Acks == 0 {
		return nil, nil
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, code, &why
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answerOf(body, resp), nil
}
