package verify

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// checkShard runs the log of a shard through an oracle that holds each cell at
// the version of the stored one.
func (r *run) checkShard(ctx context.Context, j *job) error {
	opts, err := oracle.EpochOptions(j.epoch, j.shard.Partition)
	if err != nil {
		return err
	}
	opts.Trust = r.trust
	o, seen := oracle.New(opts), newAccount()
	for i := range j.cells {
		// One that is beyond the log's end cannot be compared, and so need not
		// be held.
		if c := &j.cells[i]; c.Version > 0 && c.Version <= j.limit {
			o.Freeze(c.Key, c.Version)
		}
	}
	counts, counted := o.Counts(), false
	departed := 0 // of o.Rerouted() below the commit
	read := j.start
	err = r.cfg.Log.ReadAll(ctx, j.shard.Partition, j.start, j.end, func(rec *kgo.Record) error {
		if !counted && rec.Offset >= j.cover {
			counts, counted, departed = o.Counts(), true, len(o.Rerouted())
		}
		record := recordOf(rec)
		r.noteArrival(j, seen, o, &record)
		if rec.Offset < j.to {
			o.Add(record)
		}
		r.progress(rec.Offset + 1 - read)
		read = rec.Offset + 1
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("log of %v: %w", j.shard, err)
	}
	if !counted {
		counts, departed = o.Counts(), len(o.Rerouted())
	}
	r.progress(j.end - read)
	rep := &j.report
	rep.Shards, rep.Records, rep.Pageviews = 1, counts.Records, counts.Events
	rep.Duplicates, rep.Rejected, rep.Rerouted = counts.Duplicates, counts.Rejected, counts.ReroutedOut
	r.noteDepartures(j.shard, o.Rerouted()[:departed])
	r.compareCells(j, o)
	r.compareCommit(j, counts)
	return nil
}

// recordOf copies: what the oracle keeps of a record must not keep the fetch it
// came with.
func recordOf(rec *kgo.Record) oracle.Record {
	out := oracle.Record{Offset: rec.Offset, Timestamp: rec.Timestamp.UnixMilli(),
		Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)}
	for _, h := range rec.Headers {
		out.Headers = append(out.Headers, oracle.Header{Name: h.Key, Value: bytes.Clone(h.Value)})
	}
	return out
}

func (r *run) progress(n int64) {
	done := r.done.Add(n)
	if r.cfg.Progress != nil {
		r.cfg.Progress(done, r.total)
	}
}

func (r *run) noteDepartures(s store.Shard, rerouted []oracle.Rerouted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range rerouted {
		r.left = append(r.left, departure{s, arrival{m.Target, m.Source}})
	}
}

// compareCells goes through the stored cells and the oracle's side by side;
// both are sorted.
func (r *run) compareCells(j *job, o *oracle.Oracle) {
	lowest := uint32(0)
	if g := r.snap.Pointer.Generations; len(g) > 0 {
		lowest = g[0]
	}
	beyond := int64(0)
	keys := o.Keys()
	for i := range j.cells {
		c := &j.cells[i]
		for len(keys) > 0 && keys[0].Compare(c.Key) < 0 {
			r.compareMissing(j, o, keys[0], lowest)
			keys = keys[1:]
		}
		if len(keys) > 0 && keys[0] == c.Key {
			keys = keys[1:]
		}
		if c.Version > j.limit {
			beyond++
			continue
		}
		j.report.Cells[viewName(c.Key.View)]++
		r.compareCell(j, o, c)
	}
	for _, k := range keys {
		r.compareMissing(j, o, k, lowest)
	}
	if lost := j.commit != nil && j.commit.Offset > j.limit; lost || beyond > 0 {
		j.report.Unchecked = append(j.report.Unchecked, Unchecked{j.shard.Epoch, j.shard.Partition, beyond,
			fmt.Sprintf("the log of the epoch ends at offset %d, below what was stored: its last records were lost", j.limit)})
	}
}

// compareMissing reports a cell of the log that is not stored. Those of
// generations that left the list are not missed.
func (r *run) compareMissing(j *job, o *oracle.Oracle, k oracle.CellKey, lowest uint32) {
	c, ok := o.Cell(k)
	if !ok || k.Generation < lowest || c.First == 0 || c.First > j.cover {
		return
	}
	r.differs(j, cellDifference(KindMissing, j.shard, k, c.First, "",
		fmt.Sprintf("%v (first version %d, commit %d)", c.Value, c.First, j.cover)))
}

func (r *run) compareCell(j *job, o *oracle.Oracle, c *StoredCell) {
	want, ok := o.Cell(c.Key)
	differs := func(kind, expected string) {
		r.differs(j, cellDifference(kind, j.shard, c.Key, c.Version, storedText(c), expected))
	}
	switch {
	case !ok:
		differs(KindExtra, "no such cell: no event changes it")
	case want.Version.Version != c.Version && want.First == 0:
		differs(KindVersion, fmt.Sprintf("version %d at the lowest", want.Missed))
	case want.Version.Version != c.Version && !laterVersion(c, want.Version.Version):
		differs(KindVersion, fmt.Sprintf("version %d, %v", want.Version.Version, want.Value))
	case !bytes.Equal(want.Value.Bytes(c.Key.View), c.Value):
		expected := want.Value.String()
		if expected == storedText(c) {
			expected += " with other bytes"
		}
		differs(KindValue, expected)
	case want.Missed != 0 && want.Missed <= j.cover:
		differs(KindBehind, fmt.Sprintf("version %d or above, since the commit is at %d", want.Missed, j.cover))
	}
}

func (r *run) differs(j *job, d Difference) { j.report.note(r.cfg.First, d) }

func cellDifference(kind string, s store.Shard, k oracle.CellKey, version int64, have, want string) Difference {
	return Difference{Kind: kind, Epoch: s.Epoch, Partition: s.Partition, Generation: k.Generation, View: viewName(k.View),
		URL: k.URL, Hour: hourText(k.Hour), Version: version, Stored: have, Expected: want}
}

func storedText(c *StoredCell) string {
	v, err := oracle.ParseValue(c.Key.View, c.Value)
	if err != nil {
		return fmt.Sprintf("%d bytes that are no cell: %.32x", len(c.Value), c.Value)
	}
	return v.String()
}

// laterVersion reports whether a cell may have its version where the log says that it
// last changed at an earlier one. A set of visitors that was put without being read
// has the version of the last event of any person whom its writer did not know to be
// in it. The set itself is the same.
func laterVersion(c *StoredCell, changed int64) bool {
	return c.Key.View == oracle.Uniques && changed < c.Version
}

// compareCommit compares the counters of a commit row, field by field.
func (r *run) compareCommit(j *job, want store.CommitRecord) {
	if j.commit == nil || j.commit.Offset > j.limit {
		return
	}
	d := Difference{Kind: KindCommit, Epoch: j.shard.Epoch, Partition: j.shard.Partition, Version: j.commit.Offset}
	have, err := store.DecodeCommitRecord(j.commit.Record)
	if err != nil {
		d.Field, d.Stored, d.Expected = "record", err.Error(), "a commit record"
		r.differs(j, d)
		return
	}
	if have == want { // else what differs is reported below
		r.checkSum(j, have)
	}
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	for i := range h.NumField() {
		if a, b := h.Field(i).Interface(), w.Field(i).Interface(); a != b {
			d.Field, d.Stored, d.Expected = h.Type().Field(i).Name, fmt.Sprint(a), fmt.Sprint(b)
			r.differs(j, d)
		}
	}
}
