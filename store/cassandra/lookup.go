package cassandra

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"speedlayer/store"
	"speedlayer/store/parts"
)

// lookupCells bounds the cells of one request.
const lookupCells = 64

// lookup is one request for cells of a partition, in the order of the table.
type lookup struct {
	at   partition
	keys []int // positions in the caller's keys
}

// cellRow is one row of a table of cells.
type cellRow struct {
	view    int16
	url     string
	hour    int8
	epoch   int64
	part    int32
	delta   int8
	version int64
	value   []byte
}

// scanCell takes the next row of cells.
func scanCell(iter *gocql.Iter) (r cellRow, ok bool) {
	ok = iter.Scan(&r.view, &r.url, &r.hour, &r.epoch, &r.part, &r.delta, &r.version, &r.value)
	return r, ok
}

func (r *cellRow) shard() store.Shard {
	return store.Shard{Epoch: uint32(r.epoch), Partition: r.part}
}

func (r *cellRow) content() parts.Part {
	return parts.Part{Version: r.version, Value: r.value, Delta: r.delta > 0}
}

// sameCell reports whether two rows are parts of one cell of one day.
func (r *cellRow) sameCell(o *cellRow) bool {
	return r.hour == o.hour && r.part == o.part && r.epoch == o.epoch && r.view == o.view && r.url == o.url
}

// Cells implements store.Writer. Keys of one partition become one request.
func (s *Store) Cells(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	for begin, i := 0, 1; i <= len(keys); i++ {
		if i < len(keys) && keys[i].Generation == keys[begin].Generation {
			continue
		}
		base := begin
		if err := s.lookUp(ctx, id, keys[begin:i], func(i int, version int64, value []byte) error {
			return fn(base+i, version, value)
		}); err != nil {
			return err
		}
		begin = i
	}
	return nil
}

// lookUp reads the cells of one generation.
func (s *Store) lookUp(ctx context.Context, id store.Shard, keys []store.Key, fn func(i int, version int64, value []byte) error) error {
	if len(keys) == 0 {
		return nil
	}
	g := keys[0].Generation
	state, err := s.state(ctx, g)
	if err != nil {
		return err
	}
	if state == "" {
		return fmt.Errorf("%w: %d", store.ErrNoGeneration, g)
	}
	if state == stateDropped {
		return nil
	}
	var one sync.Mutex // serialises the calls of fn
	var stop error
	var merged parts.Merger
	all, within := errgroup.WithContext(ctx)
	all.SetLimit(s.opts.Parallel)
	for _, l := range s.lookups(keys) {
		all.Go(func() error {
			rows, err := s.readLookup(within, id, keys, l)
			if err != nil {
				return err
			}
			one.Lock()
			defer one.Unlock()
			if stop == nil {
				stop = found(rows, keys, l.keys, &merged, fn)
			}
			return stop
		})
	}
	err = all.Wait()
	if stop != nil {
		return stop
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if gone, err := s.whyFailed(ctx, g, err); !gone {
		return err
	}
	return nil
}

// lookups groups keys by partition.
func (s *Store) lookups(keys []store.Key) (all []lookup) {
	groups := make(map[partition][]int)
	for i := range keys {
		at := s.partitionOf(&keys[i])
		groups[at] = append(groups[at], i)
	}
	for at, group := range groups {
		slices.SortFunc(group, func(a, b int) int { return keys[a].Compare(keys[b]) })
		for part := range slices.Chunk(group, lookupCells) {
			all = append(all, lookup{at, part})
		}
	}
	return all
}

func (s *Store) readLookup(ctx context.Context, id store.Shard, keys []store.Key, l lookup) ([]cellRow, error) {
	q := statement{readCells(keys[0].Generation), []any{l.at.bucket, date(l.at.day), wanted{id, keys, l.keys}}, s.opts.pageRows}
	return allOf(ctx, s.requests, q, scanCell)
}

// wanted is the list of (view_id, url, hour, log_epoch, log_partition) of a look-up.
type wanted struct {
	id   store.Shard
	keys []store.Key
	of   []int
}

// MarshalCQL implements gocql.Marshaler: a list of tuples, each with its length, and
// each field of a tuple with its own. All integers are big-endian.
func (w wanted) MarshalCQL(gocql.TypeInfo) ([]byte, error) {
	be := binary.BigEndian
	b := be.AppendUint32(nil, uint32(len(w.of)))
	for _, i := range w.of {
		k := &w.keys[i]
		const fields, fixed = 5, 2 + 1 + 8 + 4
		b = be.AppendUint32(b, uint32(4*fields+fixed+len(k.URL)))
		b = be.AppendUint16(be.AppendUint32(b, 2), uint16(k.View))
		b = append(be.AppendUint32(b, uint32(len(k.URL))), k.URL...)
		b = append(be.AppendUint32(b, 1), byte(k.Hour%hoursADay))
		b = be.AppendUint64(be.AppendUint32(b, 8), uint64(w.id.Epoch))
		b = be.AppendUint32(be.AppendUint32(b, 4), uint32(w.id.Partition))
	}
	return b, nil
}

// found matches rows to the keys that asked for them; both are in the order of the
// table.
func found(rows []cellRow, keys []store.Key, of []int, merged *parts.Merger, fn func(i int, version int64, value []byte) error) error {
	for len(rows) > 0 {
		first := &rows[0]
		merged.Reset()
		for len(rows) > 0 && rows[0].sameCell(first) {
			merged.Add(rows[0].content())
			rows = rows[1:]
		}
		version, value, err := merged.Cell()
		if err != nil {
			return err
		}
		for len(of) > 0 && !first.has(&keys[of[0]]) {
			of = of[1:]
		}
		for ; len(of) > 0 && first.has(&keys[of[0]]); of = of[1:] { // a key may be there twice
			if err := fn(of[0], version, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// has reports whether a row of the right partition and shard belongs to a key.
func (r *cellRow) has(k *store.Key) bool {
	return store.ViewID(r.view) == k.View && int32(r.hour) == k.Hour%hoursADay && r.url == k.URL
}
