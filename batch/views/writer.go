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

// Tables are read block by block, at random, so blocks are small. The format is
// fixed, so that another version of Pebble writes the same bytes.
const (
	blockBytes      = 16 << 10
	indexBlockBytes = 64 << 10
	tableFormat     = sstable.TableFormatPebblev4
)

// Hash identifies a url in a run: XXH3 with 128 bits, so that two urls never have
// the same hash.
func Hash(url []byte) xxh3.Uint128 { return xxh3.Hash128(url) }

// PartOf returns the part that holds the cells of a url with that hash.
func PartOf(h xxh3.Uint128, parts int) int { return int(h.Hi >> 32 % uint64(parts)) }

// kind returns the number of a table in its part: by view, then granularity.
func kind(view store.ViewID, g Granularity) int {
	return int(view-Pageviews)*len(Granularities) + int(g)
}

// kinds is how many tables a part has.
const kinds = 3 * len(Granularities)

func tableName(part, kind int) string {
	view := [...]string{"pageviews", "uniques", "bounces"}[kind/len(Granularities)]
	return fmt.Sprintf("%04d-%s-%v.sst", part, view, Granularities[kind%len(Granularities)])
}

// Part writes the cells of one part. One goroutine owns it; parts may be
// written concurrently.
type Part struct {
	fs     vfs.FS
	dir    string
	tables [kinds]*table
	cells  int64
}

// CreatePart begins part number part of the run that is made in dir. Its files
// have temporary names until Close. Existing files under either name are replaced.
func CreatePart(fs vfs.FS, dir string, part int) (*Part, error) {
	p := &Part{fs: fs, dir: dir}
	for k := range p.tables {
		t, err := createTable(fs, dir, tableName(part, k))
		if err != nil {
			p.Abort()
			return nil, err
		}
		p.tables[k] = t
	}
	return p, nil
}

// Add adds a cell. Cells of one view and granularity come in order of (url
// bytes, bucket), without repeats. All urls belong to this part.
func (p *Part) Add(view store.ViewID, g Granularity, url string, bucket int32, value []byte) error {
	if view < Pageviews || view > Bounces || g > Month {
		return fmt.Errorf("batch views: view %d by granularity %d: allowed are 1 to 3 and 0 to 3", view, g)
	}
	p.cells++
	return p.tables[kind(view, g)].add(url, bucket, value)
}

// Cells returns how many cells were added.
func (p *Part) Cells() int64 { return p.cells }

// Close makes the part durable under its final names.
func (p *Part) Close() error {
	for i, t := range p.tables {
		p.tables[i] = nil
		if err := t.close(); err != nil {
			p.Abort()
			return err
		}
	}
	return SyncDir(p.fs, p.dir)
}

// Abort abandons the part. What was written stays under the temporary names.
func (p *Part) Abort() {
	for _, t := range p.tables {
		if t != nil {
			_ = t.w.Close()
		}
	}
}

// table writes the cells of one view and granularity.
type table struct {
	fs              vfs.FS
	temporary, name string
	w               *sstable.Writer
	url             string
	pack            pack
	key             []byte
}

func createTable(fs vfs.FS, dir, name string) (*table, error) {
	t := &table{fs: fs, name: fs.PathJoin(dir, name)}
	t.temporary = t.name + ".tmp"
	f, err := fs.Create(t.temporary, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	t.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), sstable.WriterOptions{
		BlockSize: blockBytes, IndexBlockSize: indexBlockBytes, TableFormat: tableFormat,
		Compression: sstable.SnappyCompression, DisableValueBlocks: true,
	})
	return t, nil
}

func (t *table) add(url string, bucket int32, value []byte) error {
	if t.url != url {
		if err := t.flush(); err != nil {
			return err
		}
		t.url = url
	}
	if len(t.pack.b) > 0 && bucket <= t.pack.last || bucket < 0 {
		return fmt.Errorf("batch views: bucket %d of %s after %d", bucket, url, t.pack.last)
	}
	t.pack.add(bucket, value)
	if len(t.pack.b) >= packBytes {
		return t.flush()
	}
	return nil
}

func (t *table) flush() error {
	if len(t.pack.b) == 0 {
		return nil
	}
	t.key = appendKey(t.key[:0], t.url, t.pack.last)
	err := t.w.Set(t.key, t.pack.b)
	t.pack.b = t.pack.b[:0]
	return err
}

// close makes the table durable under its final name.
func (t *table) close() error {
	err := t.flush()
	if err := errors.Join(err, t.w.Close()); err != nil {
		return err
	}
	return t.fs.Rename(t.temporary, t.name)
}

// Finish makes a directory, into which parts 0 <= part < parts were written, a
// complete run. persons are those that its edges map to another person. info goes
// into run.json for people to read, and must also be a function of the input.
func Finish(fs vfs.FS, dir string, run store.Run, parts int, persons []Person, info map[string]string) error {
	m := &meta{Format: format, Run: run, Parts: parts, Info: info}
	for part := range parts {
		for k := range kinds {
			f, err := measure(fs, dir, tableName(part, k))
			if err != nil {
				return err
			}
			m.Tables = append(m.Tables, f)
		}
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
