package hbase

import (
	"fmt"
	"strconv"
	"strings"

	"speedlayer/store"
)

// Names of tables, with the prefix in front. Numbers are those of generations, in
// ten digits so that they sort.
//
//	PREFIX_control           rows that change rarely, and the commits
//	PREFIX_cells_0000000007  cells of generation 7
//	PREFIX_state_0000000007  snapshots written while 7 was the newest generation
//
// Rows of the control table, all in family "c"; integers in rows are decimal
// in ten digits (E epoch, P partition), u64 big-endian.
//
//	layout                  version   the number of this layout, in decimal
//	pointer                 json      store.Pointer; writer: 16 random bytes
//	epoch/0000000002        json      store.Epoch; writer: 16 random bytes
//	row/NAME                bytes     a named row; writer: 16 random bytes
//	generation/0000000007   state     "created" or "dropped"
//	commit/E/P              record    a commit record; timestamp: its offset
//	snapshot/E/P            name      chunks u64 | table u64; timestamp: its offset
//
// pointer, epoch, row and generation have the server's time as timestamp: a
// check-and-put with a timestamp below the stored one would be answered with
// true, and yet no reader would see a change.
const (
	controlFamily = "c"
	stateFamily   = "s"

	layoutRow        = "layout"
	pointerRow       = "pointer"
	epochPrefix      = "epoch/"
	generationPrefix = "generation/"
	rowPrefix        = "row/"
	commitPrefix     = "commit/"
	snapshotPrefix   = "snapshot/"

	versionColumn = "version"
	jsonColumn    = "json"
	writerColumn  = "writer"
	stateColumn   = "state"
	recordColumn  = "record"
	bytesColumn   = "bytes"
	nameColumn    = "name"

	stateCreated = "created"
	stateDropped = "dropped"

	// layoutVersion is the number of the layout of all tables.
	layoutVersion = "1"
)

type names struct{ prefix string }

func (n names) control() string       { return n.prefix + "_control" }
func (n names) cellsPrefix() string   { return n.prefix + "_cells_" }
func (n names) statePrefix() string   { return n.prefix + "_state_" }
func (n names) cells(g uint32) string { return fmt.Sprintf("%s%010d", n.cellsPrefix(), g) }
func (n names) state(g uint32) string { return fmt.Sprintf("%s%010d", n.statePrefix(), g) }
func epochRow(n uint32) string        { return fmt.Sprintf("%s%010d", epochPrefix, n) }
func generationRow(g uint32) string   { return fmt.Sprintf("%s%010d", generationPrefix, g) }
func shardRow(p string, s store.Shard) string {
	return fmt.Sprintf("%s%010d/%010d", p, s.Epoch, s.Partition)
}

// numberOf parses the number at the end of the name of a table or row.
func numberOf(prefix, name string) (uint32, bool) {
	text, ok := strings.CutPrefix(name, prefix)
	if !ok || len(text) != 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

func shardOf(prefix, row string) (s store.Shard, err error) {
	text, ok := strings.CutPrefix(row, prefix)
	e, p, cut := strings.Cut(text, "/")
	epoch, err1 := strconv.ParseUint(e, 10, 32)
	partition, err2 := strconv.ParseUint(p, 10, 31)
	if !ok || !cut || err1 != nil || err2 != nil || len(e) != 10 || len(p) != 10 {
		return s, fmt.Errorf("%w: row %q names no shard", store.ErrCorrupt, row)
	}
	return store.Shard{Epoch: uint32(epoch), Partition: int32(partition)}, nil
}

// A chunk of a snapshot is stored in the row
//
//	bucket | ':' | epoch/partition/offset/chunk
//
// with offset in 19 digits, so that the chunks of a shard sort by offset.
// bucket is a hex digit derived from the shard.
func chunkPrefix(s store.Shard) string {
	return fmt.Sprintf("%c:%010d/%010d/", hexDigits[(uint32(s.Partition)*7+s.Epoch)%buckets], s.Epoch, s.Partition)
}

func chunkRow(s store.Shard, offset int64, index int) string {
	return fmt.Sprintf("%s%019d/%06d", chunkPrefix(s), offset, index)
}
