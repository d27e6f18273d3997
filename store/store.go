package store

import (
	"context"
	"errors"
	"math"
)

// Errors at the boundary. Implementations wrap them with %w.
var (
	// ErrConflict: a compare-and-set found a value other than the expected one.
	ErrConflict = errors.New("store: changed by someone else")
	// ErrNoGeneration: the generation was never created.
	ErrNoGeneration = errors.New("store: generation does not exist")
	// ErrDropped: the generation was created and dropped; its number is used up.
	ErrDropped = errors.New("store: generation was dropped")
	// ErrNoChunk: a chunk of a snapshot was not found (a newer snapshot may be named).
	ErrNoChunk = errors.New("store: snapshot chunk is gone")
	// ErrAboveCommit: a snapshot cannot be named above the commit of its shard.
	ErrAboveCommit = errors.New("store: snapshot above the commit")
	// ErrCorrupt: stored bytes cannot be what was written.
	ErrCorrupt = errors.New("store: corrupt")
	// ErrSuperseded: the shard was committed by someone else since the batch's After,
	// and the batch has cells that add. Nothing was applied. Its writer must load the
	// shard again.
	ErrSuperseded = errors.New("store: the shard was committed by another writer")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store: closed")
)

// Store is what processors, queries and the expiry protocol need. All methods
// are safe for concurrent use. Slices passed in belong to the caller and are not
// kept. The documentation of each method tells how long returned slices are valid.
type Store interface {
	Writer
	Snapshots
	Control

	// Read opens a consistent reader, which the caller must close.
	Read(ctx context.Context) (Reader, error)
	// Stats describes sizes, for status and metrics.
	Stats(ctx context.Context) (Stats, error)
	Close() error
}

// Writer is the part that a processor writes its cells through.
type Writer interface {
	// Apply makes the cells of the batch durable, then its commit row (laws 1-3).
	// Cells are sorted by Key, and each key occurs once. The batch is not kept.
	Apply(ctx context.Context, b *Batch) error
	// Commit returns the commit row of the shard. found is false if there is none.
	Commit(ctx context.Context, s Shard) (c Commit, found bool, err error)
	// Cells looks up many cells of one shard and calls fn with the index of
	// each cell found; value is valid only during the call. A generation that was
	// dropped has no cells; one that was never created is ErrNoGeneration.
	Cells(ctx context.Context, s Shard, keys []Key, fn func(i int, version int64, value []byte) error) error
}

// TakesDeltas is implemented by a Store that takes deltas of cells.
type TakesDeltas interface {
	// Deltas returns how many deltas of a cell are stored beside the whole cell.
	Deltas() int
}

// Unlimited is the number of deltas of a store that keeps each one beside all
// others. A store with room for a limited number keeps the n-th delta of the
// highest version in the n-th place, and the whole cell in place 0. A read merges
// the contents of all places, at the highest version among them.
//
// Together they hold all that any event below that version added, whoever wrote
// it. Each delta was put when the one before it was acknowledged, and the first
// when a whole cell was. If the puts of a zombie take some places of an owner's
// puts, the n-th place has the highest version of all writers of that place. It
// covers what came since the previous put of its own writer, whose place has that
// version or a higher one. By induction from the whole cell, nothing is missing in
// between.
const Unlimited = math.MaxInt32

// Deltas returns how many deltas of a cell a store takes, 0 if none.
func Deltas(s Store) int {
	if g, ok := s.(TakesDeltas); ok {
		return g.Deltas()
	}
	return 0
}

// TakesAdditions is implemented by a Store that takes cells which add: its batches
// are atomic, and it refuses one with such cells, with ErrSuperseded, unless the
// shard's commit is still at Batch.After. So each of them is added exactly once,
// and a writer may add to a cell that it has not read. It takes deltas of sets too,
// without a limit, and without a whole cell below them.
type TakesAdditions interface {
	// Additions reports whether the store takes them.
	Additions() bool
}

// Additions reports whether a store takes cells that add.
func Additions(s Store) bool {
	a, ok := s.(TakesAdditions)
	return ok && a.Additions()
}

// Snapshots keeps the state of operators (law 4).
type Snapshots interface {
	// PutChunk makes one chunk durable under (shard, offset, index).
	PutChunk(ctx context.Context, s Shard, offset int64, index int, chunk []byte) error
	// NameSnapshot makes (offset, chunks) the snapshot of the shard. All its chunks
	// are durable by then. It returns ErrAboveCommit if the commit is below offset.
	NameSnapshot(ctx context.Context, s Shard, n SnapshotName) error
	// Snapshot returns the name row. found is false if no snapshot was named.
	Snapshot(ctx context.Context, s Shard) (n SnapshotName, found bool, err error)
	// Chunk appends one chunk to dst. It returns ErrNoChunk if the chunk is gone.
	Chunk(ctx context.Context, s Shard, offset int64, index int, dst []byte) ([]byte, error)
}

// Chunking is implemented by a store that prefers chunks of a certain length.
type Chunking interface {
	// ChunkBytes returns that length.
	ChunkBytes() int
}

// ChunkBytes returns the length of every chunk of a snapshot but the last. Chunks of
// any other length can be read as well. If the store has no preference, it is 4 MiB.
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
	// AppendEpoch adds e if e.Number is the number of epochs so far. Otherwise it
	// returns ErrConflict.
	AppendEpoch(ctx context.Context, e Epoch) error
	// Pointer returns the pointer row. In a fresh store it is the zero Pointer.
	Pointer(ctx context.Context) (Pointer, error)
	// SwapPointer replaces the row if its counter is still expect; p.Counter
	// must be expect+1. Otherwise it returns ErrConflict.
	SwapPointer(ctx context.Context, expect uint64, p Pointer) error
	// Row returns the bytes of a named row, which belong to the caller, or nil if
	// there is no such row. Names are 1 to 200 bytes of ASCII.
	Row(ctx context.Context, name string) ([]byte, error)
	// SwapRow sets a named row to other bytes if it still has the bytes from. A nil
	// slice stands for a missing row. won is false if the row has other bytes.
	SwapRow(ctx context.Context, name string, from, to []byte) (won bool, err error)
	// CreateGeneration makes the table of a generation. Repeating it is not an error.
	CreateGeneration(ctx context.Context, g uint32) error
	// DropGeneration drops all cells of a generation at once. Repeating it, or
	// dropping a generation that never existed, is not an error and uses up the number.
	DropGeneration(ctx context.Context, g uint32) error
}

// Reader reads cells and commits. The reader of an atomic store is one snapshot:
// it shows nothing that is applied later. It is not safe for concurrent use.
type Reader interface {
	// Atomic reports whether everything is read at one moment (pointer, commits and
	// cells alike), so that no cell is above the commit of its shard.
	Atomic() bool
	Pointer(ctx context.Context) (Pointer, error)
	Epochs(ctx context.Context) ([]Epoch, error)
	// Commits returns the commit rows of all shards, by shard.
	Commits(ctx context.Context) ([]ShardCommit, error)
	// Scan calls fn for each cell of the range in order of (url, hour, shard).
	// The cell is valid only during the call. An error from fn ends the scan.
	Scan(ctx context.Context, r Range, fn func(c *ScanCell) error) error
	Close() error
}

// DomainScanner is implemented by a Reader that finds the cells of domains
// without going through those of their pages.
type DomainScanner interface {
	// ScanDomains is like Scan, but skips each url that contains a slash, and may
	// pass cells in any order.
	ScanDomains(ctx context.Context, r Range, fn func(c *ScanCell) error) error
}

// CountsFaults is implemented by a Store whose servers are elsewhere.
type CountsFaults interface {
	// Faults returns the counts so far.
	Faults() Faults
}

// Faults counts requests to a store's servers that went wrong since the start: tries
// that failed and were repeated, requests that were given up (their callers offer the
// work again), and clients that were replaced because they got no answer.
type Faults struct{ Retries, Failures, Renewals int64 }

// Stats holds sizes in bytes.
type Stats struct {
	DiskBytes   int64 // on disk, everything
	MemoryBytes int64 // caches and buffers of the store
	Generations []uint32
}
