package store

import (
	"cmp"
	"fmt"
	"strings"
)

// Shard is one replica of every cell: one partition in one epoch of the topic.
type Shard struct {
	Epoch     uint32 // log epoch, index into Epochs
	Partition int32
}

func (s Shard) String() string { return fmt.Sprintf("epoch %d partition %d", s.Epoch, s.Partition) }

// Compare orders shards by epoch, then partition.
func (s Shard) Compare(o Shard) int {
	if c := cmp.Compare(s.Epoch, o.Epoch); c != 0 {
		return c
	}
	return cmp.Compare(s.Partition, o.Partition)
}

// ViewID names a view in keys. It has no meaning for the store.
type ViewID uint8

// DomainView is the view whose cells of domains, which are urls without a slash, a
// store may keep by hour for a DomainScanner. In other views it finds them less fast.
const DomainView ViewID = 1

// Key is the key of a cell without its shard. URL is a page or a domain and
// contains no byte 0x00. Hour counts whole hours since 1970-01-01T00:00Z.
type Key struct {
	Generation uint32
	View       ViewID
	URL        string
	Hour       int32
}

// Compare orders keys by generation, view, url bytes, hour. So a range of hours
// of one url is contiguous, and so are all urls with a common prefix.
func (k Key) Compare(o Key) int {
	if c := cmp.Compare(k.Generation, o.Generation); c != 0 {
		return c
	}
	if c := cmp.Compare(k.View, o.View); c != 0 {
		return c
	}
	if c := strings.Compare(k.URL, o.URL); c != 0 {
		return c
	}
	return cmp.Compare(k.Hour, o.Hour)
}

// Cell is one put: the bytes of a cell at a version. The version is the offset
// of the last event that changed the cell, plus one.
//
// Delta is 0 when Value is the whole cell. From 1 on, Value is what a set of
// visitors gained since the writer's previous put of it (crdt.BeginDelta), and
// Delta counts those puts since the writer last put the whole cell. The store
// merges them with the whole, and reads return the result. Only a store that is
// Growing gets any.
//
// Adds means that Value is what to add to a count (crdt.AppendCountDelta). It must
// be added exactly once, so only a store that TakesAdditions gets any. Delta is 1
// then.
type Cell struct {
	Key     Key
	Version int64
	Value   []byte
	Delta   int32
	Adds    bool
}

// Commit promises that every event of a shard below Offset is in its cells. Record
// is an encoded CommitRecord, a function of the log below Offset alone.
type Commit struct {
	Offset int64
	Record []byte
}

// Batch is what a processor writes at once: the cells changed by a range of
// offsets of one shard, and the commit that follows them.
type Batch struct {
	Shard  Shard
	Cells  []Cell // sorted by Key, each key once
	After  int64  // the offset of the commit that the batch follows, for cells that add
	Commit Commit
}

// SnapshotName tells which chunks are the operator state of the shard.
type SnapshotName struct {
	Offset int64 // the state is the one before the event at Offset is applied
	Chunks int
}

// ShardCommit is a commit row with its shard.
type ShardCommit struct {
	Shard  Shard
	Commit Commit
}

// Range selects cells of one generation and view, with From <= hour < To.
// With Prefix, it selects every url that begins with URL (all urls if URL is
// empty). FromURL and ToURL narrow them to FromURL <= url < ToURL, compared by
// bytes; an empty bound is open.
type Range struct {
	Generation     uint32
	View           ViewID
	URL            string
	Prefix         bool
	FromURL, ToURL string
	From, To       int32
}

// HasURL reports whether a url is in the range.
func (r *Range) HasURL(url []byte) bool {
	if !r.Prefix {
		return string(url) == r.URL
	}
	n := len(r.URL)
	return len(url) >= n && string(url[:n]) == r.URL && string(url) >= r.FromURL && (r.ToURL == "" || string(url) < r.ToURL)
}

// URLBounds returns the bounds of a range with Prefix: it contains exactly the urls
// from first on and before end. An empty end means that there is no upper bound.
func (r *Range) URLBounds() (first, end string) {
	first, end = max(r.URL, r.FromURL), behind(r.URL)
	if r.ToURL != "" && (end == "" || r.ToURL < end) {
		end = r.ToURL
	}
	return first, end
}

// after returns the first text after all texts that begin with a prefix, or "" if
// there is none.
func behind(prefix string) string {
	b := []byte(prefix)
	for len(b) > 0 {
		if b[len(b)-1] < 0xff {
			b[len(b)-1]++
			return string(b)
		}
		b = b[:len(b)-1]
	}
	return ""
}

// ScanCell is a cell as returned by a scan.
type ScanCell struct {
	URL     []byte
	Hour    int32
	Shard   Shard
	Version int64
	Value   []byte
}

// Epoch is one incarnation of the topic (law 1): its id, its number of partitions,
// and the offset at which it begins in each partition. An epoch without partitions
// closes the previous one, and no processor works in it. Its Starts tell where the
// log was truncated, by partition of the previous epoch; -1 means it was not.
type Epoch struct {
	Number     uint32   `json:"number"`
	TopicID    string   `json:"topic_id"` // hex; Kafka's topic id
	Partitions int32    `json:"partitions"`
	Starts     []int64  `json:"starts"`     // first offset, by partition
	Generation uint32   `json:"generation"` // the generation in which it begins, in every partition
	Settings   string   `json:"settings"`   // JSON of the settings that change results
	Reason     string   `json:"reason"`     // why it began, for people to read
	_          struct{} // keyed literals only
}

// Closing reports whether the epoch only ends the previous one.
func (e *Epoch) Closing() bool { return e.Partitions == 0 }

// Follows returns ErrConflict unless e is the next epoch after the existing ones.
func (e *Epoch) Follows(there int) error {
	if int(e.Number) != there {
		return fmt.Errorf("%w: epoch %d, there are %d", ErrConflict, e.Number, there)
	}
	return nil
}

// Pointer tells what queries read: the batch runs and the list of generations.
// Every change increments Counter by one. Queries read the generations of the list
// from the number of the current run on; lower ones are kept for a rollback.
type Pointer struct {
	Counter     uint64   `json:"counter"`
	Current     *Run     `json:"current,omitempty"`  // newest complete run
	Previous    *Run     `json:"previous,omitempty"` // the run before Current, kept for rollback
	Running     *Running `json:"running,omitempty"`  // in progress, or failed and to be repeated
	Next        uint32   `json:"next"`               // the next number to use
	Generations []uint32 `json:"generations"`        // generations that have a table, ascending
	Settings    string   `json:"settings"`           // JSON, settings of the last generation in the list
	Marked      bool     `json:"marked"`             // the markers of the last generation are in every partition
}

// Open returns the generations that queries read, ascending.
func (p *Pointer) Open() []uint32 {
	list := p.Generations
	for p.Current != nil && len(list) > 0 && list[0] < p.Current.Number {
		list = list[1:]
	}
	return list
}

// Run is a batch run. Its number is also the number of its generation. Its vector
// holds the offsets up to which it absorbed the log.
type Run struct {
	Number  uint32        `json:"number"`
	Vector  []VectorEntry `json:"vector"`
	Started int64         `json:"started,omitempty"` // ms since 1970: the run absorbed what the log had then
	Views   string        `json:"views,omitempty"`   // which of the results made for this number is used
}

// Running is a batch run that is not complete. Its owner renews it now and then.
// If the owner is silent for longer than its lease, another may take over.
type Running struct {
	Run
	Owner   string `json:"owner,omitempty"`   // for people: host and process; "" when no process works on it
	Renewed int64  `json:"renewed,omitempty"` // ms since 1970, by the owner's clock
	Failed  string `json:"failed,omitempty"`  // what ended the last attempt
}

// VectorEntry is the offset of one shard in the vector of a run.
type VectorEntry struct {
	Epoch     uint32 `json:"epoch"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}
