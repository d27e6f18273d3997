package cassandra

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/zeebo/xxh3"

	"speedlayer/store"
)

// Tables of a keyspace. Numbers in names are those of generations, in ten digits so
// that they sort.
//
//	cells_0000000007  cells of generation 7; dropped whole, so that nothing is ever deleted in it
//
//	  bucket, day     partition: XXH3 of the url modulo the layout's buckets; the day in UTC
//	  view_id         the view
//	  url             page or domain
//	  hour            of the day, 0 to 23
//	  log_epoch, log_partition   the shard
//	  delta           0: the whole cell; from 1: what it gained since (store.TakesDeltas)
//	  value           the cell's bytes; WRITETIME(value) is its version
//
//	days              (generation, day) -> nothing: the days of which a generation may have cells
//	shards            (what, log_epoch, log_partition) -> value
//	  'commit'        a commit record; WRITETIME(value) is its offset
//	  'snapshot'      the number of chunks, u64 big-endian; WRITETIME(value) is the snapshot's offset
//	snapshots         (log_epoch, log_partition, log_offset, chunk) -> value, a chunk of operator state
//	control           name -> value, writer: written by lightweight transactions only
//	  'layout'                 JSON of layout
//	  'pointer'                JSON of store.Pointer
//	  'epoch/0000000002'       JSON of store.Epoch
//	  'generation/0000000007'  "created" or "dropped"
//	  'row/NAME'               a named row
//	  writer                   16 random bytes, other ones with each change
//
// In a partition of cells the rows of a view are one behind the other, by url, hour
// and shard: the picture of url -> hour -> count. A batch of a processor has as many
// requests as its cells have buckets and days, because all rows of a partition go in
// one. Each row of control is a partition, because Cassandra agrees on lightweight
// transactions by partition.
//
// A table's id is a hash of its name. When two processes create a table at the same
// time through different nodes, both so create the same one. Ids of Cassandra's own
// choice would differ, and what is written to one of both would be lost.
const (
	controlTable   = "control"
	daysTable      = "days"
	shardsTable    = "shards"
	snapshotsTable = "snapshots"
	cellsPrefix    = "cells_"

	layoutRow        = "layout"
	pointerRow       = "pointer"
	epochPrefix      = "epoch/"
	generationPrefix = "generation/"
	rowPrefix        = "row/"

	commitKind   = "commit"
	snapshotKind = "snapshot"

	stateCreated = "created"
	stateDropped = "dropped"
)

// layoutVersion is the number of the layout of all tables.
const layoutVersion = 1

// layout is the row that tells how a keyspace is used.
type layout struct {
	Version int    `json:"version"`
	Buckets int    `json:"buckets"` // partitions of a day
	Salt    string `json:"salt"`    // of the ids of tables of cells: random, once a keyspace
}

const (
	defaultBuckets = 16
	maxBuckets     = 256
	hoursADay      = 24
	// deltas is the number of deltas of a cell. A cell that changes with every batch is
	// put whole once in so many puts, and read from as many rows.
	deltas = 31
)

func bucketOf(url string, buckets int) int16 {
	return int16(xxh3.HashString(url) % uint64(buckets))
}

func cellsTable(g uint32) string    { return fmt.Sprintf("%s%010d", cellsPrefix, g) }
func epochRow(n uint32) string      { return fmt.Sprintf("%s%010d", epochPrefix, n) }
func generationRow(g uint32) string { return fmt.Sprintf("%s%010d", generationPrefix, g) }

// generationOf parses the name of a table of cells.
func generationOf(table string) (uint32, bool) {
	text, ok := strings.CutPrefix(table, cellsPrefix)
	if !ok || len(text) != 10 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

// idOf returns the id of a table.
func idOf(keyspace, table, salt string) gocql.UUID {
	sum := sha256.Sum256([]byte("speedlayer\x00" + keyspace + "\x00" + table + "\x00" + salt))
	var id gocql.UUID
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, RFC 4122
	return id
}

// createTable returns the statement that creates a table. Timestamps are versions, so
// there is no time to live, and no compaction by time.
func (s *Store) createTable(table, salt, columns, with string) string {
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.%s (%s) WITH id = %v%s", s.opts.Keyspace, table, columns, idOf(s.opts.Keyspace, table, salt), with)
}

const (
	cellsColumns = "bucket smallint, day date, view_id smallint, url text, hour tinyint, log_epoch bigint, log_partition int, delta tinyint, value blob, " +
		"PRIMARY KEY ((bucket, day), view_id, url, hour, log_epoch, log_partition, delta)"
	daysColumns      = "generation bigint, day date, PRIMARY KEY (generation, day)"
	shardsColumns    = "what text, log_epoch bigint, log_partition int, value blob, PRIMARY KEY (what, log_epoch, log_partition)"
	snapshotsColumns = "log_epoch bigint, log_partition int, log_offset bigint, chunk int, value blob, PRIMARY KEY ((log_epoch, log_partition), log_offset, chunk)"
	controlColumns   = "name text PRIMARY KEY, value blob, writer blob"

	// Old chunks are deleted. If a delete is forgotten before it has reached a replica,
	// chunks come back that nobody looks for.
	snapshotsWith = " AND gc_grace_seconds = 3600"
)

// Statements. Those of cells have the name of the table in them; the driver prepares
// each once for each node.
const (
	readControl = "SELECT value, writer FROM " + controlTable + " WHERE name = ?"
	makeControl = "INSERT INTO " + controlTable + " (name, value, writer) VALUES (?, ?, ?) IF NOT EXISTS"
	swapControl = "UPDATE " + controlTable + " SET value = ?, writer = ? WHERE name = ? IF writer = ?"

	putDay   = "INSERT INTO " + daysTable + " (generation, day) VALUES (?, ?) USING TIMESTAMP 1"
	readDays = "SELECT day FROM " + daysTable + " WHERE generation = ? AND day >= ? AND day <= ?"

	putShard   = "INSERT INTO " + shardsTable + " (what, log_epoch, log_partition, value) VALUES (?, ?, ?, ?) USING TIMESTAMP ?"
	readShard  = "SELECT WRITETIME(value), value FROM " + shardsTable + " WHERE what = ? AND log_epoch = ? AND log_partition = ?"
	readShards = "SELECT log_epoch, log_partition, WRITETIME(value), value FROM " + shardsTable + " WHERE what = ?"

	putChunk     = "INSERT INTO " + snapshotsTable + " (log_epoch, log_partition, log_offset, chunk, value) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?"
	readChunk    = "SELECT value FROM " + snapshotsTable + " WHERE log_epoch = ? AND log_partition = ? AND log_offset = ? AND chunk = ?"
	listChunks   = "SELECT chunk FROM " + snapshotsTable + " WHERE log_epoch = ? AND log_partition = ? AND log_offset = ?"
	deleteChunks = "DELETE FROM " + snapshotsTable + " USING TIMESTAMP ? WHERE log_epoch = ? AND log_partition = ? AND log_offset < ?"
)

func putCell(g uint32) string {
	return "INSERT INTO " + cellsTable(g) + " (bucket, day, view_id, url, hour, log_epoch, log_partition, delta, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
}

const cellColumns = "SELECT view_id, url, hour, log_epoch, log_partition, delta, WRITETIME(value), value FROM "

func readCells(g uint32) string {
	return cellColumns + cellsTable(g) + " WHERE bucket = ? AND day = ? AND (view_id, url, hour, log_epoch, log_partition) IN ?"
}

func scanURL(g uint32) string {
	return cellColumns + cellsTable(g) + " WHERE bucket = ? AND day = ? AND view_id = ? AND url = ? AND hour >= ? AND hour <= ?"
}

func scanFrom(g uint32) string {
	return cellColumns + cellsTable(g) + " WHERE bucket = ? AND day = ? AND view_id = ? AND url >= ?"
}

func scanBetween(g uint32) string { return scanFrom(g) + " AND url < ?" }

// date is a day, counted from 1970, as Cassandra encodes it: u32 big-endian, with
// 1970-01-01 in the middle.
type date int32

const dateZero = 1 << 31

// MarshalCQL implements gocql.Marshaler.
func (d date) MarshalCQL(gocql.TypeInfo) ([]byte, error) {
	return binary.BigEndian.AppendUint32(nil, uint32(int64(d)+dateZero)), nil
}

// UnmarshalCQL implements gocql.Unmarshaler.
func (d *date) UnmarshalCQL(_ gocql.TypeInfo, b []byte) error {
	if len(b) != 4 {
		return fmt.Errorf("%w: a date of %d bytes", store.ErrCorrupt, len(b))
	}
	*d = date(int64(binary.BigEndian.Uint32(b)) - dateZero)
	return nil
}
