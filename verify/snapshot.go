package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"speedlayer/record"
	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// views are all that a store holds, in the order of their keys.
var views = []oracle.View{oracle.Pageviews, oracle.Uniques, oracle.Bounces}

// errChanged: the pointer moved while the store was read.
var errChanged = errors.New("verify: the list of generations changed while the cells were read")

// moves is how often in a row the pointer may move before Load gives up.
const moves = 10

// Head is what is read before the cells.
type Head struct {
	Format  int           `json:"format"`          // 1
	Kafka   string        `json:"kafka,omitempty"` // address of the log, of a server
	Pointer store.Pointer `json:"pointer"`
	Epochs  []store.Epoch `json:"epochs"`
	Commits []Commit      `json:"commits"`
	// Trust is the row with the key of internal records; empty if there is none.
	Trust json.RawMessage `json:"trust,omitempty"`
}

// Commit is one shard's commit row.
type Commit struct {
	Epoch     uint32 `json:"epoch"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Record    []byte `json:"record"`
}

// Cell is one cell as it lies in the store.
type Cell struct {
	Generation uint32      `json:"generation"`
	View       oracle.View `json:"view"`
	URL        string      `json:"url"`
	Hour       int32       `json:"hour"`
	Epoch      uint32      `json:"epoch"`
	Partition  int32       `json:"partition"`
	Version    int64       `json:"version"`
	Value      []byte      `json:"value"`
}

// Snapshot is all that the store holds: commits not newer than the cells.
type Snapshot struct {
	Head
	Shards map[store.Shard][]StoredCell // cells of each shard, by key
	arena  []byte                       // the values' memory
	url    string                       // of the last cell, whose neighbours share it
}

// StoredCell is a cell without its shard.
type StoredCell struct {
	Key     oracle.CellKey
	Version int64
	Value   []byte
}

// Source is what cells are read from; a store.Store is one.
type Source interface {
	Read(ctx context.Context) (store.Reader, error)
	Row(ctx context.Context, name string) ([]byte, error)
}

// FromStore returns how to read a store's cells.
func FromStore(from Source) func(context.Context) (*Snapshot, error) {
	return func(ctx context.Context) (*Snapshot, error) {
		return again(ctx, func() (*Snapshot, error) {
			s := &Snapshot{}
			head := func(h *Head) error { s.Head = *h; return nil }
			return s, walk(ctx, from, head, s.add)
		})
	}
}

// again reads until the pointer stays where it is.
func again(ctx context.Context, load func() (*Snapshot, error)) (*Snapshot, error) {
	for n := 1; ; n++ {
		s, err := load()
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errChanged) || n == moves || ctx.Err() != nil {
			return nil, err
		}
	}
}

// walk reads a store in the order of law 9: pointer, commits, cells, pointer.
func walk(ctx context.Context, from Source, head func(*Head) error, cell func(*Cell) error) (err error) {
	r, err := from.Read(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h, err := readHead(ctx, r)
	if err != nil {
		return err
	}
	row, err := from.Row(ctx, record.TrustRow)
	if err != nil {
		return err
	}
	if row != nil {
		h.Trust = row
	}
	if err := head(h); err != nil {
		return err
	}
	for _, g := range h.Pointer.Generations {
		for _, v := range views {
			rg := store.Range{Generation: g, View: store.ViewID(v), Prefix: true, From: 0, To: math.MaxInt32}
			var url string
			err := r.Scan(ctx, rg, func(c *store.ScanCell) error {
				if url != string(c.URL) {
					url = string(c.URL)
				}
				return cell(&Cell{g, v, url, c.Hour, c.Shard.Epoch, c.Shard.Partition, c.Version, c.Value})
			})
			if err != nil {
				return fmt.Errorf("cells of generation %d, view %s: %w", g, viewName(v), err)
			}
		}
	}
	if p, err := r.Pointer(ctx); err != nil || p.Counter != h.Pointer.Counter {
		return errors.Join(err, errChanged)
	}
	return nil
}

func readHead(ctx context.Context, r store.Reader) (*Head, error) {
	h := &Head{Format: 1}
	var err error
	if h.Pointer, err = r.Pointer(ctx); err != nil {
		return nil, err
	}
	if h.Epochs, err = r.Epochs(ctx); err != nil {
		return nil, err
	}
	commits, err := r.Commits(ctx)
	for _, c := range commits {
		h.Commits = append(h.Commits, Commit{c.Shard.Epoch, c.Shard.Partition, c.Commit.Offset, bytes.Clone(c.Commit.Record)})
	}
	return h, err
}

// arenaBytes is how much memory for values is taken at once.
const arenaBytes = 1 << 20

// add keeps a copy of a cell.
func (s *Snapshot) add(c *Cell) error {
	if s.Shards == nil {
		s.Shards = map[store.Shard][]StoredCell{}
	}
	if len(s.arena)+len(c.Value) > cap(s.arena) {
		s.arena = make([]byte, 0, max(arenaBytes, len(c.Value)))
	}
	n := len(s.arena)
	s.arena = append(s.arena, c.Value...)
	if s.url != c.URL {
		s.url = c.URL
	}
	shard := store.Shard{Epoch: c.Epoch, Partition: c.Partition}
	s.Shards[shard] = append(s.Shards[shard], StoredCell{
		Key:     oracle.CellKey{Generation: c.Generation, View: c.View, URL: s.url, Hour: c.Hour},
		Version: c.Version, Value: s.arena[n:len(s.arena):len(s.arena)],
	})
	return nil
}

func viewName(v oracle.View) string {
	switch v {
	case oracle.Pageviews:
		return "pageviews"
	case oracle.Uniques:
		return "uniques"
	case oracle.Bounces:
		return "bounces"
	}
	return fmt.Sprintf("view %d", v)
}
