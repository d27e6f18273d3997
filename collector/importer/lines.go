package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// maxLine bounds one line, in bytes; a longer one is rejected, not read.
const maxLine = 1 << 20

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
			if first == nil && !isDirective(line) {
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

// isDirective says whether a line is one of those that open a log in the W3C's
// format. They are the same in many files, so they do not tell files apart.
func isDirective(line []byte) bool { return len(line) > 0 && line[0] == '#' }
