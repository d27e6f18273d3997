package importer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine bounds one line, in bytes; a longer one is rejected, not read.
const maxLine = 1 << 20

// line is one line of a file.
type line struct {
	text     []byte // without its end; of a line that is too long, the beginning. Valid until the next one.
	position int64  // how many lines stand before it
	end      int64  // the byte after it, in the unpacked file
	long     bool   // over maxLine bytes
	open     bool   // the last one, without a line end
}

// scanner splits an unpacked file into lines. A line ends with LF, CR LF, or CR
// alone. A byte order mark at the beginning is dropped. So are NULs, of which
// copytruncate and crashes leave long runs; a line ends before them.
type scanner struct {
	in       *bufio.Reader
	position int64
	at       int64 // bytes read
	cr       bool  // the last line ended with CR: an LF may follow
	nuls     int64
	text     []byte
}

func newScanner(in io.Reader) *scanner {
	return &scanner{in: bufio.NewReaderSize(in, 1<<16), text: make([]byte, 0, 4096)}
}

var bom = []byte("\ufeff")

// scan reads the next line. Its error is io.EOF at the end, where the rest of a
// file without a line end was returned before.
func (s *scanner) scan() (line, error) {
	if s.at == 0 {
		if b, _ := s.in.Peek(len(bom)); bytes.Equal(b, bom) {
			s.discard(len(bom))
		}
	}
	s.text = s.text[:0]
	l := line{position: s.position}
	some := false
	for {
		b, err := s.buffered()
		if err != nil {
			if !some || !errors.Is(err, io.EOF) {
				return line{}, err
			}
			l.open = true
			break
		}
		if s.cr && b[0] == '\n' {
			s.discard(1)
			s.cr = false
			continue
		}
		s.cr = false
		n := bytes.IndexAny(b, "\n\r\x00")
		if n < 0 {
			n = len(b)
		}
		l.long = s.take(b[:n]) || l.long
		some = some || n > 0
		if n == len(b) {
			s.discard(n)
			continue
		}
		end := b[n]
		s.discard(n + 1)
		if end == 0 {
			s.nuls++
			if !some {
				continue
			}
		}
		if s.cr = end == '\r'; s.cr && s.in.Buffered() > 0 {
			if next, _ := s.in.Peek(1); next[0] == '\n' {
				s.discard(1)
				s.cr = false
			}
		}
		break
	}
	if l.long {
		s.text = s.text[:min(len(s.text), maxFirst)]
	}
	l.text, l.end = s.text, s.at
	s.position++
	return l, nil
}

// take keeps a part of a line; it reports whether the line is too long.
func (s *scanner) take(b []byte) (long bool) {
	if len(s.text)+len(b) > maxLine {
		return true
	}
	s.text = append(s.text, b...)
	return false
}

// buffered returns what can be had without waiting for more than one byte.
func (s *scanner) buffered() ([]byte, error) {
	if s.in.Buffered() == 0 {
		if _, err := s.in.Peek(1); err != nil {
			return nil, err
		}
	}
	return s.in.Peek(s.in.Buffered())
}

func (s *scanner) discard(n int) {
	_, _ = s.in.Discard(n) // of what is buffered
	s.at += int64(n)
}
