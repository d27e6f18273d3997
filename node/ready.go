package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"speedlayer/microbatch"
)

// A node is ready if what it is given becomes queryable: the queue and the store
// answer, and no partition of its own stands still. A partition stands still if
// the log has records for it and its position does not move.
const (
	stallsEvery = time.Second
	stuckAfter  = 10 * time.Second // without progress
	faultyAfter = 3 * time.Second  // the same, while the processor reports a fault
)

// stalls remembers since when each partition lags without progress. Safe for
// concurrent use.
type stalls struct {
	mu struct {
		sync.Mutex
		parts map[int32]*stall
	}
}

// stall is one partition that lags.
type stall struct {
	microbatch.PartitionState
	committed int64
	end       int64     // of the log
	since     time.Time // when it was first seen here
}

// look compares the partitions with what they were at the last look. ends are
// those of the log, committed what is queryable.
func (s *stalls) look(now time.Time, states []microbatch.PartitionState, committed, ends []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.mu.parts
	s.mu.parts = make(map[int32]*stall)
	for _, state := range states {
		part := int(state.Partition)
		if part >= len(committed) || part >= len(ends) || committed[part] >= ends[part] {
			continue
		}
		at := &stall{state, committed[part], ends[part], now}
		if was := before[state.Partition]; was != nil && was.committed == at.committed && was.Position == at.Position {
			at.since = was.since
		}
		s.mu.parts[state.Partition] = at
	}
}

// stuck describes the partitions that stand still, in order; nil if there are none.
func (s *stalls) stuck(now time.Time) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []int32
	for part, at := range s.mu.parts {
		if still := now.Sub(at.since); still >= stuckAfter || at.Fault != nil && still >= faultyAfter {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	for _, part := range parts {
		all = append(all, s.mu.parts[part].describe(now))
	}
	return all
}

func (s *stall) describe(now time.Time) string {
	text := fmt.Sprintf("partition %d stands still at offset %d, %d records before the end of the log, for %v",
		s.Partition, max(s.Position, s.committed), s.end-s.committed, now.Sub(s.since).Round(time.Second))
	if s.Position < 0 {
		text = fmt.Sprintf("partition %d is being taken over at offset %d, for %v", s.Partition, s.committed, now.Sub(s.since).Round(time.Second))
	}
	if s.Fault != nil {
		text += ": " + s.Fault.Error()
	}
	return text
}

// watchStalls looks at the partitions until ctx ends. While the broker does not
// report where the log ends, nothing is known, and ready reports that.
func (n *Node) watchStalls(ctx context.Context) {
	tick := time.NewTicker(stallsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		ends, err := n.ends.Now(ctx)
		if r := n.runner.Load(); err == nil && r != nil {
			n.stalls.look(time.Now(), r.States(), n.progress.Committed(), ends)
		}
	}
}

// ready returns why what the node is given would not become queryable now.
func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, scrapeTime)
	defer cancel()
	var why []string
	if _, err := n.queue.Info(ctx); err != nil {
		why = append(why, "the queue does not answer: "+err.Error())
	}
	if n.broker != nil {
		if err := n.broker.Health(); err != nil {
			why = append(why, "the queue takes nothing: "+err.Error())
		}
	}
	if _, err := n.store.Pointer(ctx); err != nil {
		why = append(why, "the store does not answer: "+err.Error())
	}
	why = append(why, n.stalls.stuck(time.Now())...)
	if len(why) == 0 {
		return nil
	}
	return errors.New(strings.Join(why, "; "))
}

// ready is the node's, and no while the server stops.
func (s *server) ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("stopping")
	}
	return s.node.ready(ctx)
}
