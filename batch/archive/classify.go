package archive

import (
	"bytes"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/store"
)

// classifier makes rows of the records of a shard: a record's row is a function of the
// record, of the log time before it, and of the shard. One goroutine owns it.
type classifier struct {
	records record.Classifier
	logTime int64 // ms, of the last record; see Log.LogTime

	checkSettings func(operator string) error // see Config

	decoder event.Decoder
	pv      event.Pageview // of the last record
	page    []byte         // its page, in mem
	mem     []byte         // see row
	times   times
	scratch []byte // value as our encoders would write it
}

// newClassifier returns the classifier of a shard.
func newClassifier(shard store.Shard, partitions int32, logTime int64, checkSettings func(string) error) *classifier {
	c := &classifier{logTime: logTime, checkSettings: checkSettings}
	c.records = record.Classifier{Here: record.Source{Epoch: shard.Epoch, Partition: shard.Partition},
		Partitions: partitions, Topic: queue.TopicPageviews, Rules: c}
	return c
}

// Decode implements record.Rules.
func (c *classifier) Decode(value []byte, recordTime, logTime int64) (owner, nonce []byte, err error) {
	at := len(c.mem)
	if c.mem, err = c.decoder.Accept(c.mem, value, recordTime, logTime, &c.pv); err != nil {
		return nil, nil, err
	}
	c.page = c.mem[at:len(c.mem):len(c.mem)]
	if c.pv.HasNonce {
		nonce = c.pv.Nonce
	}
	return c.pv.Person, nonce, nil
}

// CheckSettings implements record.Rules.
func (c *classifier) CheckSettings(operator string) error {
	if c.checkSettings == nil {
		return nil
	}
	return c.checkSettings(operator)
}

// row makes the row of the next record. It is valid while the record is, and
// until mem is used again: what it needs besides is appended there.
func (c *classifier) row(r *kgo.Record, mem []byte) (row Row, used []byte) {
	c.logTime, c.mem = max(c.logTime, r.Timestamp.UnixMilli()), mem
	is := c.records.Classify(r, c.logTime)
	row = Row{Epoch: int32(c.records.Here.Epoch), Partition: c.records.Here.Partition, Offset: r.Offset,
		RecordTime: r.Timestamp.UnixMilli(), LogTime: c.logTime}
	if is.Rerouted {
		from := is.From
		epoch := int32(from.Epoch)
		row.SourceEpoch, row.SourcePartition, row.SourceOffset = &epoch, &from.Partition, &from.Offset
	}
	switch is.Kind {
	case record.KindMarker:
		generation := int64(is.Marker.Generation)
		row.Kind, row.Generation = Marker.String(), &generation
		return c.keepRaw(row, r, c.mem)
	case record.KindRejected:
		row.Kind, row.Reason = Rejected.String(), strings.ToValidUTF8(is.Err.Error(), "\uFFFD")
		return c.keepRaw(row, r, c.mem)
	case record.KindMisplaced:
		row.Kind = Misplaced.String()
	default:
		row.Kind = Pageview.String()
	}
	row.TS, row.Page, row.Nonce, row.NonceMade = c.times.keep(c.pv.TS), c.page, is.Nonce, is.NonceMade
	if is.NonceMade {
		at := len(c.mem)
		c.mem = append(c.mem, is.Nonce...)
		row.Nonce = c.mem[at:len(c.mem):len(c.mem)]
	}
	row.Person, row.URL, row.Referrer, row.UserAgent = c.pv.Person, c.pv.URL, c.pv.Referrer, c.pv.UserAgent
	return c.keepWire(row, r, c.mem)
}

// keepWire records how the record was encoded. A record that our encoders would not
// reproduce is kept unchanged.
func (c *classifier) keepWire(row Row, r *kgo.Record, mem []byte) (Row, []byte) {
	mem = c.own(&row, r.Value, mem)
	plain := r.Key != nil && bytes.Equal(r.Key, row.Person) && c.plainHeaders(&row, r)
	if plain {
		row.Wire = wireJSON
		c.scratch = event.AppendJSON(c.scratch[:0], &c.pv)
		if r.Value[0] != '{' {
			row.Wire = wireCompact
			c.scratch = event.AppendCompact(c.scratch[:0], &c.pv)
		}
		if bytes.Equal(c.scratch, r.Value) {
			return row, mem
		}
	}
	return c.keepRaw(row, r, mem)
}

// own copies the fields of a JSON record, because they may be in the scratch space of
// the decoder, which the next record overwrites.
func (c *classifier) own(row *Row, value []byte, mem []byte) []byte {
	if value[0] != '{' {
		return mem
	}
	for _, f := range [...]*[]byte{&row.Person, &row.URL, &row.Nonce, &row.Referrer, &row.UserAgent} {
		at := len(mem)
		mem = append(mem, *f...)
		*f = mem[at:len(mem):len(mem)]
	}
	return mem
}

func (c *classifier) plainHeaders(row *Row, r *kgo.Record) bool {
	if row.SourceOffset == nil {
		return len(r.Headers) == 0
	}
	return len(r.Headers) == 1 && string(r.Headers[0].Value) == row.source().String()
}

func (c *classifier) keepRaw(row Row, r *kgo.Record, mem []byte) (Row, []byte) {
	at := len(mem)
	row.Wire, row.RawKey, row.RawValue, mem = rawWire(r, mem)
	row.RawHeaders = mem[at:len(mem):len(mem)]
	return row, mem
}
