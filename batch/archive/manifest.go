package archive

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"speedlayer/internal/sealed"
	"speedlayer/store"
)

// ErrCorrupt: stored bytes cannot be what was written.
var ErrCorrupt = errors.New("archive: corrupt")

// manifestFormat is the version of the layout below, and of the files that a
// manifest names: since 2, ts is null in rows that are not events. Files of
// format 1 may be among them (File.outdated).
const manifestFormat = 2

// Manifest tells which files form the archive. It is one JSON object,
// manifest/NUMBER.json, which is created only if that number does not exist yet.
// The manifest with the highest number counts. So a switch is atomic, and exactly one
// of two archivers wins it. A manifest is never changed, not even in memory by readers.
type Manifest struct {
	Format int    `json:"format"`
	Number uint64 `json:"number"`
	// Term is the number of the manifest with which the writer of this one took
	// over. The name of a data file contains the term of its writer.
	Term uint64 `json:"term"`

	Shards  []Log     `json:"shards"`            // of topic pageviews, by (epoch, partition)
	Equivs  []Log     `json:"equivs"`            // incarnations of topic equivs; epoch is the number of the incarnation
	Retired []Retired `json:"retired,omitempty"` // files that compaction replaced
}

// Log is what the archive has of one shard: [Start, End), except what is lost.
type Log struct {
	Epoch      uint32 `json:"epoch"`
	Partition  int32  `json:"partition"`
	TopicID    string `json:"topic_id"`
	Partitions int32  `json:"partitions"` // of the topic in that epoch
	Start      int64  `json:"start"`      // where the epoch begins
	End        int64  `json:"end"`        // where the archiver continues
	LogTime    int64  `json:"log_time"`   // ms, of the last record below End; 0 for none
	Files      []File `json:"files"`      // by offset, without gaps except what is lost
	Lost       []Lost `json:"lost,omitempty"`
	// Empty are ranges of offsets that hold no records: ends of transactions, and
	// aborted records. Files with records next to such offsets cover them.
	Empty []Range `json:"empty,omitempty"`
}

// Range is the offsets [From, To).
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// File is one data file: the records of [From, To), all of one day.
type File struct {
	Name  string `json:"name"` // key in the bucket
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Day   string `json:"day"` // of log time, UTC: 2006-01-02
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

// Lost is a range of offsets that the log did not have any more when the
// archiver reached it: a hole that nobody can fill.
type Lost struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Reason string `json:"reason"`
	// Accepted is set when a person has decided to go on without them (accept.go).
	Accepted *Accepted `json:"accepted,omitempty"`
}

// Retired is a file that no later manifest names; see clean.go.
type Retired struct {
	Name   string `json:"name"`
	Number uint64 `json:"number"` // number of the first manifest without it
}

// Shard returns the shard of the log.
func (l *Log) Shard() store.Shard { return store.Shard{Epoch: l.Epoch, Partition: l.Partition} }

// HoleError reports that the archive does not have [From, To) of a shard.
type HoleError struct {
	Shard    store.Shard
	From, To int64
	Lost     string // why the archive can never have it; empty if it may still come
}

func (e *HoleError) Error() string {
	text := fmt.Sprintf("archive: %v has a hole: offsets [%d, %d) are not in it", e.Shard, e.From, e.To)
	if e.Lost != "" {
		text += ", and are lost: " + e.Lost
	}
	return text
}

// log returns the log of a shard, or nil if there is none.
func (m *Manifest) log(s store.Shard) *Log {
	for i := range m.Shards {
		if m.Shards[i].Shard() == s {
			return &m.Shards[i]
		}
	}
	return nil
}

// Covers checks that every record of the log below the vector is in the archive.
// If not, the error is a *HoleError with the first hole. Covers ignores shards that
// are not in the vector.
func (m *Manifest) Covers(vector []store.VectorEntry) error {
	for _, v := range vector {
		s := store.Shard{Epoch: v.Epoch, Partition: v.Partition}
		l := m.log(s)
		if l == nil {
			if v.Offset > 0 {
				return &HoleError{Shard: s, From: 0, To: v.Offset}
			}
			continue
		}
		if err := l.covers(l.Start, v.Offset); err != nil {
			return err
		}
	}
	return nil
}

// covers returns the first offset of [from, to) that no file contains, that is not
// empty, and that nobody has accepted as lost.
func (l *Log) covers(from, to int64) error {
	at := from
	for _, f := range l.Files {
		if at >= to {
			return nil
		}
		if f.To <= at {
			continue
		}
		if f.From > at {
			at = l.without(at)
		}
		if f.From > at && at < to {
			return l.hole(at, min(f.From, to))
		}
		at = max(at, f.To)
	}
	if at = l.without(at); at < to {
		return l.hole(at, to)
	}
	return nil
}

// without returns how far nothing is to be had from an offset on: ranges that are
// empty, and losses that are accepted.
func (l *Log) without(at int64) int64 {
	for {
		before := at
		at = l.accepted(at)
		for _, e := range l.Empty {
			if e.From <= at && at < e.To {
				at = e.To
			}
		}
		if at == before {
			return at
		}
	}
}

func (l *Log) hole(from, to int64) error {
	e := &HoleError{Shard: l.Shard(), From: from, To: to}
	for _, lost := range l.Lost {
		if lost.From < to && from < lost.To && lost.Accepted == nil {
			e.Lost = lost.Reason
		}
	}
	return e
}

// Vector returns the end of every shard: what the archive has if it has no hole.
func (m *Manifest) Vector() []store.VectorEntry {
	all := make([]store.VectorEntry, len(m.Shards))
	for i := range m.Shards {
		l := &m.Shards[i]
		all[i] = store.VectorEntry{Epoch: l.Epoch, Partition: l.Partition, Offset: l.End}
	}
	return all
}

// check reports what is invalid in a manifest.
func (m *Manifest) check() error {
	if m.Format < 1 || m.Format > manifestFormat {
		return fmt.Errorf("archive: manifest %d has format %d: this program knows 1 to %d", m.Number, m.Format, manifestFormat)
	}
	byShard := func(a, b Log) int { return a.Shard().Compare(b.Shard()) }
	for _, logs := range [...][]Log{m.Shards, m.Equivs} {
		if !slices.IsSortedFunc(logs, byShard) {
			return fmt.Errorf("%w: manifest %d: shards out of order", ErrCorrupt, m.Number)
		}
		for i := range logs {
			if err := logs[i].check(); err != nil {
				return fmt.Errorf("%w: manifest %d: %v: %w", ErrCorrupt, m.Number, logs[i].Shard(), err)
			}
		}
	}
	return nil
}

func (l *Log) check() error {
	at := l.Start
	for _, f := range l.Files {
		if f.From < at || f.To <= f.From || f.Rows <= 0 || f.Rows > f.To-f.From {
			return fmt.Errorf("file %s holds [%d, %d) with %d rows after offset %d", f.Name, f.From, f.To, f.Rows, at)
		}
		at = f.To
	}
	if l.End < at {
		return fmt.Errorf("ends at %d, below its files' %d", l.End, at)
	}
	return nil
}

func (m *Manifest) encode() []byte {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		panic(err) // texts and numbers always marshal
	}
	return append(sealed.Seal(b), '\n')
}

// decodeManifest decodes the manifest of a name. Manifests written before checksums
// were introduced have none.
func decodeManifest(name string, b []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := sealed.Unmarshal(name, b, m); err != nil {
		return nil, fmt.Errorf("%w: the archive's %w", ErrCorrupt, err)
	}
	return m, m.check()
}

// clone returns a copy that may be changed.
func (m *Manifest) clone() *Manifest {
	c := *m
	c.Shards, c.Equivs = cloneLogs(m.Shards), cloneLogs(m.Equivs)
	c.Retired = slices.Clone(m.Retired)
	return &c
}

func cloneLogs(logs []Log) []Log {
	logs = slices.Clone(logs)
	for i := range logs {
		logs[i].Files, logs[i].Lost, logs[i].Empty = slices.Clone(logs[i].Files), slices.Clone(logs[i].Lost), slices.Clone(logs[i].Empty)
	}
	return logs
}

func sortLogs(logs []Log) {
	slices.SortFunc(logs, func(a, b Log) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Partition, b.Partition))
	})
}
