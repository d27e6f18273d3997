package topology

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// lineSpace is the white space of tr's [:space:] in the C locale.
const lineSpace = " \t\n\v\f\r"

// FeedFile appends the lines of a file, without their line ends, to the topology's
// topic, and returns when all are durable. The feed is the file's path, and the
// position of a line is the offset of its first byte. So a file is fed once, however
// often FeedFile is called, and one that has grown at its end is gone on with.
//
// A line of more than MaxRecord bytes is cut at white space. One that has none there
// is an error.
func (j *Job) FeedFile(ctx context.Context, path string) (err error) {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	f, err := j.Feed(ctx, path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.skip(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.lines(ctx, file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Flush(ctx)
}

// skip goes to where the feed stands in a file.
func (f *Feed) skip(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		_, err := io.CopyN(io.Discard, file, f.next)
		return err
	}
	if info.Size() < f.next {
		return fmt.Errorf("the file has %d bytes, but was fed up to %d: it is another file now, and needs another data directory", info.Size(), f.next)
	}
	_, err = file.Seek(f.next, io.SeekStart)
	return err
}

// lines feeds the lines of what r has from the feed's position on.
func (f *Feed) lines(ctx context.Context, r io.Reader) error {
	buf := make([]byte, MaxRecord+1)
	var have []byte // read, and not fed: at the front of buf
	searched := 0   // so many bytes of it hold no line end
	for eof := false; ; {
		if n := bytes.IndexByte(have[searched:], '\n'); n >= 0 {
			end := searched + n
			if err := f.append(ctx, f.next, f.next+int64(end)+1, have[:end]); err != nil {
				return err
			}
			have, searched = have[end+1:], 0
			continue
		}
		searched = len(have)
		switch {
		case eof && len(have) == 0:
			return nil
		case eof:
			return f.append(ctx, f.next, f.next+int64(len(have)), have)
		case len(have) == len(buf):
			cut := bytes.LastIndexAny(have, lineSpace)
			if cut <= 0 {
				return fmt.Errorf("there are more than %d bytes without white space from byte %d on", MaxRecord, f.next)
			}
			if err := f.append(ctx, f.next, f.next+int64(cut), have[:cut]); err != nil {
				return err
			}
			have, searched = have[cut:], 0
		}
		have = buf[:copy(buf, have)]
		n, err := r.Read(buf[len(have):])
		have = buf[:len(have)+n]
		switch {
		case errors.Is(err, io.EOF):
			eof = true
		case err != nil:
			return err
		}
	}
}
