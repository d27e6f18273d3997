package compute

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sorter sorts any number of rows and keeps a bounded number of them in memory.
// Further rows are sorted, spilled run by run into one file, and merged on reading
// (Knuth, TAOCP 3, 5.4). One goroutine owns it. It can be used again after reset.
type sorter[T words] struct {
	fs       vfs.FS
	name     string // name of the file, if one is needed
	limit    int    // rows to keep in memory
	expected int    // rows to expect, for the first allocation
	buf, tmp []T
	file     vfs.File
	runs     []int64 // where each ends in the file
}

// newSorter returns a sorter that uses about the given bytes of memory and expects
// that many rows.
func newSorter[T words](fs vfs.FS, name string, bytes, expected int64) *sorter[T] {
	limit := max(16, bytes/int64(2*rowBytes[T]()))
	return &sorter[T]{fs: fs, name: name, limit: int(limit), expected: int(min(limit, expected+expected/8))}
}

func (s *sorter[T]) add(row *T) error {
	if len(s.buf) == s.limit {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if s.buf == nil {
		s.buf = make([]T, 0, s.expected)
	}
	s.buf = append(s.buf, *row)
	return nil
}

func (s *sorter[T]) sort() {
	if cap(s.tmp) < len(s.buf) {
		s.tmp = make([]T, cap(s.buf))
	}
	sortWords(s.buf, s.tmp[:len(s.buf)])
}

// spill writes the rows in memory as a run.
func (s *sorter[T]) spill() (err error) {
	if s.file == nil {
		if s.file, err = s.fs.Create(s.name, vfs.WriteCategoryUnspecified); err != nil {
			return err
		}
	}
	s.sort()
	w := bufio.NewWriterSize(s.file, 256<<10)
	var b []byte
	for i := range s.buf {
		b = appendWords(b[:0], &s.buf[i])
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	end := int64(len(s.buf) * rowBytes[T]())
	if n := len(s.runs); n > 0 {
		end += s.runs[n-1]
	}
	s.runs = append(s.runs, end)
	s.buf = s.buf[:0]
	return nil
}

// each calls fn with all rows in order. A row is valid only during the call.
func (s *sorter[T]) each(fn func(row *T) error) error {
	c, err := s.cursor()
	if err != nil {
		return err
	}
	defer c.close()
	for {
		row, err := c.next()
		if err != nil || row == nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}

// cursor returns a cursor over all rows in order. No row may be added after it, but
// any number of cursors may be used.
func (s *sorter[T]) cursor() (*cursor[T], error) {
	if len(s.runs) == 0 {
		s.sort()
		return &cursor[T]{rows: s.buf}, nil
	}
	if len(s.buf) > 0 {
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	return s.merge()
}

// cursor iterates over sorted rows: those in memory, or runs that it merges.
type cursor[T words] struct {
	rows []T
	heap []*run[T]
	file vfs.File
	name string
	last T
}

// next returns the next row, valid until the following call, or nil at the end.
func (c *cursor[T]) next() (*T, error) {
	if c.file == nil {
		if len(c.rows) == 0 {
			return nil, nil
		}
		row := &c.rows[0]
		c.rows = c.rows[1:]
		return row, nil
	}
	if len(c.heap) == 0 {
		return nil, nil
	}
	c.last = c.heap[0].row
	more, err := c.heap[0].next()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if !more {
		c.heap[0] = c.heap[len(c.heap)-1]
		c.heap = c.heap[:len(c.heap)-1]
	}
	down(c.heap, 0)
	return &c.last, nil
}

func (c *cursor[T]) close() {
	if c.file != nil {
		_ = c.file.Close() // it was only read
	}
}

// run reads one sorted run.
type run[T words] struct {
	in  *bufio.Reader
	row T
	b   []byte
}

// next reads the next row; more is false at the end.
func (r *run[T]) next() (more bool, err error) {
	if _, err := io.ReadFull(r.in, r.b); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	r.row = takeWords[T](r.b)
	return true, nil
}

// merge starts to merge the runs.
func (s *sorter[T]) merge() (*cursor[T], error) {
	f, err := s.fs.Open(s.name)
	if err != nil {
		return nil, err
	}
	c := &cursor[T]{file: f, name: s.name}
	size := rowBytes[T]()
	// The memory of the rows is idle in the meantime: read-ahead uses about as much.
	ahead := min(256<<10, max(4<<10, s.limit*size/len(s.runs)))
	from := int64(0)
	for _, end := range s.runs {
		r := &run[T]{in: bufio.NewReaderSize(io.NewSectionReader(f, from, end-from), ahead), b: make([]byte, size)}
		from = end
		more, err := r.next()
		if err != nil {
			c.close()
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if more {
			c.heap = append(c.heap, r)
		}
	}
	for i := len(c.heap)/2 - 1; i >= 0; i-- {
		down(c.heap, i)
	}
	return c, nil
}

func down[T words](h []*run[T], i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h) && less(&h[child].row, &h[least].row, 0) {
				least = child
			}
		}
		if least == i {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// reset forgets all rows and removes the file.
func (s *sorter[T]) reset() error {
	s.buf, s.runs = s.buf[:0], nil
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), s.fs.Remove(s.name))
	s.file = nil
	return err
}

func rowBytes[T words]() int {
	var row T
	return 8 * len(row)
}

// appendWords appends a row, each word little-endian.
func appendWords[T words](dst []byte, row *T) []byte {
	for i := range len(*row) {
		dst = binary.LittleEndian.AppendUint64(dst, (*row)[i])
	}
	return dst
}

func takeWords[T words](b []byte) (row T) {
	for i := range len(row) {
		row[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return row
}
