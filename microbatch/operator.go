package microbatch

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/record"
	"speedlayer/store"
)

// Operator is what a topology plugs into the engine: it knows what a record
// means and which cells it changes. One operator serves one processor, which is
// its only caller. view.Pageviews is that of web analytics. The engine gives no
// meaning to its events, settings, counts and state.
//
// For each record: Decode, then Take if it is an event of this partition and not a
// duplicate. For each range of records: Missing, Fill for each cell that the store
// has, Filled, Run. For each commit: AppendCounts, Changed, and Acknowledged when
// the store has the cells.
type Operator interface {
	record.Rules
	// Hash returns the hashes by which dedupe remembers an event.
	Hash(owner, nonce []byte) (ownerHash, nonceHash uint64)
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
	// Begin starts a generation at an offset; its settings hold from there. They
	// were checked by CheckSettings, unless they are those of the epoch row.
	Begin(generation uint32, start int64, settings string) error
	// AppendCounts appends what the operator counts, for the commit record. It is
	// a function of the log alone.
	AppendCounts(dst []byte) []byte
	AppendState(dst []byte) []byte
	LoadState(b []byte) error
}

// Forwarder is implemented by an operator whose events are worked on in another
// topic as well. For each event that is live it may forward one record to each of
// that topic's partitions. A forwarded record travels as a rerouted one does: its
// source is the event, and its target ignores a source that it has had (law 5).
type Forwarder interface {
	// AppendForwarded appends what the events of the last Run forward, in their
	// order, with Topic, Target, Value and Source.Offset. The values are valid until
	// the next Take.
	AppendForwarded(dst []Outgoing) []Outgoing
}

// Filler is implemented by an operator whose memory for changed cells is bounded.
type Filler interface {
	// Full reports whether the range should be committed before more is taken. Where
	// batches are cut changes no result.
	Full() bool
}

// Outgoing is a record that leaves the partition: rerouted to the right one,
// forwarded to another topic, or sent to the dead-letter topic.
type Outgoing struct {
	Dead   bool
	Topic  string // of a forwarded record; "" is the log's own
	Target int32  // partition, of a rerouted or forwarded record
	Value  []byte // of a rerouted record: with its nonce; of a forwarded one: all of it
	Reason string // of a dead letter
	Source record.Source
	Record *kgo.Record // as it lay in the log; nil if it is forwarded
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
