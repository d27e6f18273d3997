package record_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
)

// words is a topology of its own: a value is OWNER or OWNER/NONCE.
type words struct{}

var errNoOwner = errors.New("no owner")

func (words) Decode(value []byte, _, _ int64) (owner, nonce []byte, err error) {
	for i, b := range value {
		if b == '/' {
			return value[:i], value[i+1:], nil
		}
	}
	if len(value) == 0 {
		return nil, nil, errNoOwner
	}
	return value, nil, nil
}

func (words) CheckSettings(operator string) error {
	if operator != "" && operator != `{"longest":9}` {
		return errors.New("longest: allowed is 9")
	}
	return nil
}

// ownerIn returns an owner whose records belong to a partition.
func ownerIn(t *testing.T, partition, partitions int32) string {
	for i := range 1000 {
		if o := fmt.Sprint("o", i); record.PartitionOf([]byte(o), partitions) == partition {
			return o
		}
	}
	t.Fatalf("no owner in partition %d of %d", partition, partitions)
	return ""
}

// Every kind of record, as the engine and the archive see it.
func TestClassify(t *testing.T) {
	const partitions = 4
	here, there := ownerIn(t, 1, partitions), ownerIn(t, 2, partitions)
	from := func(text string) []kgo.RecordHeader {
		return []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte(text)}}
	}
	marker := []kgo.RecordHeader{{Key: record.MarkerHeader}}
	c := record.Classifier{Here: record.Source{Epoch: 3, Partition: 1}, Partitions: partitions, Topic: "words", Rules: words{}}
	for _, x := range []struct {
		name    string
		key     string
		value   string
		headers []kgo.RecordHeader
		kind    record.Kind
		from    record.Source
		nonce   string
		err     string
	}{
		{name: "an event", value: here + "/n", kind: record.KindEvent, nonce: "n"},
		{name: "without a nonce", value: here, kind: record.KindEvent, nonce: "words/3/1/9"},
		{name: "with an empty nonce", value: here + "/", kind: record.KindEvent, nonce: ""},
		{name: "of another partition", value: there, kind: record.KindMisplaced, nonce: "words/3/1/9"},
		{name: "rerouted", value: here, headers: from("3/2/7"), kind: record.KindEvent,
			from: record.Source{Epoch: 3, Partition: 2, Offset: 7}, nonce: "words/3/2/7"},
		{name: "rerouted in this epoch and still misplaced", value: there, headers: from("3/0/7"), kind: record.KindRejected,
			from: record.Source{Epoch: 3, Offset: 7}, err: "rerouted here from epoch 3 partition 0, but belongs to partition 2"},
		{name: "rerouted in an earlier epoch, misplaced now", value: there, headers: from("2/0/7"), kind: record.KindMisplaced,
			from: record.Source{Epoch: 2, Offset: 7}, nonce: "words/2/0/7"},
		{name: "from nowhere", value: here, headers: from("3/2"), kind: record.KindRejected,
			err: `speedlayer-moved-from is "3/2": allowed is epoch/partition/offset`},
		{name: "rerouted, and bad", headers: from("3/2/7"), kind: record.KindRejected,
			from: record.Source{Epoch: 3, Partition: 2, Offset: 7}, err: "no owner"},
		{name: "a marker", value: `{"generation":4}`, headers: marker, kind: record.KindMarker},
		{name: "a bad marker", value: `{"generation":-4}`, headers: marker, kind: record.KindRejected,
			err: "marker: json: cannot unmarshal number -4 into Go struct field Marker.generation of type uint32"},
		{name: "a marker with settings", value: `{"generation":4,"settings":{"dedupe_entries":1,"longest":9}}`, headers: marker, kind: record.KindMarker},
		{name: "with settings that the operator refuses", value: `{"generation":4,"settings":{"dedupe_entries":1,"longest":8}}`, headers: marker,
			kind: record.KindRejected, err: "marker: longest: allowed is 9"},
		{name: "a marker's header on a record with a key", key: "k", value: here + "/n", headers: marker, kind: record.KindEvent, nonce: "n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			r := &kgo.Record{Offset: 9, Key: []byte(x.key), Value: []byte(x.value), Headers: x.headers, Timestamp: time.UnixMilli(1)}
			is := c.Classify(r, 1)
			rerouted := x.from != record.Source{}
			if !rerouted {
				x.from = record.Source{Epoch: 3, Partition: 1, Offset: 9}
			}
			switch {
			case is.Kind != x.kind || is.Rerouted != rerouted || is.From != x.from:
				t.Errorf("kind %d, rerouted %v from %v: want %d, %v, %v", is.Kind, is.Rerouted, is.From, x.kind, rerouted, x.from)
			case x.err != "" && (is.Err == nil || is.Err.Error() != x.err), x.err == "" && is.Err != nil:
				t.Errorf("error %v, want %q", is.Err, x.err)
			case x.kind == record.KindMarker && is.Marker.Generation != 4:
				t.Errorf("marker %+v", is.Marker)
			case (x.kind == record.KindEvent || x.kind == record.KindMisplaced) && string(is.Nonce) != x.nonce:
				t.Errorf("nonce %q, want %q", is.Nonce, x.nonce)
			}
		})
	}
}
