package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"speedlayer/collector/accesslog"
	"speedlayer/collector/bots"
	"speedlayer/event"
	"speedlayer/queue"
)

// Format of the lines.
type Format string

// The formats.
const (
	Combined  Format = "combined"
	Common    Format = "common"
	JSONLines Format = "jsonl"
)

// Sink takes pageviews: *queue.Client, or one that posts to a server. It
// returns when all are durable, and keeps the order of a person's messages.
type Sink interface {
	AppendSync(ctx context.Context, messages []queue.Message) ([]queue.Position, error)
}

// Config says what to import and where to.
type Config struct {
	Format   Format
	Host     string // of targets that are paths; access logs only
	DropBots bool
	Sink     Sink
	Stdin    io.Reader        // for the file "-"
	Now      func() time.Time // lines more than 12 hours ahead are refused
	// Progress, if not nil, is told now and then how many bytes of the packed
	// files were read, and how many there are (0 if that is not known).
	Progress func(read, total int64, lines int64)
}

// Report is what an import did.
type Report struct {
	Lines       int64
	Pageviews   int64 // appended to the queue, duplicates included
	BotsDropped int64
	NotPageview []Count // lines that are not pageviews, by reason
	Rejected    []Count // broken lines, by reason
	Last        []queue.Position
}

// Count is how often a reason held, with the first lines it held for.
type Count struct {
	Reason   string
	Lines    int64
	Examples []string
}

// maxExamples of a reason are kept, each cut to maxExample bytes.
const (
	maxExamples = 3
	maxExample  = 200
)

// batchLines are appended at once.
const batchLines = 10_000

// maxLine bounds one line, in bytes; a longer one is rejected, not read.
const maxLine = 1 << 20

// maxFirst of a file's first line are in the nonces of its lines, in bytes.
const maxFirst = 4096

// Import reads the files, one after the other. An error is one of reading a
// file or of the sink; what was appended before stays.
func Import(ctx context.Context, cfg Config, files ...string) (Report, error) {
	im := &importer{cfg: cfg, report: Report{}}
	if cfg.Now == nil {
		im.cfg.Now = time.Now
	}
	im.total = totalSize(files)
	for _, name := range files {
		if err := im.file(ctx, name); err != nil {
			return im.report, fmt.Errorf("%s: %w", name, err)
		}
	}
	return im.report, im.flush(ctx)
}

type importer struct {
	cfg         Config
	report      Report
	read, total int64
	bots        bots.Matcher
	decoder     event.Decoder
	batch       []queue.Message
	last        map[int32]int64
}

func totalSize(files []string) (sum int64) {
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return 0
		}
		sum += info.Size()
	}
	return sum
}

func (im *importer) file(ctx context.Context, name string) error {
	var in io.Reader = im.cfg.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return errors.Unwrap(err) // the caller names the file
		}
		defer f.Close()
		in = f
	}
	in, err := unpack(&counting{in, &im.read})
	if err != nil {
		return err
	}
	return im.lines(ctx, in)
}

// counting counts what was read of the packed file.
type counting struct {
	io.Reader
	n *int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}

// unpack reads gzip and zstd as they are, known by their first bytes.
func unpack(in io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(in, 1<<16)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case isZstd(magic):
		return zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	}
	return b, nil
}

// isZstd knows a frame, and a frame to be skipped, with which pzstd begins.
func isZstd(magic []byte) bool {
	return bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}) ||
		len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18})
}

func (im *importer) lines(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, maxLine)
	var first []byte
	for position := int64(0); ; position++ {
		line, err := r.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		if long {
			line = bytes.Clone(line[:maxFirst]) // reading on overwrites it
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) > 0 {
			line = bytes.TrimRight(line, "\r\n")
			if position == 0 {
				first = bytes.Clone(line[:min(len(line), maxFirst)])
			}
			im.report.Lines++
			if long {
				im.reject(fmt.Sprintf("line is over %d bytes", maxLine), line)
			} else if err := im.line(ctx, first, position, line); err != nil {
				return err
			}
		}
		if im.report.Lines%batchLines == 0 {
			im.progress()
		}
		if err != nil {
			im.progress()
			return nil
		}
	}
}

func (im *importer) progress() {
	if im.cfg.Progress != nil {
		im.cfg.Progress(im.read, im.total, im.report.Lines)
	}
}

// line judges one line. Its error is the sink's.
func (im *importer) line(ctx context.Context, first []byte, position int64, line []byte) error {
	var pv event.Pageview
	if im.cfg.Format == JSONLines {
		if len(bytes.TrimSpace(line)) == 0 {
			im.skip("empty line", line)
			return nil
		}
		if !im.jsonLine(line, &pv) {
			return nil
		}
	} else if !im.logLine(line, &pv) {
		return nil
	}
	if im.cfg.DropBots && im.bots.IsBot(pv.UserAgent) {
		im.report.BotsDropped++
		return nil
	}
	if err := event.CheckAhead(pv.TS, im.cfg.Now().UnixMilli(), event.MaxAheadCollector); err != nil {
		im.reject(reason(err), line)
		return nil
	}
	if !pv.HasNonce {
		pv.Nonce, pv.HasNonce = nonce(first, position, line), true
	}
	return im.append(ctx, &pv)
}

func (im *importer) logLine(line []byte, pv *event.Pageview) bool {
	var l accesslog.Line
	if err := accesslog.Parse(line, im.cfg.Format == Combined, &l); err != nil {
		im.reject(string(accesslog.NotALine), line)
		return false
	}
	switch why, err := l.Pageview(im.cfg.Host, pv); why {
	case "":
		return true
	case accesslog.RefusedTarget:
		im.reject(string(why)+": "+reason(err), line)
	default:
		im.skip(string(why), line)
	}
	return false
}

func (im *importer) jsonLine(line []byte, pv *event.Pageview) bool {
	err := im.decoder.Decode(bytes.TrimSpace(line), pv)
	if err == nil {
		_, err = event.AppendPage(nil, pv.URL)
	}
	if err != nil {
		im.reject(reason(err), line)
		return false
	}
	return true
}

// reason is an error without what only the one line has, so that it can be
// counted.
func reason(err error) string {
	var r *event.Refusal
	if !errors.As(err, &r) {
		return err.Error()
	}
	if r.Field == "" {
		return r.Code
	}
	return r.Field + " " + r.Code
}

func nonce(first []byte, position int64, line []byte) []byte {
	h := xxh3.New()
	_, _ = h.Write(first)
	_, _ = h.Write(strconv.AppendInt([]byte{0}, position, 10))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(line)
	sum := h.Sum128().Bytes()
	return hex.AppendEncode(nil, sum[:])
}

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

func (im *importer) skip(why string, line []byte)   { count(&im.report.NotPageview, why, line) }
func (im *importer) reject(why string, line []byte) { count(&im.report.Rejected, why, line) }

func count(counts *[]Count, why string, line []byte) {
	for i := range *counts {
		if c := &(*counts)[i]; c.Reason == why {
			c.Lines++
			if len(c.Examples) < maxExamples {
				c.Examples = append(c.Examples, example(line))
			}
			return
		}
	}
	*counts = append(*counts, Count{Reason: why, Lines: 1, Examples: []string{example(line)}})
}

func example(line []byte) string {
	if len(line) > maxExample {
		return string(line[:maxExample]) + "..."
	}
	return string(line)
}
