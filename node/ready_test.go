package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"speedlayer/microbatch"
)

// A partition that lags and does not move is named after a while, sooner if its
// processor reports a fault; one that moves, or does not lag, never is.
func TestStalls(t *testing.T) {
	var s stalls
	at := time.Unix(1000, 0)
	fault := errors.New("region is not online")
	look := func(seconds int, first, second microbatch.PartitionState, committed, ends []int64) string {
		t.Helper()
		now := at.Add(time.Duration(seconds) * time.Second)
		s.look(now, []microbatch.PartitionState{first, second}, committed, ends)
		return strings.Join(s.stuck(now), "; ")
	}
	state := func(part int32, position int64, err error) microbatch.PartitionState {
		return microbatch.PartitionState{Partition: part, Position: position, Fault: err}
	}
	if got := look(0, state(0, 5, nil), state(1, 7, fault), []int64{5, 7}, []int64{9, 9}); got != "" {
		t.Errorf("at once: %q", got)
	}
	if got := look(2, state(0, 5, nil), state(1, 7, fault), []int64{5, 7}, []int64{9, 9}); got != "" {
		t.Errorf("after 2 s: %q", got)
	}
	if got := look(4, state(0, 5, nil), state(1, 7, fault), []int64{5, 7}, []int64{9, 10}); got != "partition 1 stands still at offset 7, 3 records before the end of the log, for 4s: region is not online" {
		t.Errorf("after 4 s with a fault: %q", got)
	}
	if got := look(12, state(0, 5, nil), state(1, 8, fault), []int64{5, 7}, []int64{9, 10}); !strings.HasPrefix(got, "partition 0 stands still at offset 5, 4 records") {
		t.Errorf("partition 1 has moved, 0 not for 12 s: %q", got)
	}
	if got := look(14, state(0, -1, nil), state(1, 10, fault), []int64{5, 10}, []int64{9, 10}); got != "" {
		t.Errorf("0 is being taken over, 1 does not lag: %q", got)
	}
	if got := look(25, state(0, -1, nil), state(1, 10, fault), []int64{5, 10}, []int64{9, 10}); !strings.HasPrefix(got, "partition 0 is being taken over at offset 5, for 11s") {
		t.Errorf("0 is still being taken over: %q", got)
	}
	s.look(at.Add(40*time.Second), nil, []int64{5, 10}, []int64{9, 10})
	if got := s.stuck(at.Add(60 * time.Second)); got != nil {
		t.Errorf("partitions of others: %q", got)
	}
}
