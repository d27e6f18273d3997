package importer

import (
	"context"
	"errors"
	"fmt"

	"speedlayer/collector/imports"
	"speedlayer/queue"
)

// What is sent at once. A sink that takes less tells so, and gets half from then on.
const (
	batchLines = 10_000
	batchBytes = 4 << 20
)

// maxEvent bounds one event, in bytes: what a collector takes by default.
const maxEvent = 64 << 10

// tooLong is why a line is rejected that makes a larger event.
var tooLong = fmt.Sprintf("the event has more than %d bytes", maxEvent)

// size is what a message takes in a body of JSON lines.
func size(m imports.Message) int { return len(m.Value) + len(`,"was":""`) + len(m.Was) + 1 }

// limits are what the sink was found to take at once.
type limits struct{ lines, bytes int }

// fit is how many of the messages, one at least, may be sent at once.
func (l limits) fit(messages []imports.Message) (n, bytes int) {
	for n < len(messages) && n < l.lines {
		if next := bytes + size(messages[n]); n > 0 && next > l.bytes {
			break
		}
		bytes += size(messages[n])
		n++
	}
	return n, bytes
}

// flush sends what was read and is not in the log yet. What does not fit is halved
// until it does; a single message that does not is rejected.
func (im *importer) flush(ctx context.Context) error {
	p, w := &im.part, &im.waiting
	messages, points, lines := w.messages, w.points, w.lines
	for p.id != "" && p.from.lines < p.at.lines {
		n, size := im.limits.fit(messages)
		to := p.at
		if n < len(messages) {
			to = points[n] // in front of the first line that is not sent
		}
		batch := imports.Batch{From: p.from.mark(), To: to.mark(), Messages: messages[:n]}
		taken, err := im.send(ctx, batch)
		if errors.Is(err, ErrTooLarge) && n > 1 {
			im.limits = limits{lines: n / 2, bytes: max(1, size/2)}
			continue
		}
		if errors.Is(err, ErrTooLarge) && n == 1 {
			im.reject(err.Error(), lines[0])
			batch.Messages, lines = nil, lines[1:]
			messages, points, n = messages[1:], points[1:], 0
			taken, err = im.send(ctx, batch)
		}
		if err != nil {
			return err
		}
		im.taken(taken, lines[:n])
		p.from = to
		messages, points, lines = messages[n:], points[n:], lines[n:]
	}
	w.clear()
	return nil
}

// send sends one batch, until the sink has taken it.
func (im *importer) send(ctx context.Context, b imports.Batch) (taken Taken, err error) {
	if !im.part.before {
		for i := range b.Messages {
			b.Messages[i].Was = ""
		}
	}
	err = im.retry(ctx, func() error {
		taken, err = im.cfg.Sink.Send(ctx, im.part.id, b)
		return err
	})
	return taken, err
}

// taken reports what became of the messages of these lines.
func (im *importer) taken(t Taken, lines [][]byte) {
	im.report.Pageviews += int64(len(lines) - len(t.Rejected))
	im.report.Duplicates += int64(t.Duplicates)
	im.report.Behind = im.report.Behind || t.Behind
	for _, r := range t.Rejected {
		im.reject(r.Reason, lines[r.Index])
	}
	if im.last == nil {
		im.last = make(map[int32]int64)
	}
	for _, p := range t.Positions {
		im.last[p.Partition] = max(im.last[p.Partition], p.Offset)
	}
	im.report.Last = im.report.Last[:0]
	for partition, offset := range im.last {
		im.report.Last = append(im.report.Last, queue.Position{Partition: partition, Offset: offset})
	}
}
