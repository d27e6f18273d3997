package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
)

// A batch run over the whole log gives what maps give, whatever lies in it besides
// events.
func TestBatch(t *testing.T) {
	topology, r := everything()
	var lines []string
	var logs []Log
	for part := range int32(3) {
		var recs []*kgo.Record
		add := func(value string, headers ...kgo.RecordHeader) {
			recs = append(recs, &kgo.Record{Offset: int64(2 * len(recs)), Timestamp: time.UnixMilli(1000), Value: []byte(value), Headers: headers})
		}
		from := kgo.RecordHeader{Key: record.ReroutedHeader, Value: []byte(fmt.Sprintf("9/%d/4", part))}
		add("aa rerouted", from)
		add("aa rerouted", from) // again
		add(string(record.Marker{Generation: 7}.Append(nil)), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
		lines = append(lines, "aa rerouted")
		for i := range 1500 {
			line := strings.Repeat(fmt.Sprintf("w%d a%d ", i%7, i%3), int(part)+1)
			add(line)
			lines = append(lines, line)
		}
		logs = append(logs, Log{Partition: part, Partitions: 3, Records: func(yield func(*kgo.Record, error) bool) {
			for _, r := range recs {
				if !yield(r, nil) {
					return
				}
			}
		}})
	}
	data := t.TempDir()
	s, err := Batch(t.Context(), topology, data, logs)
	if err != nil {
		t.Fatal(err)
	}
	check(t, s, r, lines)
	stats, err := s.Stats(t.Context())
	if want := (Stats{Records: 4506, Events: 4503}); err != nil || stats != want {
		t.Errorf("%+v (%v), want %+v", stats, err, want)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Batch(t.Context(), topology, data, logs); err == nil || !strings.Contains(err.Error(), "needs an empty directory") {
		t.Error(err)
	}
	gone := errors.New("a file is gone")
	logs[2].Records = func(yield func(*kgo.Record, error) bool) { yield(nil, gone) }
	if _, err := Batch(t.Context(), topology, t.TempDir(), logs); !errors.Is(err, gone) || !strings.Contains(err.Error(), "partition 2") {
		t.Error(err)
	}
}
