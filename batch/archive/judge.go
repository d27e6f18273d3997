package archive

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/microbatch"
	"speedlayer/queue"
	"speedlayer/store"
)

// judge says what the records of a shard are, as the processor does, but without
// memory: a record's row is a function of the record, of the log time before it,
// and of the shard. One goroutine owns it.
type judge struct {
	shard      store.Shard
	partitions int32
	logTime    int64 // ms, of the last record; see Log.LogTime

	decoder event.Decoder
	pv      event.Pageview
	times   times
	scratch []byte // value as our encoders make it
}

// row makes the row of the next record. It is valid while the record is, and
// until mem is used again: what it needs besides is appended there.
func (j *judge) row(r *kgo.Record, mem []byte) (row Row, used []byte) {
	j.logTime = max(j.logTime, r.Timestamp.UnixMilli())
	row = Row{Epoch: int32(j.shard.Epoch), Partition: j.shard.Partition, Offset: r.Offset,
		RecordTime: r.Timestamp.UnixMilli(), LogTime: j.logTime}
	var err error
	if microbatch.IsMarker(r) {
		var m microbatch.Marker
		if m, err = microbatch.ParseMarker(r.Value); err == nil {
			row.Kind = Marker.String()
			generation := int64(m.Generation)
			row.Generation = &generation
			return j.keepRaw(row, r, mem)
		}
	} else if mem, err = j.event(&row, r, mem); err == nil {
		return j.keepWire(row, r, mem)
	}
	row.Kind, row.Reason = Refused.String(), strings.ToValidUTF8(err.Error(), "\uFFFD")
	return j.keepRaw(row, r, mem)
}

// event fills the fields of an event, here or misplaced. After an error they
// are empty.
func (j *judge) event(row *Row, r *kgo.Record, mem []byte) ([]byte, error) {
	here := queue.Source{Epoch: j.shard.Epoch, Partition: j.shard.Partition, Offset: r.Offset}
	from, moved := here, false
	for i := range r.Headers {
		if r.Headers[i].Key != queue.MovedHeader {
			continue
		}
		src, err := queue.ParseSource(r.Headers[i].Value)
		if err != nil {
			return mem, err
		}
		from, moved = src, true
		epoch := int32(src.Epoch)
		row.SourceEpoch, row.SourcePartition, row.SourceOffset = &epoch, &src.Partition, &src.Offset
		break
	}
	j.decoder.Time = r.Timestamp.UnixMilli() // an event without ts has its record's time
	if err := j.decoder.Decode(r.Value, &j.pv); err != nil {
		return mem, err
	}
	if err := event.CheckAhead(j.pv.TS, row.LogTime, event.MaxAheadLog); err != nil {
		return mem, err
	}
	at := len(mem)
	mem, err := event.AppendPage(mem, j.pv.URL)
	if err != nil {
		return mem[:at], err
	}
	page := mem[at:len(mem):len(mem)]
	kind := Pageview
	if target := queue.PartitionOf(j.pv.Person, j.partitions); target != j.shard.Partition {
		if moved && from.Epoch == here.Epoch {
			return mem[:at], fmt.Errorf("moved here from epoch %d partition %d, but belongs to partition %d", from.Epoch, from.Partition, target)
		}
		kind = Misplaced
	}
	nonce := j.pv.Nonce
	if !j.pv.HasNonce {
		at = len(mem)
		mem = from.AppendNonce(mem, queue.TopicPageviews)
		nonce = mem[at:len(mem):len(mem)]
	}
	row.Kind, row.TS, row.Page, row.Nonce, row.NonceMade = kind.String(), j.times.keep(j.pv.TS), page, nonce, !j.pv.HasNonce
	row.Person, row.URL, row.Referrer, row.UserAgent = j.pv.Person, j.pv.URL, j.pv.Referrer, j.pv.UserAgent
	return mem, nil
}

// keepWire says how the record was encoded; one that our encoders would not
// make again is kept as it is.
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

// own copies the fields of a JSON record: they may lie in the decoder's scratch
// space, which the next record overwrites.
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
