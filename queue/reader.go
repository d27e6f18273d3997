package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrLogStart: the log begins above the offset asked for.
type ErrLogStart struct{ Offset, Start int64 }

func (e *ErrLogStart) Error() string {
	return fmt.Sprintf("queue: the log begins at %d, above %d", e.Start, e.Offset)
}

// ErrLogEnd: the log ends below the offset asked for.
type ErrLogEnd struct{ Offset, End int64 }

func (e *ErrLogEnd) Error() string {
	return fmt.Sprintf("queue: the log ends at %d, below %d", e.End, e.Offset)
}

// ErrLogCut: the log lost its end, from Cut on, under a reader that had read up to
// Offset; what lies there now are other records.
type ErrLogCut struct {
	Partition   int32
	Offset, Cut int64
}

func (e *ErrLogCut) Error() string {
	return fmt.Sprintf("queue: the log of partition %d was cut off at %d, below %d: acknowledged records were lost", e.Partition, e.Cut, e.Offset)
}

// ErrUnreadable: the log has something at an offset, and it cannot be read: a file
// of the broker's is damaged.
type ErrUnreadable struct {
	Partition int32
	Offset    int64 // from which on; the record may lie a little above
	Err       error
}

func (e *ErrUnreadable) Error() string {
	return fmt.Sprintf("queue: the log of partition %d cannot be read from offset %d on: %v", e.Partition, e.Offset, e.Err)
}

func (e *ErrUnreadable) Unwrap() error { return e.Err }

// unreadable reports whether an error of a fetch may come from damage: the client
// found that a batch is not what its checksum says, or the broker could not read
// its file.
func unreadable(err error) bool {
	var code *kerr.Error
	if errors.As(err, &code) {
		return errors.Is(err, kerr.CorruptMessage) || errors.Is(err, kerr.UnknownServerError) || errors.Is(err, kerr.KafkaStorageError)
	}
	for _, text := range []string{"encoded crc", "encoded length", "is too short to allow", "unable to read", "invalid record batch", "unknown magic"} {
		if strings.Contains(err.Error(), text) { // kgo has no types for them
			return true
		}
	}
	return false
}

// fetchBytes bounds what a reader holds: one fetch being worked on and one
// after it.
const fetchBytes = 1 << 20

// Reader reads one partition of the client's topic, in order, from an offset
// on, and only what is committed: records of an aborted transaction are left
// out, and one that is open holds back what follows it until it ends. One
// goroutine owns it.
type Reader struct {
	kafka     *kgo.Client
	topic     string
	partition int32
	next      int64         // the position
	stable    int64         // where the committed part of the log ends, as far as known; -1: not known
	quiet     time.Duration // silence after which it looks past a gap
}

// NewReader returns a reader; its owner closes it.
func (c *Client) NewReader(partition int32, from int64) (*Reader, error) {
	return c.newReader(c.cfg.Topic, partition, from)
}

func (c *Client) newReader(topic string, partition int32, from int64) (*Reader, error) {
	kafka, err := kgo.NewClient(c.cfg.connect(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that the position moves past them
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(5*time.Second),
		kgo.MaxConcurrentFetches(1),
		kgo.WithPools(recordPool),
		kgo.MetadataMinAge(100*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	return &Reader{kafka: kafka, topic: topic, partition: partition, next: from, stable: -1, quiet: leastQuiet}, nil
}

// Poll waits until the position moves, and appends the records that it moves
// over; those are the caller's until Recycle. There may be none: the end of a
// transaction, an aborted record and one that was compacted away have offsets,
// but are not records that a reader is given. *ErrLogStart and *ErrLogEnd mean
// that the offset lies outside of the log, *ErrLogCut that the log is no longer
// the one that was read.
func (r *Reader) Poll(ctx context.Context, dst []*kgo.Record) ([]*kgo.Record, error) {
	for {
		fetches := r.poll(ctx)
		from := r.next
		before := len(dst)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { dst = r.take(dst, &p.FetchPartition) })
		for _, e := range fetches.Errors() { // the client goes on after the loss: we must not
			if lost := new(kgo.ErrDataLoss); errors.As(e.Err, &lost) {
				return dst[:before], &ErrLogCut{Partition: r.partition, Offset: from, Cut: lost.ResetTo}
			}
		}
		if r.next > from {
			r.quiet = leastQuiet
			return dst, nil // even if ctx has ended: the client does not give them again
		}
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, context.DeadlineExceeded) {
				continue // of poll
			}
			if err := r.outside(ctx, e.Err); err != nil {
				return dst, err
			}
		}
		if fetches.Empty() && r.lookPast(ctx) {
			return dst, nil
		}
	}
}

// poll is one poll of the client, which ends after a time of silence.
func (r *Reader) poll(ctx context.Context) kgo.Fetches {
	silence, cancel := context.WithTimeout(ctx, r.quiet)
	defer cancel()
	return r.kafka.PollFetches(silence)
}

// take appends what is a record, and moves the position over all that was
// fetched.
func (r *Reader) take(dst []*kgo.Record, p *kgo.FetchPartition) []*kgo.Record {
	if p.Err == nil {
		r.stable = max(r.stable, p.LastStableOffset)
	}
	for _, rec := range p.Records {
		r.next = rec.Offset + 1
		if rec.Attrs.IsControl() {
			rec.Recycle()
			continue
		}
		dst = append(dst, rec)
	}
	return dst
}

// outside looks at what a fetch failed for: what passes by itself is waited
// for by the client.
func (r *Reader) outside(ctx context.Context, err error) error {
	if !errors.Is(err, kerr.OffsetOutOfRange) {
		if unreadable(err) {
			return &ErrUnreadable{Partition: r.partition, Offset: r.next, Err: err}
		}
		if kerr.IsRetriable(err) {
			return nil
		}
		return fmt.Errorf("queue: partition %d at %d: %w", r.partition, r.next, err)
	}
	admin := kadm.NewClient(r.kafka)
	starts, err1 := admin.ListStartOffsets(ctx, r.topic)
	ends, err2 := admin.ListEndOffsets(ctx, r.topic)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	start, _ := starts.Lookup(r.topic, r.partition)
	end, _ := ends.Lookup(r.topic, r.partition)
	if r.next < start.Offset {
		return &ErrLogStart{Offset: r.next, Start: start.Offset}
	}
	return &ErrLogEnd{Offset: r.next, End: end.Offset}
}

// Position is the offset up to which the log was polled: all committed records
// below it were given to the caller.
func (r *Reader) Position() int64 { return r.next }

// Behind is how many offsets of the committed log, as far as it is known, were
// not polled yet: 0 for a reader that has caught up.
func (r *Reader) Behind() int64 { return max(0, r.stable-r.next, r.Buffered()) }

// Buffered is how many records are here already and will be polled next.
func (r *Reader) Buffered() int64 { return r.kafka.BufferedFetchRecords() }

// Recycle gives polled records back, to be filled again.
func (r *Reader) Recycle(recs []*kgo.Record) {
	for _, rec := range recs {
		rec.Recycle()
	}
	clear(recs)
}

// Close ends the reader; a Poll that waits returns.
func (r *Reader) Close() { r.kafka.Close() }

// recordPool keeps the structs of fetched records: 150 bytes each, a million a
// second.
var recordPool = &records{}

type records struct{ pool sync.Pool }

// GetRecords implements kgo.PoolRecords.
func (p *records) GetRecords(n int) []kgo.Record {
	if r, ok := p.pool.Get().(*[]kgo.Record); ok && cap(*r) >= n {
		return (*r)[:0]
	}
	return make([]kgo.Record, 0, n+n/4)
}

// PutRecords implements kgo.PoolRecords.
func (p *records) PutRecords(r []kgo.Record) { p.pool.Put(&r) }
