package importer

import (
	"bytes"
	"context"

	"speedlayer/event"
	"speedlayer/queue"
)

// batchLines are appended at once.
const batchLines = 10_000

func (im *importer) append(ctx context.Context, pv *event.Pageview) error {
	im.batch = append(im.batch, queue.Message{Person: bytes.Clone(pv.Person), Value: event.AppendJSON(nil, pv)})
	if len(im.batch) < batchLines {
		return nil
	}
	return im.flush(ctx)
}

func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) == 0 {
		return nil
	}
	at, err := im.cfg.Sink.AppendSync(ctx, im.batch)
	if err != nil {
		return err
	}
	im.report.Pageviews += int64(len(im.batch))
	im.batch = im.batch[:0]
	if im.last == nil {
		im.last = make(map[int32]int64)
	}
	for _, p := range at {
		im.last[p.Partition] = max(im.last[p.Partition], p.Offset)
	}
	im.report.Last = im.report.Last[:0]
	for partition, offset := range im.last {
		im.report.Last = append(im.report.Last, queue.Position{Partition: partition, Offset: offset})
	}
	return nil
}
