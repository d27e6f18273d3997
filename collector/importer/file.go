package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"speedlayer/collector/accesslog"
)

// File is what an import did with one file.
type File struct {
	Name     string
	Format   Format // empty if it is not known
	Found    bool   // from the first lines: the caller named none
	Lines    int64
	Rejected int64    // of these
	Notes    []string // what a user should know
	Err      error    // the file could not be read, or only in part, or no line of it was understood
}

// Err names the files that were not read, or only in part.
func (r *Report) Err() error {
	var errs []error
	for i := range r.Files {
		if f := &r.Files[i]; f.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.Name, f.Err))
		}
	}
	return errors.Join(errs...)
}

// How many first lines of a file are kept: to find its format in, or to say
// which one it may have instead.
const (
	maxHeld  = 50
	maxGuess = 20
)

// unknownFormat is why lines are rejected whose format was not found.
const unknownFormat = "the format is not known (--format names one)"

// file is a file while it is read.
type file struct {
	im        *importer
	report    *File
	parser    *accesslog.Parser
	first     []byte // line that is not a directive: a part of the nonces
	held      []line // lines before the format is known
	guesses   [][]byte
	reasons   map[string]int64
	pageviews int64
	good      int64 // lines that were understood, pageviews or not
	given     bool  // up looking for the format: it is not known
}

// file reads one file. What is wrong with it stands in its report; an error is
// the sink's.
func (im *importer) file(ctx context.Context, name string) error {
	f := &file{im: im, report: &File{Name: name, Format: im.cfg.Format}, reasons: map[string]int64{}}
	if im.cfg.Format != "" {
		f.start(im.cfg.Format)
	}
	im.part = part{}
	err := f.open(ctx)
	if err == nil {
		err = im.flush(ctx)
	}
	im.waiting.clear()
	im.progress()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.review()
	im.report.Files = append(im.report.Files, *f.report)
	return nil
}

func (f *file) note(text string) { f.report.Notes = append(f.report.Notes, text) }

func (f *file) reject(why string, text []byte) {
	f.report.Rejected++
	f.reasons[why]++
	f.im.reject(why, text)
}

// open opens and unpacks a file.
func (f *file) open(ctx context.Context) error {
	var in io.Reader
	regular := false
	if f.report.Name == "-" {
		live := newLiveReader(f.im.stop, f.im.cfg.Stdin, func() error { return f.pause(ctx) })
		defer live.close()
		in = live
	} else {
		opened, err := os.Open(f.report.Name)
		if err != nil {
			f.report.Err = errors.Unwrap(err) // the report names the file
			return nil
		}
		defer opened.Close()
		info, err := opened.Stat()
		regular = err == nil && info.Mode().IsRegular()
		in = stopReader{opened, f.im.stop}
	}
	unpacked, packed, err := unpack(&counting{in, &f.im.read}, !regular, f.note)
	if err != nil {
		f.report.Err = damaged(err)
		return nil
	}
	return f.read(ctx, newScanner(unpacked), regular && !packed && !f.im.cfg.LastLine)
}

// read reads the lines. A file that grows may end in half a line.
func (f *file) read(ctx context.Context, s *scanner, grows bool) error {
	for {
		l, err := s.scan()
		if err != nil || l.open && grows {
			if l.open {
				f.note("the last line has no line end yet: it is left for the next import (--last-line takes it)")
			} else if f.im.failed != nil {
				return f.im.failed
			} else if f.im.stop.Err() != nil && !errors.Is(err, io.EOF) {
				f.im.report.Stopped = true
			} else if !errors.Is(err, io.EOF) {
				f.report.Err = damaged(err)
			}
			break
		}
		if err := f.take(ctx, l); err != nil {
			if errors.Is(err, errNoHost) {
				f.report.Err = fmt.Errorf("its lines (format %s) name no host: say which site's log it is with --host", f.report.Format)
				return nil
			}
			return err
		}
	}
	if s.nuls > 0 {
		f.note(fmt.Sprintf("%d NUL bytes were skipped, as a log has that was cut off while a server wrote it", s.nuls))
	}
	return f.release(ctx)
}

// take counts a line, and classifies it, or holds it until the format is known.
func (f *file) take(ctx context.Context, l line) error {
	if f.first == nil && !isDirective(l.text) {
		f.first = bytes.Clone(l.text[:min(len(l.text), maxFirst)])
	}
	f.report.Lines++
	f.im.report.Lines++
	if f.im.report.Lines%batchLines == 0 {
		f.im.progress()
	}
	if len(f.guesses) < maxGuess && !l.long {
		f.guesses = append(f.guesses, bytes.Clone(l.text))
	}
	if f.report.Format != "" || f.given {
		return f.pass(ctx, l)
	}
	l.text = bytes.Clone(l.text)
	f.held = append(f.held, l)
	format := Format("")
	if !l.long {
		format = accesslog.Detect(l.text, f.im.cfg.Log)
	}
	if format != "" {
		f.start(format)
		f.report.Found = true
	}
	if format != "" || len(f.held) == maxHeld {
		return f.release(ctx)
	}
	return nil
}

// start begins to read lines of a format.
func (f *file) start(format Format) {
	f.report.Format = format
	o := f.im.cfg.Log
	o.Format = format
	f.parser = accesslog.NewParser(o)
}

// pause sends what was read, when nothing more comes for a while.
func (f *file) pause(ctx context.Context) error {
	return f.im.flush(ctx)
}

// release classifies the lines that were held.
func (f *file) release(ctx context.Context) error {
	f.given = true
	held := f.held
	f.held = nil
	for _, l := range held {
		if err := f.pass(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) pass(ctx context.Context, l line) error {
	f.begin()
	switch {
	case l.long:
		f.reject(fmt.Sprintf("line is over %d bytes", maxLine), l.text)
	case f.report.Format == "" && len(bytes.TrimSpace(l.text)) > 0:
		f.reject(unknownFormat, l.text)
	default:
		if err := f.line(l); err != nil {
			return err
		}
	}
	return f.im.passed(ctx, f.first, l.text)
}

// review reports what a user should know of the file as a whole.
func (f *file) review() {
	if f.parser != nil {
		f.report.Notes = append(f.report.Notes, f.parser.Notes()...)
	}
	if f.report.Err != nil || f.report.Rejected == 0 || f.good > 0 {
		return
	}
	f.report.Err = fmt.Errorf("none of its %d lines was understood: %s", f.report.Lines, f.likely())
}

// likely is the likely reason why no line was understood.
func (f *file) likely() string {
	for _, text := range f.guesses {
		if format := accesslog.Detect(text, f.im.cfg.Log); format != "" && format != f.report.Format {
			return fmt.Sprintf("they look like format %s, not %s (--format %s)", format, f.report.Format, format)
		}
	}
	if f.report.Format == "" {
		for _, text := range f.guesses {
			if why := accesslog.Why(text, f.im.cfg.Log); why != "" {
				return why
			}
		}
	}
	most := ""
	for why, n := range f.reasons {
		if n > f.reasons[most] || n == f.reasons[most] && why < most {
			most = why
		}
	}
	return most
}

// damaged words an error of reading.
func damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is cut off: what was read before counts")
	}
	return fmt.Errorf("it cannot be read on: %w (what was read before counts)", err)
}

// isDirective reports whether a line is one of those that open a log in the W3C's
// format. They are the same in many files, so they do not tell files apart.
func isDirective(line []byte) bool { return len(line) > 0 && line[0] == '#' }

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
