package compute

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"speedlayer/batch/archive"
	"speedlayer/event"
	"speedlayer/store"
)

// Log is the master dataset: the raw log, classified row by row, and never changed.
// Scans may run concurrently.
type Log interface {
	// Start returns the lowest offset that the shard ever had.
	Start(ctx context.Context, s store.Shard) (int64, error)
	// Scan calls fn with the rows of a shard in [from, to), in log order. A row
	// of the range that is missing from the archive is an error.
	Scan(ctx context.Context, s store.Shard, from, to int64, fn func(*Batch) error) error
}

// Batch is some rows of a shard, column by column. It is valid only during the call.
type Batch struct {
	N      int
	Offset []int64
	Kind   []archive.Kind
	TS     []int64 // ms since 1970, of the event

	// Page (host and path), person and nonce of an event. A record without a
	// nonce has the one that is derived from its first position.
	Page, Person, Nonce Text

	// Rerouted lists the rows that came from another partition, ascending; it is nil if
	// there are none. It includes rows of every kind, also rejected ones.
	Rerouted []archive.ReroutedRow
}

// Text is a column of texts. Equal texts may share a number, so that each text is
// processed once.
type Text struct {
	Index []int32 // the number of each row's text; nil if row i has number i
	Texts Texts
}

// Texts are the texts of a batch, by number.
type Texts interface {
	Len() int
	Text(i int32) []byte
}

// Input is what the result of a run depends on, and where the run works.
type Input struct {
	Log    Log
	Vector []store.VectorEntry // exclusive offsets up to which the log is absorbed
	Number uint32              // of the run
	Lost   int64               // records below the vector that are accepted as lost; recorded only in the run's info
	Edges  []event.Edge        // records of the topic equivs up to the run's position, in log order

	WorkDir string // for spills and finished stages; the work of another run is removed
	OutDir  string // receives the result, as one folder
	FS      vfs.FS // nil means the disk

	// MemoryBytes bounds what is sorted and buffered, by all workers together; 0
	// is 512 MiB. The edges with their mapping of persons, and some megabytes for each
	// worker, come in addition.
	MemoryBytes int64
	Workers     int // 0 means the number of cores

	// Progress, if not nil, is called now and then, never concurrently.
	Progress func(Progress)
}

// Progress tells how far a run is.
type Progress struct {
	Share  float64 // of the work, 0 to 1
	Rows   int64   // of the log, read so far
	PerSec float64 // rows of the log a second, by the work done so far
}

// ErrInput: the input is not valid.
var ErrInput = errors.New("batch run: bad input")

func (in Input) withDefaults() (Input, error) {
	if in.FS == nil {
		in.FS = vfs.Default
	}
	if in.MemoryBytes == 0 {
		in.MemoryBytes = 512 << 20
	}
	if in.Workers == 0 {
		in.Workers = runtime.GOMAXPROCS(0)
	}
	if in.Progress == nil {
		in.Progress = func(Progress) {}
	}
	if in.Log == nil || in.WorkDir == "" || in.OutDir == "" || in.Workers < 1 || in.MemoryBytes < 0 {
		return in, fmt.Errorf("%w: log, work and out folder are needed; %d workers with %d bytes", ErrInput, in.Workers, in.MemoryBytes)
	}
	in.Vector = slices.Clone(in.Vector)
	slices.SortFunc(in.Vector, func(a, b store.VectorEntry) int { return shardOf(a).Compare(shardOf(b)) })
	for i, v := range in.Vector {
		if v.Offset < 0 || v.Partition < 0 {
			return in, fmt.Errorf("%w: %v ends at offset %d", ErrInput, shardOf(v), v.Offset)
		}
		if i > 0 && shardOf(in.Vector[i-1]) == shardOf(v) {
			return in, fmt.Errorf("%w: %v is in the vector twice", ErrInput, shardOf(v))
		}
	}
	for i, e := range in.Edges {
		if err := e.Check(); err != nil {
			return in, fmt.Errorf("%w: edge %d: %w", ErrInput, i, err)
		}
	}
	return in, nil
}

func shardOf(v store.VectorEntry) store.Shard {
	return store.Shard{Epoch: v.Epoch, Partition: v.Partition}
}
