package importer

import (
	"context"
	"io"
	"os"
	"time"

	"speedlayer/collector/accesslog"
	"speedlayer/collector/bots"
	"speedlayer/event"
	"speedlayer/queue"
)

// Format of the lines: one of accesslog's, or JSON lines.
type Format = accesslog.Format

// The formats that a caller names most often.
const (
	Combined  = accesslog.Combined
	Common    = accesslog.Common
	JSONLines = accesslog.JSONLines
)

// Config defines what to import and where to.
type Config struct {
	Format   Format            // empty: found from each file's first lines
	Log      accesslog.Options // how an access log is read; its Format is not used
	Host     string            // of targets that are paths, where a line names none; access logs only
	LastLine bool              // a last line without a line end is whole, though the file may grow
	DropBots bool
	Bots     *bots.List // that decides which are; nil is bots.Default
	Sink     Sink
	Stdin    io.Reader        // for the file "-"
	Now      func() time.Time // lines more than 12 hours ahead are rejected
	// Progress, if not nil, is told now and then how many bytes of the packed
	// files were read, and how many there are (0 if that is not known).
	Progress func(read, total int64, lines int64)
	// MaxDelay is how long one batch is tried while the sink asks to come again, or
	// cannot be reached; 0 is 2 minutes.
	MaxDelay time.Duration

	clock func() time.Time                                 // of MaxDelay
	pause func(ctx context.Context, d time.Duration) error // between two tries
}

func (c *Config) setDefaults() {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxDelay == 0 {
		c.MaxDelay = maxDelay
	}
	if c.clock == nil {
		c.clock, c.pause = time.Now, sleep
	}
}

// Report is what an import did.
type Report struct {
	Lines       int64
	Pageviews   int64 // duplicates included
	Duplicates  int64 // those that this file's imports had put into the queue before
	BotsDropped int64
	Bots        []Count // those that were dropped, by kind
	NotPageview []Count // lines that are not pageviews, by reason
	Rejected    []Count // broken lines, by reason
	Last        []queue.Position
	Behind      bool // a server took something that was not queryable yet
	Files       []File
	Stopped     bool // the context ended before the files did; all that was read is in the queue
}

// Count is how often a reason held, with the first lines it held for.
type Count struct {
	Reason   string
	Lines    int64
	Examples []string
}

// Import reads the files, one after the other. Its error is the sink's; what was
// appended before stays. A file that cannot be read, or not to its end, does not
// keep the others from being read: Report.Err names it.
func Import(ctx context.Context, cfg Config, files ...string) (Report, error) {
	cfg.setDefaults()
	im := &importer{cfg: cfg, host: cfg.Host, limits: limits{lines: batchLines, bytes: batchBytes}}
	if domain, err := event.Domain(cfg.Host); err == nil { // one site, however it is spelled
		im.host = domain
	}
	im.bots.List = cfg.Bots
	im.total = totalSize(files)
	work, cancel := outlive(ctx)
	defer cancel()
	im.stop = ctx
	for _, name := range files {
		if ctx.Err() != nil {
			im.report.Stopped = true
			break
		}
		if err := im.file(work, name); err != nil {
			return im.report, err
		}
	}
	return im.report, nil
}

// stopTime bounds what is done after the import was asked to stop.
const stopTime = 15 * time.Second

// outlive returns a context that ends stopTime after ctx.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(stopTime, cancel) })
	return work, func() { stop(); cancel() }
}

type importer struct {
	cfg         Config
	host        string // the site that all lines are of; "" if they name it themselves
	report      Report
	read, total int64
	bots        bots.Matcher
	decoder     event.Decoder
	stop        context.Context // ends when no more shall be read
	part        part
	failed      error // of the sink
	waiting     waiting
	limits      limits
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

func (im *importer) progress() {
	if im.cfg.Progress != nil {
		im.cfg.Progress(im.read, im.total, im.report.Lines)
	}
}
