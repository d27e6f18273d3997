package record_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
)

// An internal header counts with the system's signature, or below where the key
// begins, and nowhere else.
func TestTrust(t *testing.T) {
	const partitions = 4
	here := ownerIn(t, 1, partitions)
	trust := &record.Trust{Key: bytes.Repeat([]byte("k"), record.KeyBytes), Epoch: 3, Ends: []int64{0, 5, 0, 0}, Generations: 7}
	if back, err := record.ParseTrust(trust.Encode()); err != nil || !bytes.Equal(back.Key, trust.Key) || back.Epoch != 3 || back.Generations != 7 || back.Ends[1] != 5 {
		t.Fatalf("%+v comes back as %+v, %v", trust, back, err)
	}
	if _, err := record.ParseTrust([]byte(`{"key":""}`)); err == nil {
		t.Error("an empty key is taken")
	}
	marker := []kgo.RecordHeader{{Key: record.MarkerHeader}}
	source := []kgo.RecordHeader{{Key: record.ReroutedHeader, Value: []byte("3/2/7")}}
	begin := func(generation uint32) []byte { return record.Marker{Generation: generation}.Append(nil) }
	event := []byte(here + "/n")
	other := &record.Trust{Key: bytes.Repeat([]byte("o"), record.KeyBytes), Epoch: 3, Generations: 7}
	for _, x := range []struct {
		name     string
		epoch    uint32
		offset   int64
		key      string
		value    []byte
		headers  []kgo.RecordHeader
		kind     record.Kind
		rerouted bool
		unknown  bool
	}{
		{name: "a marker without a signature", offset: 9, value: begin(4), headers: marker, kind: record.KindEvent},
		{name: "a signed marker", offset: 9, value: begin(9), headers: trust.SignMarker(marker, 1, begin(9)), kind: record.KindMarker},
		{name: "signed for another partition", offset: 9, value: begin(9), headers: trust.SignMarker(marker, 2, begin(9)), kind: record.KindEvent},
		{name: "signed with another value", offset: 9, value: begin(9), headers: trust.SignMarker(marker, 1, begin(8)), kind: record.KindEvent},
		{name: "signed with another key", offset: 9, value: begin(9), headers: other.SignMarker(marker, 1, begin(9)), kind: record.KindEvent},
		{name: "an old marker", offset: 4, value: begin(6), headers: marker, kind: record.KindMarker},
		{name: "an old marker of an earlier epoch", epoch: 2, offset: 99, value: begin(6), headers: marker, kind: record.KindMarker},
		{name: "an old one of a generation that nobody began", offset: 4, value: begin(7), headers: marker, kind: record.KindRejected, unknown: true},
		{name: "of a later epoch, at an old offset", epoch: 4, offset: 4, value: begin(6), headers: marker, kind: record.KindEvent},
		{name: "rerouted without a signature", offset: 9, key: here, value: event, headers: source, kind: record.KindEvent},
		{name: "rerouted and signed", offset: 9, key: here, value: event, headers: trust.SignRerouted(source, 1, []byte("3/2/7"), []byte(here), event), kind: record.KindEvent, rerouted: true},
		{name: "signed for another source", offset: 9, key: here, value: event, headers: trust.SignRerouted(source, 1, []byte("3/2/8"), []byte(here), event), kind: record.KindEvent},
		{name: "signed for another person", offset: 9, key: here, value: event, headers: trust.SignRerouted(source, 1, []byte("3/2/7"), bytes.Repeat([]byte("e"), len(here)), event), kind: record.KindEvent},
		{name: "an old one", offset: 4, key: here, value: event, headers: source, kind: record.KindEvent, rerouted: true},
	} {
		t.Run(x.name, func(t *testing.T) {
			epoch := x.epoch
			if epoch == 0 {
				epoch = 3
			}
			c := record.Classifier{Here: record.Source{Epoch: epoch, Partition: 1}, Partitions: partitions, Topic: "words", Rules: words{}, Trust: trust}
			is := c.Classify(&kgo.Record{Offset: x.offset, Key: []byte(x.key), Value: x.value, Headers: x.headers, Timestamp: time.UnixMilli(1)}, 1)
			kind := is.Kind
			if kind == record.KindMisplaced { // its value is some owner's: an ordinary record
				kind = record.KindEvent
			}
			if kind != x.kind || is.Rerouted != x.rerouted || errors.Is(is.Err, record.ErrUnknownGeneration) != x.unknown {
				t.Errorf("kind %d, rerouted %v, %v: want %d, %v", is.Kind, is.Rerouted, is.Err, x.kind, x.rerouted)
			}
		})
	}
}
