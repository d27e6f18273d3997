package store

import (
	"cmp"
	"fmt"
	"strings"
)

// Shard is one replica of every cell: a partition in one life of the topic.
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

// ViewID names a view in keys. The store gives it no meaning.
type ViewID uint8

// Key is a cell's key without its shard. URL is a page or a domain; it holds no
// byte 0x00. Hour counts whole hours since 1970-01-01T00:00Z.
type Key struct {
	Generation uint32
	View       ViewID
	URL        string
	Hour       int32
}

// Compare orders keys by generation, view, url bytes, hour: a range of hours of
// one url, and all urls that begin alike, lie together.
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
// Growth is 0 when Value is the whole cell. From 1 on, Value is what a set of
// visitors gained since the writer's last put of it (crdt.BeginGrowth), and
// Growth counts those puts since the writer put it whole. The store unites them
// with the whole, and reads give that. Only a store that is Growing gets any.
type Cell struct {
	Key     Key
	Version int64
	Value   []byte
	Growth  int32
}

// Commit says that every event of a shard below Offset is in its cells. Record
// is an encoded CommitRecord, a function of the log below Offset alone.
type Commit struct {
	Offset int64
	Record []byte
}

// Batch is what a processor writes at once: the changed cells of a range of
// offsets of one shard, and the commit that follows them.
type Batch struct {
	Shard  Shard
	Cells  []Cell // sorted by Key, each once
	Commit Commit
}

// SnapshotName says which chunks are the shard's operator state.
type SnapshotName struct {
	Offset int64 // the state is the one before the event at Offset
	Chunks int
}

// ShardCommit is a commit row with its shard.
type ShardCommit struct {
	Shard  Shard
	Commit Commit
}

// Range selects cells of one generation and view, with From <= hour < To.
// With Prefix, every url that begins with URL is meant (all, if it is empty); of
// these, with FromURL, those at or behind it, and with ToURL those before it, in
// the order of their bytes.
type Range struct {
	Generation     uint32
	View           ViewID
	URL            string
	Prefix         bool
	FromURL, ToURL string
	From, To       int32
}

// HasURL says whether a url is one of the range's.
func (r *Range) HasURL(url []byte) bool {
	if !r.Prefix {
		return string(url) == r.URL
	}
	n := len(r.URL)
	return len(url) >= n && string(url[:n]) == r.URL && string(url) >= r.FromURL && (r.ToURL == "" || string(url) < r.ToURL)
}

// URLBounds are the bounds of a range with Prefix: all urls from first on, before
// end unless that is empty, and no others.
func (r *Range) URLBounds() (first, end string) {
	first, end = max(r.URL, r.FromURL), behind(r.URL)
	if r.ToURL != "" && (end == "" || r.ToURL < end) {
		end = r.ToURL
	}
	return first, end
}

// behind is the first text behind all that begin with a prefix; "" if there is
// none.
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

// ScanCell is a cell as a scan finds it.
type ScanCell struct {
	URL     []byte
	Hour    int32
	Shard   Shard
	Version int64
	Value   []byte
}

// Epoch is one life of the topic (law 1): its id, its number of partitions, and
// where in each partition the life begins. One of no partitions closes the one
// before, and nobody works in it; its Starts say from where on the log was cut
// off, by partition of the one before, and -1 where it was not.
type Epoch struct {
	Number     uint32   `json:"number"`
	TopicID    string   `json:"topic_id"` // hex; Kafka's topic id
	Partitions int32    `json:"partitions"`
	Starts     []int64  `json:"starts"`     // first offset, by partition
	Generation uint32   `json:"generation"` // the generation it begins in, for every partition
	Settings   string   `json:"settings"`   // JSON of the settings that change results
	Reason     string   `json:"reason"`     // why it began, for people
	_          struct{} // keyed literals only
}

// Closing says whether the epoch only ends the one before.
func (e *Epoch) Closing() bool { return e.Partitions == 0 }

// Follows is an ErrConflict unless e is the one behind the epochs that there are.
func (e *Epoch) Follows(there int) error {
	if int(e.Number) != there {
		return fmt.Errorf("%w: epoch %d, there are %d", ErrConflict, e.Number, there)
	}
	return nil
}

// Pointer says what queries read: the batch runs and the list of generations.
// Every change moves Counter by one. Queries read the generations of the list
// from the current run's number on; those below are kept for a rollback.
type Pointer struct {
	Counter     uint64   `json:"counter"`
	Current     *Run     `json:"current,omitempty"`  // newest complete run
	Previous    *Run     `json:"previous,omitempty"` // the one before, kept for rollback
	Running     *Running `json:"running,omitempty"`  // under way, or failed and to be done again
	Next        uint32   `json:"next"`               // next number to be taken
	Generations []uint32 `json:"generations"`        // that have a table, ascending
	Settings    string   `json:"settings"`           // JSON, of the last in the list
	Marked      bool     `json:"marked"`             // its markers stand in every partition
}

// Open are the generations that queries read, ascending.
func (p *Pointer) Open() []uint32 {
	list := p.Generations
	for p.Current != nil && len(list) > 0 && list[0] < p.Current.Number {
		list = list[1:]
	}
	return list
}

// Run is a batch run: its number, which is also its generation's, and the
// offsets up to which it absorbed the log.
type Run struct {
	Number  uint32        `json:"number"`
	Vector  []VectorEntry `json:"vector"`
	Started int64         `json:"started,omitempty"` // ms since 1970: what the log had then is absorbed
	Views   string        `json:"views,omitempty"`   // which of the results that were made for the number it is
}

// Running is a batch run that is not complete. Who works on it says so now and
// then; one that is silent for longer than its lease may be taken over.
type Running struct {
	Run
	Owner   string `json:"owner,omitempty"`   // for people: host and process; "" when nobody works on it
	Renewed int64  `json:"renewed,omitempty"` // ms since 1970, the owner's clock
	Failed  string `json:"failed,omitempty"`  // what ended the last attempt
}

// VectorEntry is one shard's offset in a run's vector.
type VectorEntry struct {
	Epoch     uint32 `json:"epoch"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}
