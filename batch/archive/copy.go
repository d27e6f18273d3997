package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue"
	"speedlayer/store"
)

// copying writes the records of one log into files. T is Row or EdgeRow.
type copying[T any] struct {
	a     *Archiver
	w     *dataWriter[T]
	topic string
	log   *Log
	// row makes the row of a record, which is stored in mem, and returns its log time.
	row func(r *kgo.Record, mem []byte) (T, int64, []byte)

	rows []T
	mem  []byte
	rec  kgo.Record // the record being classified, in mem
	file File       // the file being written; without rows there is none
	last int64      // offset of the last record taken, plus one
}

// batchRows is how many rows are passed to the Parquet writer at once.
const batchRows = 256

// take processes the next record.
func (c *copying[T]) take(ctx context.Context, r *kgo.Record) error {
	if r.Offset < c.last {
		return nil // not requested
	}
	c.copyRecord(r)
	row, logTime, mem := c.row(&c.rec, c.mem)
	c.mem = mem
	if day := dayOf(logTime); c.file.Rows == 0 || day != c.file.Day || c.file.Rows >= c.a.cfg.FileRows {
		if err := c.finish(ctx); err != nil {
			return err
		}
		if err := c.w.begin(); err != nil {
			return err
		}
		c.file = File{From: c.last, Day: day}
	}
	c.rows = append(c.rows, row)
	c.file.Rows++
	c.last, c.log.LogTime = r.Offset+1, logTime
	if len(c.rows) == batchRows {
		return c.flush()
	}
	return nil
}

// copyRecord copies a record: records of a source are valid only during one call.
func (c *copying[T]) copyRecord(r *kgo.Record) {
	c.rec = *r
	c.rec.Key, c.rec.Value = c.copy(r.Key), c.copy(r.Value)
}

func (c *copying[T]) copy(b []byte) []byte {
	if b == nil {
		return nil
	}
	at := len(c.mem)
	c.mem = append(c.mem, b...)
	return c.mem[at:len(c.mem):len(c.mem)]
}

func (c *copying[T]) flush() error {
	err := c.w.write(c.rows)
	c.rows, c.mem = c.rows[:0], c.mem[:0]
	return err
}

// finish ends the file that is being written and adds it to the log.
func (c *copying[T]) finish(ctx context.Context) error {
	if c.file.Rows == 0 {
		return nil
	}
	// A record of the next file may wait in rows already classified, but is not in them.
	if err := c.flushKeeping(); err != nil {
		return err
	}
	f := c.file
	c.file = File{}
	f.To = c.last
	f.Name = c.a.newName(c.topic, c.log.Shard(), &f)
	if err := c.w.finish(ctx, c.a.cfg.Objects, c.log.Shard(), &f); err != nil {
		return err
	}
	c.log.Files = append(c.log.Files, f)
	c.log.End = f.To
	return nil
}

// finishAt ends at an offset up to which the log has no more records. The last
// file covers the offsets in between. Without a file, they are recorded as empty.
func (c *copying[T]) finishAt(ctx context.Context, to int64) error {
	if c.last > to {
		return fmt.Errorf("the log gave a record at %d, above what was asked for: %d", c.last-1, to)
	}
	c.last = to
	if c.file.Rows > 0 || c.log.End == to {
		return c.finish(ctx)
	}
	l := c.log
	if n := len(l.Empty); n > 0 && l.Empty[n-1].To == l.End {
		l.Empty[n-1].To = to
	} else {
		l.Empty = append(l.Empty, Range{l.End, to})
	}
	l.End = to
	return nil
}

// flushKeeping flushes, but keeps the memory that holds the next row.
func (c *copying[T]) flushKeeping() error {
	err := c.w.write(c.rows)
	c.rows = c.rows[:0]
	return err
}

// newName returns a unique name.
func (a *Archiver) newName(topic string, s store.Shard, f *File) string {
	a.serial++
	return dataName(topic, s, f.Day, f.From, f.To, a.m.Term, a.serial)
}

// pageviews archives a shard up to where it is settled, at most passRows.
func (a *Archiver) pageviews(ctx context.Context, l *Log, p *part) (more bool, err error) {
	from, to := l.End, min(p.readable, l.End+passRows)
	if from < to {
		j := newClassifier(p.shard, p.partitions, l.LogTime, a.cfg.CheckSettings)
		if a.cfg.Trust != nil {
			j.records.Trust = a.cfg.Trust()
		}
		c := &copying[Row]{a: a, w: a.rows, topic: queue.TopicPageviews, log: l, last: from,
			row: func(r *kgo.Record, mem []byte) (Row, int64, []byte) {
				row, mem := j.row(r, mem)
				return row, row.LogTime, mem
			}}
		err := a.cfg.Source.ReadAll(ctx, p.shard.Partition, from, to, func(r *kgo.Record) error { return c.take(ctx, r) })
		if gone := new(queue.ErrLogStart); errors.As(err, &gone) && gone.Offset == from {
			a.lose(l, min(gone.Start, p.end), "the log had dropped it")
			return l.End < p.end, nil
		}
		if hole := new(queue.ErrLogHole); errors.As(err, &hole) {
			if err := c.finishAt(ctx, hole.From); err != nil {
				return false, err
			}
			if l.End == hole.From {
				a.lose(l, min(hole.To, p.end), hole.Reason)
				return l.End < p.end, nil
			}
		}
		if err == nil {
			err = c.finishAt(ctx, to)
		}
		return l.End < p.end, err
	}
	if l.End < p.end && l.End >= p.readable {
		a.lose(l, p.end, p.lost)
	}
	return false, nil
}

// lose records a hole that nobody can fill.
func (a *Archiver) lose(l *Log, to int64, reason string) {
	a.cfg.Logger.Error("records are lost for the archive: the log does not have them any more", "shard", l.Shard().String(),
		"from", l.End, "to", to, "reason", reason)
	l.Lost = append(l.Lost, Lost{From: l.End, To: to, Reason: reason})
	l.End = to
}
