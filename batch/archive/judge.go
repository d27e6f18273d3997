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

// judge makes rows of the records of a shard: a record's row is a function of the
// record, of the log time before it, and of the shard. One goroutine owns it.
type judge struct {
	classifier record.Classifier
	logTime    int64 // ms, of the last record; see Log.LogTime

	checkSettings func(operator string) error // see Config

	decoder event.Decoder
	pv      event.Pageview // of the last record
	page    []byte         // its page, in mem
	mem     []byte         // see row
	times   times
	scratch []byte // value as our encoders would write it
}

// newJudge returns the judge of a shard.
func newJudge(shard store.Shard, partitions int32, logTime int64, checkSettings func(string) error) *judge {
	j := &judge{logTime: logTime, checkSettings: checkSettings}
	j.classifier = record.Classifier{Here: record.Source{Epoch: shard.Epoch, Partition: shard.Partition},
		Partitions: partitions, Topic: queue.TopicPageviews, Rules: j}
	return j
}

// Decode implements record.Rules.
func (j *judge) Decode(value []byte, recordTime, logTime int64) (owner, nonce []byte, err error) {
	at := len(j.mem)
	if j.mem, err = j.decoder.Accept(j.mem, value, recordTime, logTime, &j.pv); err != nil {
		return nil, nil, err
	}
	j.page = j.mem[at:len(j.mem):len(j.mem)]
	if j.pv.HasNonce {
		nonce = j.pv.Nonce
	}
	return j.pv.Person, nonce, nil
}

// CheckSettings implements record.Rules.
func (j *judge) CheckSettings(operator string) error {
	if j.checkSettings == nil {
		return nil
	}
	return j.checkSettings(operator)
}

// row makes the row of the next record. It is valid while the record is, and
// until mem is used again: what it needs besides is appended there.
func (j *judge) row(r *kgo.Record, mem []byte) (row Row, used []byte) {
	j.logTime, j.mem = max(j.logTime, r.Timestamp.UnixMilli()), mem
	is := j.classifier.Classify(r, j.logTime)
	row = Row{Epoch: int32(j.classifier.Here.Epoch), Partition: j.classifier.Here.Partition, Offset: r.Offset,
		RecordTime: r.Timestamp.UnixMilli(), LogTime: j.logTime}
	if is.Rerouted {
		from := is.From
		epoch := int32(from.Epoch)
		row.SourceEpoch, row.SourcePartition, row.SourceOffset = &epoch, &from.Partition, &from.Offset
	}
	switch is.Kind {
	case record.KindMarker:
		generation := int64(is.Marker.Generation)
		row.Kind, row.Generation = Marker.String(), &generation
		return j.keepRaw(row, r, j.mem)
	case record.KindRejected:
		row.Kind, row.Reason = Refused.String(), strings.ToValidUTF8(is.Err.Error(), "\uFFFD")
		return j.keepRaw(row, r, j.mem)
	case record.KindMisplaced:
		row.Kind = Misplaced.String()
	default:
		row.Kind = Pageview.String()
	}
	row.TS, row.Page, row.Nonce, row.NonceMade = j.times.keep(j.pv.TS), j.page, is.Nonce, is.NonceMade
	if is.NonceMade {
		at := len(j.mem)
		j.mem = append(j.mem, is.Nonce...)
		row.Nonce = j.mem[at:len(j.mem):len(j.mem)]
	}
	row.Person, row.URL, row.Referrer, row.UserAgent = j.pv.Person, j.pv.URL, j.pv.Referrer, j.pv.UserAgent
	return j.keepWire(row, r, j.mem)
}

// keepWire records how the record was encoded. A record that our encoders would not
// reproduce is kept unchanged.
func (j *judge) keepWire(row Row, r *kgo.Record, mem []byte) (Row, []byte) {
	mem = j.own(&row, r.Value, mem)
	plain := r.Key != nil && bytes.Equal(r.Key, row.Person) && j.plainHeaders(&row, r)
	if plain {
		row.Wire = wireJSON
		j.scratch = event.AppendJSON(j.scratch[:0], &j.pv)
		if r.Value[0] != '{' {
			row.Wire = wireCompact
			j.scratch = event.AppendCompact(j.scratch[:0], &j.pv)
		}
		if bytes.Equal(j.scratch, r.Value) {
			return row, mem
		}
	}
	return j.keepRaw(row, r, mem)
}

// own copies the fields of a JSON record, because they may be in the scratch space of
// the decoder, which the next record overwrites.
func (j *judge) own(row *Row, value []byte, mem []byte) []byte {
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

func (j *judge) plainHeaders(row *Row, r *kgo.Record) bool {
	if row.SourceOffset == nil {
		return len(r.Headers) == 0
	}
	return len(r.Headers) == 1 && string(r.Headers[0].Value) == row.source().String()
}

func (j *judge) keepRaw(row Row, r *kgo.Record, mem []byte) (Row, []byte) {
	at := len(mem)
	row.Wire, row.RawKey, row.RawValue, mem = rawWire(r, mem)
	row.RawHeaders = mem[at:len(mem):len(mem)]
	return row, mem
}
