package archive

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/event"
	"speedlayer/internal/objects"
	"speedlayer/queue"
)

// equivs archives topic equivs up to its end: an edge counts as soon as it is in the
// log, because no processor commits it.
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
	return c.finishAt(ctx, topic.End)
}

// edgeLog returns the log of this incarnation of the topic. It returns a new log if
// the topic was recreated, or ends below what the archive has of it.
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
	row := EdgeRow{Incarnation: int32(l.Epoch), Offset: r.Offset, RecordTime: r.Timestamp.UnixMilli(), LogTime: max(l.LogTime, r.Timestamp.UnixMilli())}
	e, err := event.DecodeEdge(r.Value)
	if err != nil {
		row.Reason = strings.ToValidUTF8(err.Error(), "\uFFFD")
	} else {
		row.ID1, row.ID2, row.TS, row.Retract = e.ID1, e.ID2, &e.TS, e.Retract
	}
	// Edges are few, and JSON in many forms, so each record is kept unchanged.
	at := len(mem)
	row.Wire, row.RawKey, row.RawValue, mem = rawWire(r, mem)
	row.RawHeaders = mem[at:len(mem):len(mem)]
	return row, mem
}

// EdgePosition is a position in topic equivs: everything before Offset of this
// incarnation of the topic, and all previous incarnations.
type EdgePosition struct {
	Incarnation uint32 `json:"life"`
	Offset      int64  `json:"offset"`
}

// EdgeEnd returns the position up to which the archive has edges.
func (m *Manifest) EdgeEnd() EdgePosition {
	if len(m.Equivs) == 0 {
		return EdgePosition{}
	}
	l := &m.Equivs[len(m.Equivs)-1]
	return EdgePosition{l.Epoch, l.End}
}

// Edges calls fn with the edges before a position, in log order; the last edge of a
// pair decides. Records that are not edges are left out. A *HoleError reports that
// some are lost.
func (s *Snapshot) Edges(ctx context.Context, to EdgePosition, fn func(at EdgePosition, e event.Edge) error) error {
	for i := range s.Equivs {
		l := &s.Equivs[i]
		end := l.End
		switch {
		case l.Epoch > to.Incarnation:
			return nil
		case l.Epoch == to.Incarnation:
			end = to.Offset
		}
		if err := s.edges(ctx, l, end, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) edges(ctx context.Context, l *Log, end int64, fn func(at EdgePosition, e event.Edge) error) error {
	incarnation := l.Epoch
	for next := l.Start; next < end; {
		l := &s.Equivs[incarnation]
		if err := l.covers(next, end); err != nil {
			return err
		}
		var err error
		next, err = l.eachFile(next, end, func(f File, from int64) (int64, error) {
			return s.edgeFile(ctx, incarnation, f, from, end, fn)
		})
		if errors.Is(err, objects.ErrNotFound) {
			err = s.renew(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Snapshot) edgeFile(ctx context.Context, incarnation uint32, f File, from, to int64, fn func(at EdgePosition, e event.Edge) error) (next int64, err error) {
	err = eachRow(ctx, s.objects, f, func(r *EdgeRow) error {
		if r.Offset < from || r.Offset >= to {
			return nil
		}
		from = r.Offset + 1
		if r.Reason != "" {
			return nil
		}
		if r.TS == nil {
			return fmt.Errorf("%w: %s: the edge at offset %d has no ts", ErrCorrupt, f.Name, r.Offset)
		}
		return fn(EdgePosition{incarnation, r.Offset}, event.Edge{ID1: r.ID1, ID2: r.ID2, TS: *r.TS, Retract: r.Retract})
	})
	return from, err
}
