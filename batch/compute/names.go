package compute

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/views"
)

// names are the urls of a part that do not fit into memory: sorted runs in one file,
// which are merged into another file in which the n-th url has rank n. The ranks are
// also sorted by hash, to be joined with rows by hash.
//
//	length u16, little-endian | bytes     each url, in both files
type names struct {
	fs     vfs.FS
	path   string // path of the merged file; the file of the runs adds a suffix
	runs   []int64
	file   vfs.File // of the runs
	ranks  *sorter[ranked]
	reader *nameReader
}

// ranked is the hash and rank of a url.
type ranked [3]uint64

const runsSuffix = "-runs"

// addRun writes the sorted urls in memory as a run.
func (n *names) addRun(u *urls) (err error) {
	if n.file == nil {
		if n.file, err = n.fs.Create(n.path+runsSuffix, vfs.WriteCategoryUnspecified); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(n.file, 64<<10)
	var end int64
	if len(n.runs) > 0 {
		end = n.runs[len(n.runs)-1]
	}
	for i := range u.all {
		size, err := writeName(w, u.bytes(uint32(i)))
		if err != nil {
			return err
		}
		end += size
	}
	n.runs = append(n.runs, end)
	return w.Flush()
}

func writeName(w *bufio.Writer, url []byte) (int64, error) {
	var head [2]byte
	binary.LittleEndian.PutUint16(head[:], uint16(len(url)))
	if _, err := w.Write(head[:]); err != nil {
		return 0, err
	}
	_, err := w.Write(url)
	return int64(2 + len(url)), err
}

// nameReader reads urls one after the other.
type nameReader struct {
	file vfs.File // the file to close; nil if another reader owns it
	in   *bufio.Reader
	url  []byte
	rank int64 // rank of url; -1 before the first
}

// next reads the next url. It returns io.EOF at the end.
func (r *nameReader) next() error {
	var head [2]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint16(head[:]))
	r.url = append(r.url[:0], make([]byte, n)...)
	r.rank++
	if _, err := io.ReadFull(r.in, r.url); err != nil {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return nil
}

// merge ranks all urls: it writes them in order and sorts their ranks by hash.
func (n *names) merge() (err error) {
	in, err := n.fs.Open(n.path + runsSuffix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var heap nameHeap
	from := int64(0)
	for _, end := range n.runs {
		r := &nameReader{in: bufio.NewReaderSize(io.NewSectionReader(in, from, end-from), 16<<10), rank: -1}
		from = end
		if err := r.next(); err != nil {
			return err
		}
		heap = append(heap, r)
	}
	for i := len(heap)/2 - 1; i >= 0; i-- {
		heap.down(i)
	}
	out, err := n.fs.Create(n.path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(out, 64<<10)
	if err := errors.Join(n.mergeInto(w, heap), w.Flush()); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

func (n *names) mergeInto(w *bufio.Writer, heap nameHeap) error {
	var last []byte
	rank := uint64(0)
	for len(heap) > 0 {
		if url := heap[0].url; rank == 0 || !bytes.Equal(url, last) {
			h := views.Hash(url)
			if err := n.ranks.add(&ranked{h.Hi, h.Lo, rank}); err != nil {
				return err
			}
			if _, err := writeName(w, url); err != nil {
				return err
			}
			last = append(last[:0], url...)
			rank++
		}
		switch err := heap[0].next(); {
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			heap[0] = heap[len(heap)-1]
			heap = heap[:len(heap)-1]
		case err != nil:
			return fmt.Errorf("%s: %w", n.path+runsSuffix, err)
		}
		heap.down(0)
	}
	return nil
}

// nameHeap is a binary heap of readers by url.
type nameHeap []*nameReader

func (h nameHeap) down(i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(h) && bytes.Compare(h[child].url, h[least].url) < 0 {
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

// url returns the url of a rank. Ranks must be ascending, or start again from 0.
func (n *names) url(rank uint32) (string, error) {
	if n.reader == nil || n.reader.rank > int64(rank) {
		if err := n.rewind(); err != nil {
			return "", err
		}
	}
	for n.reader.rank < int64(rank) {
		if err := n.reader.next(); err != nil {
			return "", fmt.Errorf("%s: url %d: %w", n.path, rank, err)
		}
	}
	return string(n.reader.url), nil
}

func (n *names) rewind() error {
	n.closeReader()
	f, err := n.fs.Open(n.path)
	if err != nil {
		return err
	}
	n.reader = &nameReader{file: f, in: bufio.NewReaderSize(f, 64<<10), rank: -1}
	return nil
}

func (n *names) closeReader() {
	if n.reader != nil {
		_ = n.reader.file.Close() // it was only read
		n.reader = nil
	}
}

// reset removes the files.
func (n *names) reset() error {
	n.closeReader()
	errs := []error{n.ranks.reset()}
	if n.file != nil {
		errs = append(errs, n.file.Close(), n.fs.Remove(n.path+runsSuffix))
		if err := n.fs.Remove(n.path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	n.file, n.runs = nil, nil
	return errors.Join(errs...)
}
