package torture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// position is what status reports of one partition.
type position struct {
	Epoch     uint32
	Partition int32
	Offset    int64
	Lag       *int64
}

// status asks where the system stands.
func status(ctx context.Context, c *http.Client, url string) ([]position, error) {
	var s struct{ Partitions []position }
	return s.Partitions, get(ctx, c, url+"/api/v1/status", &s)
}

func get(ctx context.Context, c *http.Client, url string, to any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(to)
}

// poll is the pause between two questions to a system that recovers.
const poll = 5 * time.Millisecond

// Answers waits for the first right answer of a server to a question of a user,
// which is asked again after each pause.
func Answers(ctx context.Context, c *http.Client, url string, pause time.Duration) error {
	for {
		var a struct{ Pageviews int64 }
		err := get(ctx, c, url+"/api/v1/pageviews?url="+domains[0]+"&from=now-24h&to=now", &a)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("no answer: %w", err)
		}
	}
}

// endsAge is longer than what status reports of the log's end may be old: a second
// in queue.Ends, and a tenth of one in query.Config's LogEnds.
const endsAge = 1500 * time.Millisecond

// CaughtUp waits until everything that the log held when it was called is
// queryable at a server's URL, which is asked again after each pause. An end of
// the log that the server knew from before says nothing: records that came since
// would be taken for lost. So it asks until the answer must be younger.
func CaughtUp(ctx context.Context, c *http.Client, url string, pause time.Duration) error {
	type shard struct {
		epoch     uint32
		partition int32
	}
	var ends map[shard]int64 // nil until an answer that is young enough
	young := time.Now().Add(endsAge)
	for {
		asked := time.Now()
		at, err := status(ctx, c, url)
		if err == nil && ends == nil && asked.After(young) {
			ends = map[shard]int64{}
			for _, p := range at {
				if p.Lag != nil {
					ends[shard{p.Epoch, p.Partition}] = p.Offset + *p.Lag
				}
			}
		}
		behind := err != nil || len(ends) == 0
		for _, p := range at {
			behind = behind || p.Offset < ends[shard{p.Epoch, p.Partition}]
		}
		if !behind {
			return nil
		}
		if err == nil && len(ends) == 0 {
			ends = nil // it did not know
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("not caught up: %w", errors.Join(ctx.Err(), err))
		}
	}
}
