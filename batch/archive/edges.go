package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/queue"
	"speedlayer/store"
)

// equivs archives topic equivs up to its end: an edge counts from when it is in
// the log, for no processor commits it.
func (a *Archiver) equivs(ctx context.Context, next *Manifest) error {
	topic, err := a.cfg.Source.EdgeLog(ctx)
	if err != nil {
		return err
	}
	l := next.edgeLog(topic)
	if l.End < topic.Start {
		a.lose(l, topic.Start, "the log had dropped it")
	}
	from := l.End
	if from >= topic.End {
		return nil
	}
	c := &copying[EdgeRow]{a: a, w: a.edges, topic: queue.TopicEquivs, log: l, last: from,
		row: func(r *kgo.Record, mem []byte) (EdgeRow, int64, []byte) {
			row, mem := edgeRow(l, r, mem)
			return row, row.LogTime, mem
		}}
	if err := a.cfg.Source.ReadEdges(ctx, from, topic.End, func(r *kgo.Record) error { return c.take(ctx, r) }); err != nil {
		return err
	}
	if err := c.finish(ctx); err != nil {
		return err
	}
	if l.End == from {
		return fmt.Errorf("the log gave no records of [%d, %d)", from, topic.End)
	}
	return nil
}

// edgeLog returns the log of this life of the topic, a new one if it was made
// anew, or ends below what we have of it.
func (m *Manifest) edgeLog(topic queue.EdgeLog) *Log {
	n := len(m.Equivs)
	if n > 0 {
		if l := &m.Equivs[n-1]; l.TopicID == topic.ID && l.End <= topic.End {
			return l
		}
	}
	m.Equivs = append(m.Equivs, Log{Epoch: uint32(n), TopicID: topic.ID, Partitions: 1, Start: topic.Start, End: topic.Start})
	return &m.Equivs[n]
}

// edgeRow makes the row of a record of topic equivs.
func edgeRow(l *Log, r *kgo.Record, mem []byte) (EdgeRow, []byte) {
	row := EdgeRow{Life: int32(l.Epoch), Offset: r.Offset, RecordTime: r.Timestamp.UnixMilli(), LogTime: max(l.LogTime, r.Timestamp.UnixMilli())}
	e, err := event.DecodeEdge(r.Value)
	if err != nil {
		row.Reason = strings.ToValidUTF8(err.Error(), "\uFFFD")
	} else {
		row.ID1, row.ID2, row.TS, row.Retract = e.ID1, e.ID2, e.TS, e.Retract
	}
	// Edges are few, and JSON in many shapes: each is kept as it is.
	at := len(mem)
	row.Wire, row.RawKey, row.RawValue, mem = rawWire(r, mem)
	row.RawHeaders = mem[at:len(mem):len(mem)]
	return row, mem
}

// EdgePosition is a position in topic equivs: everything before Offset of this
// life of the topic, and all of the lives before.
type EdgePosition struct {
	Life   uint32 `json:"life"`
	Offset int64  `json:"offset"`
}

// EdgeEnd is the position up to which the archive has edges.
func (m *Manifest) EdgeEnd() EdgePosition {
	if len(m.Equivs) == 0 {
		return EdgePosition{}
	}
	l := &m.Equivs[len(m.Equivs)-1]
	return EdgePosition{l.Epoch, l.End}
}

// Edges calls fn with the edges before a position, in log order: of a pair the
// last one decides. What is no edge is left out. A *HoleError says that some are
// lost.
func (s *Snapshot) Edges(ctx context.Context, to EdgePosition, fn func(at EdgePosition, e event.Edge) error) error {
	for i := range s.Equivs {
		l := &s.Equivs[i]
		end := l.End
		switch {
		case l.Epoch > to.Life:
			return nil
		case l.Epoch == to.Life:
			end = to.Offset
		}
		if err := s.edges(ctx, l, end, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) edges(ctx context.Context, l *Log, end int64, fn func(at EdgePosition, e event.Edge) error) error {
	next := l.Start
	for next < end {
		if err := l.covers(next, end); err != nil {
			return err
		}
		var err error
		if next, err = s.edgeFiles(ctx, l, next, end, fn); err == nil {
			return nil
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		if err := s.renew(ctx, err); err != nil {
			return err
		}
		l = &s.Equivs[l.Epoch]
	}
	return nil
}

func (s *Snapshot) edgeFiles(ctx context.Context, l *Log, from, to int64, fn func(at EdgePosition, e event.Edge) error) (next int64, err error) {
	for _, f := range l.Files {
		if f.To <= from || f.From >= to {
			continue
		}
		err := eachRow(ctx, s.objects, f, func(r *EdgeRow) error {
			if r.Offset < from || r.Offset >= to {
				return nil
			}
			from = r.Offset + 1
			if r.Reason != "" {
				return nil
			}
			return fn(EdgePosition{l.Epoch, r.Offset}, event.Edge{ID1: r.ID1, ID2: r.ID2, TS: r.TS, Retract: r.Retract})
		})
		if err != nil {
			return from, err
		}
	}
	return to, nil
}

// Rows calls fn with the rows of a shard whose offsets are in [from, to), in log
// order, whole: slower than Scan by far. A row is valid during the call.
func (s *Snapshot) Rows(ctx context.Context, shard store.Shard, from, to int64, fn func(r *Row) error) error {
	l := s.log(shard)
	if l == nil {
		return &HoleError{Shard: shard, From: from, To: to}
	}
	if err := l.covers(max(from, l.Start), to); err != nil {
		return err
	}
	for _, f := range l.Files {
		if f.To <= from || f.From >= to {
			continue
		}
		if err := eachRow(ctx, s.objects, f, func(r *Row) error {
			if r.Offset < from || r.Offset >= to {
				return nil
			}
			return fn(r)
		}); err != nil {
			return err
		}
	}
	return nil
}

// eachRow reads a file row by row.
func eachRow[T any](ctx context.Context, o Objects, f File, fn func(*T) error) (err error) {
	file, err := openData(ctx, o, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	r := parquet.NewGenericReader[T](file.File)
	defer func() { err = errors.Join(err, r.Close()) }()
	rows := make([]T, batchRows)
	for {
		clear(rows) // else what was null keeps what was there before
		n, err := r.Read(rows)
		for i := range rows[:n] {
			if err := fn(&rows[i]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
}
