package topology

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"speedlayer/queue"
	"speedlayer/record"
)

// Feed appends an ordered source, such as a file, to the topology's topic. Each
// record has a position, and positions go upward. A record whose position the topic
// has had is ignored, however late it comes again: a feed is for its records what a
// partition is for rerouted ones (design, law 5). So a source that was cut off is fed
// again from [Feed.Next] on, or from its beginning, and each record counts once.
//
// The nonce of a record is the feed and its position. One goroutine owns a Feed, and
// one process at a time feeds a source.
type Feed struct {
	job   *Job
	name  string
	row   string
	known []byte // the row
	next  int64
	from  record.Source
	parts int64

	rerouter *queue.Rerouter
	waiting  []fed
	bytes    int
}

// fed is a record that is not known to be durable.
type fed struct {
	position int64
	value    []byte
}

// Bounds of what a feed sends before it waits until that is durable.
const (
	feedBytes   = 8 << 20
	feedRecords = 128 << 10
	// blockShift makes the records of 64 KiB of positions go to one partition.
	blockShift = 16
)

// MaxRecord bounds the bytes of a record of a feed.
const MaxRecord = 4<<20 - 1<<12

// feedRow is the row in which a feed's progress is noted, so that what was fed need
// not be fed again. It is no more than that: without it, what comes again is ignored.
type feedRow struct {
	Name string `json:"name"`
	Next int64  `json:"next"`
}

// Feed begins or continues the feed of a source. Its name is what tells one source
// from another: of a file, its path.
func (j *Job) Feed(ctx context.Context, name string) (*Feed, error) {
	h := xxh3.HashString(name)
	s := j.stages[0]
	f := &Feed{job: j, name: name, row: fmt.Sprintf("feed-%016x", h), parts: int64(j.parts[0]),
		// No log epoch has such a number, so it is not mistaken for a partition.
		from: record.Source{Epoch: uint32(h>>32) | 1<<31, Partition: int32(h & 0x7fffffff)}}
	var err error
	if f.known, err = s.store.Row(ctx, f.row); err != nil || f.known == nil {
		return f, err
	}
	var row feedRow
	if err := json.Unmarshal(f.known, &row); err != nil {
		return nil, fmt.Errorf("topology: row of feed %s: %w", name, err)
	}
	if row.Name != name {
		return nil, fmt.Errorf("topology: the feeds %s and %s have the same hash: give one another name", name, row.Name)
	}
	f.next = row.Next
	return f, nil
}

// Next is the lowest position that is not known to be durable.
func (f *Feed) Next() int64 { return f.next }

// Append appends a record, whose bytes may be used again when it returns. Positions
// must not be negative, and each is higher than the one before. It waits now and then
// until what came before is durable.
func (f *Feed) Append(ctx context.Context, position int64, value []byte) error {
	return f.append(ctx, position, position+1, value)
}

// append is Append of a record that the next one follows at the position next.
func (f *Feed) append(ctx context.Context, position, next int64, value []byte) error {
	switch {
	case len(value) > MaxRecord:
		return fmt.Errorf("topology: a record of %d bytes at position %d of %s: allowed is %d", len(value), position, f.name, MaxRecord)
	case position < f.next:
		return fmt.Errorf("topology: position %d of %s comes after %d: positions go upward", position, f.name, f.next)
	}
	f.waiting = append(f.waiting, fed{position, bytes.Clone(value)})
	f.next = next
	f.bytes += len(value) + 64
	if f.bytes < feedBytes && len(f.waiting) < feedRecords {
		return nil
	}
	return f.Flush(ctx)
}

// Flush returns when all that was appended is durable. While the queue does not
// answer, it tries again until ctx ends.
func (f *Feed) Flush(ctx context.Context) error {
	if len(f.waiting) == 0 {
		return nil
	}
	for attempt := 0; ; attempt++ {
		err := f.send(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return err
		}
		f.job.cfg.Logger.Warn("records are not durable yet: they are sent again", "feed", f.name, "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-f.job.Done():
			return f.job.Err()
		case <-time.After(min(time.Second, 10*time.Millisecond<<min(attempt, 7))):
		}
	}
	clear(f.waiting)
	f.waiting, f.bytes = f.waiting[:0], 0
	return f.note(ctx)
}

// send sends what waits through one idempotent producer, which fails everything
// after a failed record: a gap would be ignored for ever.
func (f *Feed) send(ctx context.Context) (err error) {
	if f.rerouter == nil {
		if f.rerouter, err = f.job.stages[0].queue.NewRerouter(); err != nil {
			return err
		}
	}
	for i := range f.waiting {
		from := f.from
		from.Offset = f.waiting[i].position
		// A function of the position alone, so that it is met again where it was.
		part := f.waiting[i].position >> blockShift % f.parts
		f.rerouter.Reroute(int32(part), nil, f.waiting[i].value, from)
	}
	if err = f.rerouter.Flush(ctx); err != nil {
		f.rerouter.Close()
		f.rerouter = nil
	}
	return err
}

// note notes the progress.
func (f *Feed) note(ctx context.Context) error {
	b, err := json.Marshal(feedRow{f.name, f.next})
	if err != nil {
		return err
	}
	won, err := f.job.stages[0].store.SwapRow(ctx, f.row, f.known, b)
	if err == nil && !won {
		err = fmt.Errorf("topology: another process feeds %s", f.name)
	}
	f.known = b
	return err
}

// Close ends the feed. What was not flushed may be lost.
func (f *Feed) Close() {
	if f.rerouter != nil {
		f.rerouter.Close()
		f.rerouter = nil
	}
}
