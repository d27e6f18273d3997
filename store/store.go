package store

import (
	"context"
	"errors"
	"math"
)

// Errors at the boundary. Implementations wrap them with %w.
var (
	// ErrConflict: a compare-and-set found another value than expected.
	ErrConflict = errors.New("store: changed by someone else")
	// ErrNoGeneration: the generation was never created.
	ErrNoGeneration = errors.New("store: generation does not exist")
	// ErrDropped: the generation existed and was dropped; its number is spent.
	ErrDropped = errors.New("store: generation was dropped")
	// ErrNoChunk: a chunk of a snapshot is not there (a newer one may be named).
	ErrNoChunk = errors.New("store: snapshot chunk is gone")
	// ErrAboveCommit: a snapshot may not be named above its shard's commit.
	ErrAboveCommit = errors.New("store: snapshot above the commit")
	// ErrCorrupt: bytes are there but cannot be what was written.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Store is what processors, queries and the expiry protocol need. All methods
// are safe for concurrent use. Slices handed in stay the caller's and are not
// kept; slices handed out are valid as each method says.
type Store interface {
	Writer
	Snapshots
	Control

	// Read opens a consistent reader; the caller closes it.
	Read(ctx context.Context) (Reader, error)
	// Stats describes sizes, for status and metrics.
	Stats(ctx context.Context) (Stats, error)
	Close() error
}

// Writer is the part a processor writes its cells through.
type Writer interface {
	// Apply makes the batch's cells durable, then its commit row (laws 1-3).
	// Cells are sorted by Key, each key once. The batch is not kept.
	Apply(ctx context.Context, b *Batch) error
	// Commit returns the shard's commit row. found is false when there is none.
	Commit(ctx context.Context, s Shard) (c Commit, found bool, err error)
	// Cells looks up many cells of one shard and calls fn with the index of
	// each that is there; value is valid during the call only. Generations that
	// were dropped have no cells; ones never created are ErrNoGeneration.
	Cells(ctx context.Context, s Shard, keys []Key, fn func(i int, version int64, value []byte) error) error
}

// Growing is implemented by a Store that takes growths of cells.
type Growing interface {
	// Growths is how many growths of a cell it can have beside the whole.
	Growths() int
}

// Unlimited growths: of a store that puts each beside all others. One that has
// room for a number of them keeps the n-th growth of the highest version in the
// n-th place, the whole in place 0; a read unites what stands in all places, at
// the highest version of any.
//
// What stands there is all that any event below that version added, whoever
// wrote it: each growth was put when the one before it was acknowledged, and the
// first when a whole was. If a zombie's puts take some places of an owner's, the
// n-th place has the highest version of all who wrote there, and it covers what
// came since its own writer's put before, whose place has that version or a
// higher one. By induction from the whole, nothing is missing in between.
const Unlimited = math.MaxInt32

// Growths is how many growths of a cell a store takes; 0 if none.
func Growths(s Store) int {
	if g, ok := s.(Growing); ok {
		return g.Growths()
	}
	return 0
}

// Snapshots keeps operator state (law 4).
type Snapshots interface {
	// PutChunk makes one chunk durable under (shard, offset, index).
	PutChunk(ctx context.Context, s Shard, offset int64, index int, chunk []byte) error
	// NameSnapshot makes (offset, chunks) the shard's snapshot. All its chunks
	// are durable by then. ErrAboveCommit when the commit is below offset.
	NameSnapshot(ctx context.Context, s Shard, n SnapshotName) error
	// Snapshot returns the name row; found is false when none was named.
	Snapshot(ctx context.Context, s Shard) (n SnapshotName, found bool, err error)
	// Chunk appends one chunk to dst. ErrNoChunk when it is gone.
	Chunk(ctx context.Context, s Shard, offset int64, index int, dst []byte) ([]byte, error)
}

// Chunking is implemented by a store that takes chunks of a certain length best.
type Chunking interface {
	// ChunkBytes is that length.
	ChunkBytes() int
}

// ChunkBytes is how long the chunks of a snapshot are made, but the last; any other
// length is read as well. Without a wish of the store it is 4 MiB.
func ChunkBytes(s Snapshots) int {
	if c, ok := s.(Chunking); ok {
		return c.ChunkBytes()
	}
	return 4 << 20
}

// Control holds the rows that change rarely.
type Control interface {
	// Epochs returns all epochs, oldest first.
	Epochs(ctx context.Context) ([]Epoch, error)
	// AppendEpoch adds e if e.Number is the number of epochs so far, else ErrConflict.
	AppendEpoch(ctx context.Context, e Epoch) error
	// Pointer returns the pointer row. A fresh store has the zero Pointer.
	Pointer(ctx context.Context) (Pointer, error)
	// SwapPointer replaces the row if its counter is still expect; p.Counter
	// must be expect+1. Else ErrConflict.
	SwapPointer(ctx context.Context, expect uint64, p Pointer) error
	// Row returns the bytes of a named row, which are the caller's; nil when there is
	// none. Names are 1 to 200 bytes of ASCII.
	Row(ctx context.Context, name string) ([]byte, error)
	// SwapRow sets a named row to other bytes if it still has the bytes from, where
	// nil stands for a row that is not there. won is false if it has not.
	SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error)
	// CreateGeneration makes a generation's table; doing it again is no error.
	CreateGeneration(ctx context.Context, g uint32) error
	// DropGeneration drops all cells of a generation, whole. Doing it again, or
	// dropping one that never was, is no error and spends the number.
	DropGeneration(ctx context.Context, g uint32) error
}

// Reader reads cells and commits. A reader of an atomic store is one snapshot:
// nothing that is applied later shows. Not for concurrent use.
type Reader interface {
	// Atomic says that everything is read at one moment, pointer, commits and
	// cells alike, and that no cell lies above its shard's commit.
	Atomic() bool
	Pointer(ctx context.Context) (Pointer, error)
	Epochs(ctx context.Context) ([]Epoch, error)
	// Commits returns the commit rows of all shards, by shard.
	Commits(ctx context.Context) ([]ShardCommit, error)
	// Scan calls fn for each cell of the range in order of (url, hour, shard).
	// The cell is valid during the call only. An error of fn ends the scan.
	Scan(ctx context.Context, r Range, fn func(c *ScanCell) error) error
	Close() error
}

// DomainScanner is implemented by a Reader that finds the cells of domains
// without going through those of their pages.
type DomainScanner interface {
	// ScanDomains is Scan, but leaves out each url that has a slash in it.
	ScanDomains(ctx context.Context, r Range, fn func(c *ScanCell) error) error
}

// Stats are sizes in bytes.
type Stats struct {
	DiskBytes   int64 // on disk, everything
	MemoryBytes int64 // caches and buffers of the store
	Generations []uint32
}
