package compute

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"
)

// A spill is the output of one unit of a stage: many streams in one file, in blocks
// in the order in which they became full, and a separate index that tells which block
// belongs to which stream. The index is written last, and one rename gives it its
// name. A unit with an index is finished and is not repeated.
//
//	NAME       blocks
//	NAME.done  JSON of counts, a line | blocks: stream u32, bytes u32, XXH3 u64
//	           each, little-endian | XXH3 of all before u64
//
// Nothing here is synced, because syncing would take longer than writing. Checksums
// detect what a loss of power destroyed, and the run begins again.
type spillWriter struct {
	fs      vfs.FS
	dir     string
	name    string
	file    vfs.File
	streams [][]byte // not yet written
	block   int      // bytes at which a stream is written
	index   []byte
}

const (
	doneSuffix = ".done"
	indexBytes = 4 + 4 + 8
)

// errSpill: a spill differs from what was written.
var errSpill = errors.New("batch run: what was spilled is damaged")

// newSpill begins a spill. memory is for all streams together. It reuses the buffers
// of earlier spills.
func newSpill(fs vfs.FS, dir, name string, streams int, memory int64, buffers *[][]byte) (*spillWriter, error) {
	f, err := fs.Create(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	block := int(max(1<<10, min(256<<10, memory/int64(streams))))
	for len(*buffers) < streams {
		*buffers = append(*buffers, nil)
	}
	w := &spillWriter{fs: fs, dir: dir, name: name, file: f, streams: (*buffers)[:streams], block: block}
	for i := range w.streams {
		w.streams[i] = w.streams[i][:0]
	}
	return w, nil
}

// room returns the buffer of a stream with room for n more bytes. The caller appends
// to it and must pass the result to put.
func (w *spillWriter) room(stream, n int) ([]byte, error) {
	b := w.streams[stream]
	if len(b)+n <= w.block && b != nil {
		return b, nil
	}
	if len(b) > 0 {
		if err := w.write(stream); err != nil {
			return nil, err
		}
	}
	if cap(b) < w.block {
		return make([]byte, 0, w.block), nil
	}
	return b[:0], nil
}

func (w *spillWriter) put(stream int, b []byte) { w.streams[stream] = b }

func (w *spillWriter) write(stream int) error {
	b := w.streams[stream]
	w.index = binary.LittleEndian.AppendUint32(w.index, uint32(stream))
	w.index = binary.LittleEndian.AppendUint32(w.index, uint32(len(b)))
	w.index = binary.LittleEndian.AppendUint64(w.index, xxh3.Hash(b)) // before a file may change b, as vfs.File says
	if _, err := w.file.Write(b); err != nil {
		return err
	}
	w.streams[stream] = b[:0]
	return nil
}

// finish writes the index.
func (w *spillWriter) finish(c counts) error {
	for stream, b := range w.streams {
		if len(b) > 0 {
			if err := w.write(stream); err != nil {
				return errors.Join(err, w.file.Close())
			}
		}
	}
	if err := w.file.Close(); err != nil {
		return err
	}
	return writeDone(w.fs, w.dir, w.name, c, w.index)
}

// abort abandons the spill.
func (w *spillWriter) abort() { _ = w.file.Close() }

// writeDone records that a unit is finished.
func writeDone(fs vfs.FS, dir, name string, c counts, index []byte) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	b = append(append(b, '\n'), index...)
	b = binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
	path := fs.PathJoin(dir, name+doneSuffix)
	f, err := fs.Create(path+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return fs.Rename(path+".tmp", path)
}

// readDone returns what writeDone wrote; done is false if it wrote nothing.
func readDone(fs vfs.FS, dir, name string) (c counts, index []byte, done bool, err error) {
	f, err := fs.Open(fs.PathJoin(dir, name+doneSuffix))
	if errors.Is(err, os.ErrNotExist) {
		return c, nil, false, nil
	}
	if err != nil {
		return c, nil, false, err
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return c, nil, false, err
	}
	n := len(b) - 8
	if n < 0 || xxh3.Hash(b[:n]) != binary.LittleEndian.Uint64(b[n:]) {
		return c, nil, false, nil // truncated: the unit must be repeated
	}
	b = b[:n]
	at := 0
	for at < len(b) && b[at] != '\n' {
		at++
	}
	if err := json.Unmarshal(b[:at], &c); err != nil || (len(b)-at-1)%indexBytes != 0 {
		return c, nil, false, fmt.Errorf("%w: %s is of another format: %w", errSpill, name+doneSuffix, err)
	}
	return c, b[at+1:], true, nil
}

// spillReader reads the streams of a finished spill. It is safe for concurrent use.
type spillReader struct {
	file  vfs.File
	name  string
	index []byte
}

func openSpill(fs vfs.FS, dir, name string, index []byte) (*spillReader, error) {
	f, err := fs.Open(fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errSpill, err)
	}
	if err != nil {
		return nil, err
	}
	return &spillReader{file: f, name: name, index: index}, nil
}

// each calls fn with the blocks of a stream, in order. It uses buf for them and
// returns it.
func (r *spillReader) each(stream int, buf []byte, fn func(block []byte) error) ([]byte, error) {
	var at int64
	for i := 0; i < len(r.index); i += indexBytes {
		n := int(binary.LittleEndian.Uint32(r.index[i+4:]))
		if int(binary.LittleEndian.Uint32(r.index[i:])) == stream {
			if cap(buf) < n {
				buf = make([]byte, max(n, 256<<10))
			}
			m, err := r.file.ReadAt(buf[:n], at)
			if err != nil && !errors.Is(err, io.EOF) {
				return buf, fmt.Errorf("%s: %w", r.name, err)
			}
			if m < n || xxh3.Hash(buf[:n]) != binary.LittleEndian.Uint64(r.index[i+8:]) {
				return buf, fmt.Errorf("%w: %s, %d bytes from %d", errSpill, r.name, n, at)
			}
			if err := fn(buf[:n]); err != nil {
				return buf, err
			}
		}
		at += int64(n)
	}
	return buf, nil
}

func (r *spillReader) close() error { return r.file.Close() }

// rowsOf calls fn with the rows of a block.
func rowsOf[T words](block []byte, fn func(row *T) error) error {
	size := rowBytes[T]()
	if len(block)%size != 0 {
		return fmt.Errorf("a block of %d bytes is not rows of %d", len(block), size)
	}
	for ; len(block) > 0; block = block[size:] {
		row := takeWords[T](block)
		if err := fn(&row); err != nil {
			return err
		}
	}
	return nil
}
