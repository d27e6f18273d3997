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

// Log is the master dataset: the raw log, judged row by row, and never changed.
// Scans may run side by side.
type Log interface {
	// Start is the lowest offset that the shard ever had.
	Start(ctx context.Context, s store.Shard) (int64, error)
	// Scan calls fn with the rows of a shard in [from, to), in log order. A row
	// of the range that the archive does not have is an error.
	Scan(ctx context.Context, s store.Shard, from, to int64, fn func(*Batch) error) error
}

// Batch is some rows of a shard, column by column. It is valid during the call.
type Batch struct {
	N      int
	Offset []int64
	Kind   []archive.Kind
	TS     []int64 // ms since 1970, of the event

	// Page (host and path), person and nonce of an event; a record without a
	// nonce has the one that is made from where it first lay.
	Page, Person, Nonce Text

	// Moved are the rows that came from another partition, ascending; nil for
	// none. Rows of every kind are here, refused ones too.
	Moved []archive.MovedRow
}

// Text is a column of texts. A text that comes again has one number, so that it
// is looked at once.
type Text struct {
	Index []int32 // number of each row's text; nil when row i has number i
	Texts Texts
}

// Texts are the texts of a batch, by number.
type Texts interface {
	Len() int
	Text(i int32) []byte
}

// Input is what a run is a function of, and where it works.
type Input struct {
	Log    Log
	Vector []store.VectorEntry // offsets up to which the log is absorbed, exclusive
	Number uint32              // of the run
	Lost   int64               // records below the vector that are accepted as lost; only said, in the run's info
	Edges  []event.Edge        // records of the topic equivs up to the run's position, in log order

	WorkDir string // for what is spilled and finished stages; another run's is thrown away
	OutDir  string // gets the result, as one folder
	FS      vfs.FS // nil is the disk

	// MemoryBytes bounds what is sorted and buffered, by all workers together; 0
	// is 512 MiB. Beside it stand the edges with the mapping of their persons, and
	// some megabytes for each worker.
	MemoryBytes int64
	Workers     int // 0 is the number of cores

	// Progress, if not nil, is called now and then, never twice at a time.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Share  float64 // of the work, 0 to 1
	Rows   int64   // of the log read so far
	PerSec float64 // rows of the log that the work done so far is worth, a second
}

// ErrInput: the input cannot be what is meant.
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
