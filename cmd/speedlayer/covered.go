package main

import (
	"context"
	"fmt"
	"time"

	"speedlayer/query"
)

// How long waitCovered waits for the next commit, and how often it looks.
const (
	coveredPatience = 2 * time.Minute
	coveredEvery    = 200 * time.Millisecond
)

// shard is a partition of a log epoch.
type shard struct {
	epoch     uint32
	partition int32
}

// shardOffsets are how far each shard of the log is counted, and where it ends.
func shardOffsets(s *query.StatusAnswer) (now, ends map[shard]int64) {
	now, ends = map[shard]int64{}, map[shard]int64{}
	for _, p := range s.Partitions {
		id := shard{p.Epoch, p.Partition}
		now[id] = p.Offset
		if p.Lag != nil {
			ends[id] = p.Offset + *p.Lag
		}
	}
	return now, ends
}

// missing is how many records lie below the offsets of goal and not below those of
// now.
func missing(goal, now map[shard]int64) (sum int64) {
	for id, offset := range goal {
		sum += max(0, offset-now[id])
	}
	return sum
}

// waitCovered returns when a server's answers cover what its log has now. It gives
// up when nothing was committed for coveredPatience.
func waitCovered(ctx context.Context, a query.Answers) error {
	var goal, had map[shard]int64
	for since := time.Now(); ; {
		s, err := a.Status(ctx)
		if err != nil {
			return err
		}
		now, ends := shardOffsets(s)
		if goal == nil {
			goal = ends
		}
		left := missing(goal, now)
		if left == 0 {
			return nil
		}
		if had == nil || missing(now, had) > 0 {
			had, since = now, time.Now()
		}
		if time.Since(since) > coveredPatience {
			return fmt.Errorf("everything is in the queue, but nothing became queryable for %v: %s records are missing in answers; see speedlayer status",
				coveredPatience, groups(left))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(coveredEvery):
		}
	}
}
