package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"speedlayer/internal/objects"
	"speedlayer/store"
)

// groupRows is the number of rows in a row group and in a batch of a scan. It is large
// enough for dictionaries to pay off and small enough for a few megabytes.
const groupRows = 64 << 10

// pageBytes is the approximate size of a page before compression.
const pageBytes = 256 << 10

// Keys in a file's footer, each with a decimal number; day is 2006-01-02.
const (
	footerEpoch     = "speedlayer.epoch"
	footerPartition = "speedlayer.partition"
	footerFrom      = "speedlayer.from" // offsets covered: [from, to)
	footerTo        = "speedlayer.to"
	footerDay       = "speedlayer.day"
)

// dataName is the key of a data file of topic pageviews:
//
//	pageviews/epoch-0/partition-3/day=2026-11-25/00000000000000000000-00000000000000065536.7-1.parquet
//	                                             from                 to (exclusive)       term-serial
//
// The folder of a day is named in the style of Hive, so that DuckDB and Spark skip days
// that a query does not ask for. The other two folders are not: readers would take them
// for columns, with types that differ from those of the same name in the file.
// Term and serial make the names unique.
func dataName(topic string, s store.Shard, day string, from, to int64, term, serial uint64) string {
	return fmt.Sprintf("%s/epoch-%d/partition-%d/day=%s/%020d-%020d.%d-%d.parquet", topic, s.Epoch, s.Partition, day, from, to, term, serial)
}

// outdated reports whether a file was written before names were as above. Such a
// file has ts 0 instead of null, and often no column names in its footer, which
// parquet-java and Spark refuse. Compact rewrites it.
func (f *File) outdated() bool { return strings.Contains(f.Name, "/epoch=") }

// dayOf returns the day of a log time.
func dayOf(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.DateOnly) }

// dataWriter writes data files, one after the other, by way of a temporary file.
// T is Row or EdgeRow. It uses the memory of one row group.
type dataWriter[T any] struct {
	temp *os.File
	buf  *bufio.Writer
	w    *parquet.GenericWriter[T]
}

// newDataWriter creates the temporary file in dir or, if dir is empty, in the
// system's directory for such files. The file has no name, so a crash leaves none.
func newDataWriter[T any](dir string) (*dataWriter[T], error) {
	temp, err := os.CreateTemp(dir, "speedlayer-archive-")
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	if err := os.Remove(temp.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("archive: %w", err), temp.Close())
	}
	return &dataWriter[T]{temp: temp, buf: bufio.NewWriterSize(temp, 256<<10)}, nil
}

// begin starts the next file and discards what was written before. Each file has a
// separate writer: Reset of parquet-go v0.32.0 clears the column paths, so that every
// file after the first would have empty ones.
func (d *dataWriter[T]) begin() error {
	_, err := d.temp.Seek(0, io.SeekStart)
	if err = errors.Join(err, d.temp.Truncate(0)); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	d.buf.Reset(d.temp)
	d.w = parquet.NewGenericWriter[T](d.buf,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}),
		parquet.MaxRowsPerRowGroup(groupRows),
		parquet.PageBufferSize(pageBytes),
		parquet.DefaultEncodingFor(parquet.Int64, &parquet.DeltaBinaryPacked), // of ts: tags cannot set it for a pointer
		parquet.CreatedBy("speedlayer", "2", ""))
	return nil
}

// write appends rows and does not keep them.
func (d *dataWriter[T]) write(rows []T) error {
	if _, err := d.w.Write(rows); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// finish writes the footer and stores the file.
func (d *dataWriter[T]) finish(ctx context.Context, o objects.Store, s store.Shard, f *File) error {
	for _, kv := range [...]struct{ key, value string }{
		{footerEpoch, strconv.FormatUint(uint64(s.Epoch), 10)}, {footerPartition, strconv.FormatInt(int64(s.Partition), 10)},
		{footerFrom, strconv.FormatInt(f.From, 10)}, {footerTo, strconv.FormatInt(f.To, 10)}, {footerDay, f.Day},
	} {
		d.w.SetKeyValueMetadata(kv.key, kv.value)
	}
	if err := errors.Join(d.w.Close(), d.buf.Flush()); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	size, err := d.temp.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = d.temp.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	f.Bytes = size
	return o.Create(ctx, f.Name, d.temp, size)
}

func (d *dataWriter[T]) close() error { return d.temp.Close() }

// checkFooter reports how a file differs from its entry in the manifest.
func checkFooter(p *parquet.File, f File) error {
	if p.NumRows() != f.Rows {
		return fmt.Errorf("has %d rows, not %d", p.NumRows(), f.Rows)
	}
	for _, c := range [...]struct {
		key  string
		want string
	}{{footerFrom, strconv.FormatInt(f.From, 10)}, {footerTo, strconv.FormatInt(f.To, 10)}, {footerDay, f.Day}} {
		if have, _ := p.Lookup(c.key); have != c.want {
			return fmt.Errorf("%s is %q, not %q", c.key, have, c.want)
		}
	}
	return nil
}
