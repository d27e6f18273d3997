package importer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/zeebo/xxh3"

	"speedlayer/collector/imports"
	"speedlayer/event"
	"speedlayer/queue"
)

// rules is raised when lines are classified by other rules than before: files are then
// compared with the log line by line once.
const rules = "1"

// progress of a file: what of it is in the log, what was read, and what waits to be
// sent in between.
type part struct {
	id    string // "" until the first line is known
	from  point  // every line below is in the log
	at    point  // every line below was read
	ahead []imports.Mark
	// before reports that the log has records from before there were marks.
	before bool
}

// point is a mark whose hash is not text yet: of the hash before, and a line.
type point struct {
	lines int64
	hash  [16]byte
}

func (p point) next(line []byte) point {
	h := xxh3.New()
	_, _ = h.Write(p.hash[:])
	_, _ = h.Write(line)
	return point{p.lines + 1, h.Sum128().Bytes()}
}

func (p point) mark() imports.Mark {
	if p.lines == 0 {
		return imports.Mark{}
	}
	return imports.Mark{Lines: p.lines, Hash: hex.EncodeToString(p.hash[:])}
}

// begin begins a file when its format is known. What makes other pageviews of the
// same lines, another site for example, makes other marks.
func (f *file) begin() {
	if f.im.part.at.hash != ([16]byte{}) {
		return
	}
	o := f.im.cfg.Log
	o.Format = f.report.Format
	start := point{hash: xxh3.HashString128(fmt.Sprintf("%s %s %v %+v", rules, f.im.host, f.im.cfg.DropBots, o)).Bytes()}
	f.im.part = part{from: start, at: start}
}

// importID identifies a file by its first line. The site is not a part of it: where
// lines name theirs, --host changes nothing.
func importID(first []byte) string {
	id := xxh3.Hash128(first).Bytes()
	return hex.EncodeToString(id[:])
}

// waiting are the messages that were not sent yet, each with the point in front of
// its line, and the beginning of the line for the report.
type waiting struct {
	messages []imports.Message
	points   []point
	lines    [][]byte
	bytes    int
}

func (w *waiting) clear() {
	clear(w.messages)
	clear(w.lines)
	w.messages, w.points, w.lines, w.bytes = w.messages[:0], w.points[:0], w.lines[:0], 0
}

// heldBytes bound what waits for a mark that may show that it was imported.
const heldBytes = 32 << 20

// append lets a pageview wait. was is the nonce that it had in earlier versions.
func (im *importer) append(pv *event.Pageview, was, line []byte) {
	value := event.AppendJSON(nil, pv)
	if len(value) > maxEvent {
		im.reject(tooLong, line)
		return
	}
	m := imports.Message{Message: queue.Message{Person: bytes.Clone(pv.Person), Value: value}, Was: string(was)}
	w := &im.waiting
	w.messages = append(w.messages, m)
	w.points = append(w.points, im.part.at)
	w.lines = append(w.lines, bytes.Clone(line[:min(len(line), maxExample+1)]))
	w.bytes += size(m)
}

// passed notes that a line was classified. first is the file's first line, nil if there
// was none yet. What is known to be in the log is not sent.
func (im *importer) passed(ctx context.Context, first, line []byte) error {
	p := &im.part
	p.at = p.at.next(line)
	if first == nil {
		return nil
	}
	if p.id == "" {
		p.id = importID(first)
		if err := im.know(ctx); err != nil {
			return err
		}
	}
	for len(p.ahead) > 0 && p.ahead[0].Lines <= p.at.lines {
		if p.ahead[0] == p.at.mark() {
			im.report.Pageviews += int64(len(im.waiting.messages))
			im.report.Duplicates += int64(len(im.waiting.messages))
			im.waiting.clear()
			p.from = p.at
		}
		p.ahead = p.ahead[1:]
	}
	lines, bytes := im.limits.lines, im.limits.bytes
	if len(p.ahead) > 0 {
		lines, bytes = heldBytes, heldBytes
	}
	if len(im.waiting.messages) < lines && im.waiting.bytes < bytes {
		return nil
	}
	return im.flush(ctx)
}

// know asks what is remembered of the file.
func (im *importer) know(ctx context.Context) error {
	var known imports.Known
	err := im.retry(ctx, func() (err error) {
		known, err = im.cfg.Sink.Known(ctx, im.part.id)
		return err
	})
	if err != nil {
		return err
	}
	im.part.before = known.Before
	im.part.ahead = slices.SortedFunc(slices.Values(known.Marks), func(a, b imports.Mark) int { return int(a.Lines - b.Lines) })
	return nil
}
