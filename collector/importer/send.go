package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"speedlayer/event"
	"speedlayer/queue"
)

// What is sent at once. A sink that takes less says so, and gets half from then on.
const (
	batchLines = 10_000
	batchBytes = 4 << 20
)

// maxEvent bounds one event, in bytes: what a collector takes by default.
const maxEvent = 64 << 10

// tooLong is why a line is rejected that makes a larger event.
var tooLong = fmt.Sprintf("the event has more than %d bytes", maxEvent)

// waiting are the messages that were not sent yet, with the beginnings of their
// lines for the report.
type waiting struct {
	messages []queue.Message
	lines    [][]byte
	bytes    int
}

func (w *waiting) add(m queue.Message, line []byte) {
	w.messages = append(w.messages, m)
	w.lines = append(w.lines, bytes.Clone(line[:min(len(line), maxExample+1)]))
	w.bytes += size(m)
}

func (w *waiting) clear() {
	clear(w.messages)
	clear(w.lines)
	w.messages, w.lines, w.bytes = w.messages[:0], w.lines[:0], 0
}

// size is what a message takes in a body of JSON lines.
func size(m queue.Message) int { return len(m.Value) + 1 }

// limits are what the sink was found to take at once.
type limits struct{ lines, bytes int }

// fit is how many of the messages, one at least, may be sent at once.
func (l limits) fit(messages []queue.Message) (n, bytes int) {
	for n < len(messages) && n < l.lines {
		if next := bytes + size(messages[n]); n > 0 && next > l.bytes {
			break
		}
		bytes += size(messages[n])
		n++
	}
	return n, bytes
}

func (im *importer) append(ctx context.Context, pv *event.Pageview, line []byte) error {
	value := event.AppendJSON(nil, pv)
	if len(value) > maxEvent {
		im.reject(tooLong, line)
		return nil
	}
	im.waiting.add(queue.Message{Person: bytes.Clone(pv.Person), Value: value}, line)
	if len(im.waiting.messages) < im.limits.lines && im.waiting.bytes < im.limits.bytes {
		return nil
	}
	return im.flush(ctx)
}

// flush sends all that waits. What does not fit is halved until it does; a
// single message that does not is rejected.
func (im *importer) flush(ctx context.Context) error {
	messages, lines := im.waiting.messages, im.waiting.lines
	for len(messages) > 0 {
		n, size := im.limits.fit(messages)
		taken, err := im.retry(ctx, messages[:n])
		if errors.Is(err, ErrTooLarge) {
			if n > 1 {
				im.limits = limits{lines: n / 2, bytes: max(1, size/2)}
				continue
			}
			taken, err = Taken{Rejected: []Rejected{{Reason: err.Error()}}}, nil
		}
		if err != nil {
			return err
		}
		im.taken(taken, lines[:n])
		messages, lines = messages[n:], lines[n:]
	}
	im.waiting.clear()
	return nil
}

// taken reports what became of the messages of these lines.
func (im *importer) taken(t Taken, lines [][]byte) {
	im.report.Pageviews += int64(len(lines) - len(t.Rejected))
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
