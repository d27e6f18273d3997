package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/record"
)

// These are the values of the column wire, for a record of topic pageviews. In the
// first two cases, key and value are what our encoders make of the fields: the key is
// the person, and there are no headers except, for a rerouted record, where it came from.
// In the other cases, key, value and headers are kept unchanged.
//
//	0  the value is the compact encoding
//	1  the value is JSON as event.AppendJSON writes it
//	2  raw_key, raw_value, raw_headers; plus 4 if the key is null, 8 if the value is
const (
	wireCompact   = 0
	wireJSON      = 1
	wireRaw       = 2
	wireNullKey   = 4
	wireNullValue = 8
)

// raw_headers, lengths as uvarints, for each header:
//
//	key length, bytes | value length + 1, bytes (0: the value is null)

// appendHeaders appends headers in the form of raw_headers.
func appendHeaders(dst []byte, headers []kgo.RecordHeader) []byte {
	for _, h := range headers {
		dst = binary.AppendUvarint(dst, uint64(len(h.Key)))
		dst = append(dst, h.Key...)
		if h.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(h.Value))+1)
		dst = append(dst, h.Value...)
	}
	return dst
}

func parseHeaders(b []byte) (headers []kgo.RecordHeader, err error) {
	text := func(less uint64) (t []byte, null, ok bool) {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used)+less {
			return nil, false, false
		}
		b = b[used:]
		if n < less {
			return nil, true, true
		}
		t, b = b[:n-less:n-less], b[n-less:]
		return t, false, true
	}
	for len(b) > 0 {
		key, _, ok := text(0)
		if !ok || len(b) == 0 {
			return nil, fmt.Errorf("%w: raw_headers", ErrCorrupt)
		}
		value, null, ok := text(1)
		if !ok {
			return nil, fmt.Errorf("%w: raw_headers", ErrCorrupt)
		}
		if null {
			value = nil
		}
		headers = append(headers, kgo.RecordHeader{Key: string(key), Value: value})
	}
	return headers, nil
}

// rawWire keeps a record unchanged.
func rawWire(r *kgo.Record, headers []byte) (wire int32, key, value, rawHeaders []byte) {
	wire = wireRaw
	if r.Key == nil {
		wire |= wireNullKey
	}
	if r.Value == nil {
		wire |= wireNullValue
	}
	return wire, r.Key, r.Value, appendHeaders(headers, r.Headers)
}

// Record reproduces the record as it was in the log. It shares the memory of the row.
func (r *Row) Record() (*kgo.Record, error) {
	rec := &kgo.Record{Topic: queue.TopicPageviews, Partition: r.Partition, Offset: r.Offset, Timestamp: time.UnixMilli(r.RecordTime)}
	pv := event.Pageview{Nonce: r.Nonce, Person: r.Person, URL: r.URL, Referrer: r.Referrer, UserAgent: r.UserAgent, HasNonce: !r.NonceMade}
	if r.TS != nil {
		pv.TS = *r.TS
	}
	if r.NonceMade {
		pv.Nonce = nil
	}
	rec.Key = r.Person
	switch {
	case r.Wire == wireCompact:
		rec.Value = event.AppendCompact(nil, &pv)
	case r.Wire == wireJSON:
		rec.Value = event.AppendJSON(nil, &pv)
	case r.Wire&wireRaw != 0:
		return rec, rawRecord(rec, r.Wire, r.RawKey, r.RawValue, r.RawHeaders)
	default:
		return nil, fmt.Errorf("%w: wire %d", ErrCorrupt, r.Wire)
	}
	if r.SourceOffset != nil {
		rec.Headers = reroutedHeaders(r.source())
	}
	return rec, nil
}

func (r *Row) source() record.Source {
	return record.Source{Epoch: uint32(*r.SourceEpoch), Partition: *r.SourcePartition, Offset: *r.SourceOffset}
}

func reroutedHeaders(s record.Source) []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte(s.String())}}
}

func rawRecord(rec *kgo.Record, wire int32, key, value, headers []byte) (err error) {
	rec.Key, rec.Value = bytes.Clone(key), bytes.Clone(value)
	if wire&wireNullKey != 0 {
		rec.Key = nil
	} else if rec.Key == nil {
		rec.Key = []byte{}
	}
	if wire&wireNullValue != 0 {
		rec.Value = nil
	} else if rec.Value == nil {
		rec.Value = []byte{}
	}
	rec.Headers, err = parseHeaders(headers)
	return err
}
