package microbatch

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/store"
)

// Operator is what a topology plugs into the engine: it knows what a record
// means and which cells it changes. One operator serves one processor, which is
// its only caller. view.Pageviews is the one of web analytics.
//
// For each record: Decode, then Take if it is no duplicate. For each range of
// records: Missing, Fill for each that the store has, Filled, Run. For each
// commit: Changed, and Acknowledged when the store has them.
type Operator interface {
	// Decode makes value the current event. Without a time of its own it has that
	// of its record. owner decides its partition; nonce is nil when it has none.
	// An error says why the record is refused.
	Decode(value []byte, recordTime, logTime int64) (owner, nonce []byte, err error)
	// AppendWithNonce encodes the current event with a nonce of its own, and with
	// its time: the record that is sent on has another.
	AppendWithNonce(dst, nonce []byte) []byte
	// Take adds the current event to the range. One that is not live changes
	// operator state only.
	Take(offset int64, ownerHash uint64, live bool)
	Missing(dst []store.Key) []store.Key
	Fill(n int, version int64, value []byte) error
	Filled()
	// Run applies the events taken, given the log time at each. It may call
	// load when it needs cells that it could not know before.
	Run(logTimes []int64, load func() error) error
	Changed() []store.Cell // valid until Acknowledged
	Acknowledged()
	// Begin starts a generation at an offset; its settings hold from there.
	Begin(generation uint32, start int64, s Settings)
	// Memory is how many entries the operator remembers, and since when.
	Memory() (entries, reach int64)
	AppendState(dst []byte) []byte
	LoadState(b []byte) error
}

// Hash turns owners and nonces into the 64-bit hashes that dedupe remembers.
type Hash struct {
	Owner, Nonce func([]byte) uint64
}

// Outgoing is a record that leaves the partition: moved to the right one, or
// to the dead-letter topic.
type Outgoing struct {
	Dead   bool
	Target int32  // partition, of a moved record
	Value  []byte // of a moved record: with its nonce
	Reason string // of a dead letter
	Source queue.Source
	Record *kgo.Record // as it lay in the log
}

// Sink takes what leaves the partition. Send returns nil when all of it is
// acknowledged, in its order for each target; after an error all of it is sent
// again, which the target ignores (law 5).
type Sink interface {
	Send(ctx context.Context, out []Outgoing) error
}

// ErrGap: the log begins above the operator state that is needed to read it. A
// new log epoch must begin (see Epochs).
var ErrGap = errors.New("microbatch: the log begins above the snapshot")

var errState = errors.New("microbatch: operator state cannot be what was written")
