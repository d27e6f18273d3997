package views

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// Tables are read block by block, at random: blocks are small. The format is
// fixed, so that another version of Pebble writes the same bytes.
const (
	blockBytes      = 16 << 10
	indexBlockBytes = 64 << 10
	tableFormat     = sstable.TableFormatPebblev4
)

// PartOf is the part that holds a url's cells.
func PartOf(url []byte, parts int) int { return int(xxh3.Hash(url) >> 32 % uint64(parts)) }

func partName(part int) string { return fmt.Sprintf("part-%04d.sst", part) }

// Part writes the cells of one part. One goroutine owns it; parts may be
// written side by side.
type Part struct {
	fs              vfs.FS
	dir             string
	temporary, name string
	table           *sstable.Writer
	view            store.ViewID
	g               Granularity
	url             string
	pack            pack
	begun           bool
	key             []byte
	cells           int64
}

// CreatePart begins part number part of the run that is made in dir, under
// another name until Close. What lies there under either name is replaced.
func CreatePart(fs vfs.FS, dir string, part int) (*Part, error) {
	p := &Part{fs: fs, dir: dir, name: fs.PathJoin(dir, partName(part))}
	p.temporary = p.name + ".tmp"
	f, err := fs.Create(p.temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	p.table = sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		BlockSize: blockBytes, IndexBlockSize: indexBlockBytes, TableFormat: tableFormat,
		Compression: sstable.SnappyCompression, DisableValueBlocks: true,
	})
	return p, nil
}

// Add takes the next cell. Cells come in order of (view, granularity, url
// bytes, bucket), each once; all urls are of this part.
func (p *Part) Add(view store.ViewID, g Granularity, url string, bucket int32, value []byte) error {
	if !p.begun || p.view != view || p.g != g || p.url != url {
		if err := p.flush(); err != nil {
			return err
		}
		p.view, p.g, p.url, p.begun = view, g, url, true
	}
	if len(p.pack.b) > 0 && bucket <= p.pack.last || bucket < 0 {
		return fmt.Errorf("batch views: bucket %d of %s behind %d", bucket, url, p.pack.last)
	}
	p.pack.add(bucket, value)
	p.cells++
	if len(p.pack.b) >= packBytes {
		return p.flush()
	}
	return nil
}

func (p *Part) flush() error {
	if len(p.pack.b) == 0 {
		return nil
	}
	p.key = appendKey(p.key[:0], p.view, p.g, p.url, p.pack.last)
	err := p.table.Set(p.key, p.pack.b)
	p.pack.b = p.pack.b[:0]
	return err
}

// Cells is how many were added.
func (p *Part) Cells() int64 { return p.cells }

// Close makes the part durable under its name.
func (p *Part) Close() error {
	err := p.flush()
	if err := errors.Join(err, p.table.Close()); err != nil {
		return err
	}
	if err := p.fs.Rename(p.temporary, p.name); err != nil {
		return err
	}
	return SyncDir(p.fs, p.dir)
}

// Abort gives the part up; what was written stays under the other name.
func (p *Part) Abort() { _ = p.table.Close() }

// Finish makes a directory, into which parts 0 <= part < parts were written, a
// complete run. persons are those whom its edges make another's. info goes into
// run.json for people to read, and must be a function of the input too.
func Finish(fs vfs.FS, dir string, run store.Run, parts int, persons []Person, info map[string]string) error {
	m := &meta{Format: format, Run: run, Info: info}
	for part := range parts {
		f, err := measure(fs, dir, partName(part))
		if err != nil {
			return err
		}
		m.Parts = append(m.Parts, f)
	}
	if err := writePersons(fs, fs.PathJoin(dir, personsName), persons); err != nil {
		return err
	}
	var err error
	if m.Person, err = measure(fs, dir, personsName); err != nil {
		return err
	}
	return writeMeta(fs, dir, m)
}
